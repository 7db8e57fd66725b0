from __future__ import annotations

import pytest

from alignment.errors import PromptError
from alignment.prompts.transcripts import (
    as_transcript,
    cluster_id,
    content_id,
    messages,
    parse,
    render,
    shown,
    split_reply,
)
from alignment.records import ASSISTANT, HUMAN, Turn


def H(text: str) -> Turn:  # noqa: N802
    return Turn(HUMAN, text)


def A(text: str) -> Turn:  # noqa: N802
    return Turn(ASSISTANT, text)


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        ("\n\nHuman: Hi\n\nAssistant: Hello", [H("Hi"), A("Hello")]),
        ("Human: Hi\n\nAssistant: One.\n\nTwo.", [H("Hi"), A("One.\n\nTwo.")]),
        ("Human: Hi\r\n\r\nAssistant: Yo\r\nthere", [H("Hi"), A("Yo\nthere")]),
        ("Human: Hi\n\nAssistant: a\n\nAssistant: b", [H("Hi"), A("a"), A("b")]),
        ("Human: Hi\n\nAssistant:", [H("Hi"), A("")]),
        ("Human:\n\nAssistant: a", [H(""), A("a")]),
        ("Human: Hi", [H("Hi")]),
        ("Assistant: Hi", [A("Hi")]),
        ("Human:no space", [H("no space")]),
        ("Human: Grüße, 世界 🎉", [H("Grüße, 世界 🎉")]),
        # A label counts only where a paragraph begins with it.
        ("Human: To err is Human: a book", [H("To err is Human: a book")]),
        ("Human: a\nAssistant: b", [H("a\nAssistant: b")]),
        ("Human: a\n\n Assistant: b", [H("a\n\n Assistant: b")]),
        ("Human: a\n\nAssistants: b", [H("a\n\nAssistants: b")]),
        ("Human: a\n\nhuman: b", [H("a\n\nhuman: b")]),
        ("Human: Why?\n\nAssistant: Human: You", [H("Why?"), A("Human: You")]),
        # A blank line may hold white space, and there may be several.
        ("Human: a\n \t\nAssistant: b", [H("a"), A("b")]),
        ("Human: a\n\n\n\nAssistant: b", [H("a"), A("b")]),
        ("Human: a\r\rAssistant: b", [H("a"), A("b")]),
    ],
)
def test_parse(text, turns):
    assert parse(text) == tuple(turns)


@pytest.mark.parametrize("text", ["", " \n\n ", "\r\n"])
def test_an_empty_text_is_no_transcript(text):
    with pytest.raises(PromptError, match="empty"):
        parse(text)


@pytest.mark.parametrize("text", ["How are you?", "Intro\n\nHuman: Hi", "Human Hi", "human: Hi"])
def test_what_begins_without_a_label_is_no_transcript(text):
    with pytest.raises(PromptError, match="begins with `Human:` or `Assistant:`, not '"):
        parse(text)


def test_the_message_quotes_hostile_text_harmlessly():
    with pytest.raises(PromptError) as caught:
        parse("\x1b[31m" + "x" * 1000)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 120


def test_render_is_what_a_model_is_given():
    turns = [H("Hi"), A(""), H("Still there?")]
    assert render(turns) == "Human: Hi\n\nAssistant:\n\nHuman: Still there?"
    assert parse(render(turns)) == tuple(turns)


def test_the_reply_is_the_whole_run_of_assistant_turns_at_the_end():
    turns = (H("q"), A("a"), H("r"), A("b"), A("c"))
    assert split_reply(turns) == (turns[:3], turns[3:])
    assert split_reply(turns[:3]) == (turns[:3], ())
    assert split_reply(turns[1:2]) == ((), turns[1:2])


def test_a_plain_question_gets_its_label():
    assert as_transcript(" Why?\n") == "Human: Why?"
    assert as_transcript("Human: Why?") == "Human: Why?"


def test_ids_are_twelve_hex_digits_of_the_content():
    assert content_id("Human: Hi") == "7f31025aa508"
    assert content_id("a\r\nb") == content_id("a\nb") == content_id("a\rb")
    different = ["a\nb", "a\nb ", "a b", "A\nb", "\u00e9", "e\u0301", "\ud800", ""]
    assert len({content_id(text) for text in different}) == len(different)


def test_a_cluster_is_the_first_thing_the_human_said():
    opening = cluster_id("Human: Hello  There")
    assert opening == cluster_id("Human: hello\nthere\n\nAssistant: Yes?\n\nHuman: More")
    assert opening == cluster_id("Assistant: Welcome\n\nHuman: HELLO there")
    assert opening == cluster_id("hello there")
    assert opening != cluster_id("Human: hello")
    assert cluster_id("Human: \u00e9") == cluster_id("Human: e\u0301")
    assert cluster_id("Assistant: a") != cluster_id("Assistant: b")
    assert cluster_id("") == cluster_id("Human:")


def test_shown_is_short_printable_ascii():
    assert shown("a\u2028b") == r"'a\u2028b'"
    assert shown("x" * 50, 3) == "'xxx...'"


def test_messages_are_the_turns_of_a_chat():
    dialogue = "Human: Hi\n\nAssistant: Hello\n\nHuman: One.\n\nHuman: Two."
    assert messages(dialogue) == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "One.\n\nTwo."},
    ]
    assert messages("Why?") == [{"role": "user", "content": "Why?"}]
    assert messages("Human:\n\nHuman: Two.") == [{"role": "user", "content": "Two."}]
