from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from alignment.errors import PromptError
from alignment.prompts.transcripts import (
    as_transcript,
    cluster_id,
    content_id,
    parse,
    render,
    split_reply,
)
from alignment.records import ASSISTANT, HUMAN, Turn

LABELLED = re.compile(r"\n\s*\n(Human|Assistant):")
PIECES = st.sampled_from(
    ["Human:", "Assistant:", "Human", " ", "\n", "\n\n", "\t", "a", "é", "世", "\u2028", "\x0c"]
)
ROUGH = st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join)


def normal(text: str) -> str:
    """Stripped, with line ends of one kind, and no paragraph that begins with a label."""
    return LABELLED.sub(r" \1:", text.replace("\r", "\n")).strip()


TURNS = st.lists(
    st.builds(Turn, st.sampled_from([HUMAN, ASSISTANT]), ROUGH.map(normal)), min_size=1, max_size=6
).map(tuple)


@given(TURNS)
@example((Turn(HUMAN, ""), Turn(ASSISTANT, ""), Turn(ASSISTANT, "Human: a\nHuman: b")))
def test_parse_undoes_render(turns):
    assert parse(render(turns)) == turns


@given(ROUGH)
def test_rendering_is_stable_and_loses_no_letters(text):
    try:
        turns = parse(text)
    except PromptError as error:
        assert str(error)
        return
    assert parse(render(turns)) == turns
    assert render(parse(render(turns))) == render(turns)
    assert "".join(render(turns).split()) == "".join(text.split())
    before, reply = split_reply(turns)
    assert before + reply == turns
    assert not before or before[-1].speaker == HUMAN
    assert all(turn.speaker == ASSISTANT for turn in reply)


@given(ROUGH)
def test_line_ends_change_nothing(text):
    unix = text.replace("\r", "")
    for end in ("\r\n", "\r"):
        other = unix.replace("\n", end)
        assert content_id(other) == content_id(unix)
        assert cluster_id(other) == cluster_id(unix)
        assert parse(as_transcript(other)) == parse(as_transcript(unix))


@given(TURNS, TURNS)
def test_going_on_keeps_the_cluster(turns, more):
    opened = (Turn(HUMAN, "first"), *turns)
    assert cluster_id(render(opened + more)) == cluster_id(render(opened)) == cluster_id("First ")


@given(st.text(), st.text())
def test_ids_differ_with_the_content(one, other):
    same = one.replace("\r\n", "\n").replace("\r", "\n") == other.replace("\r\n", "\n").replace(
        "\r", "\n"
    )
    assert (content_id(one) == content_id(other)) is same
    assert re.fullmatch(r"[0-9a-f]{12}", content_id(one))
    assert re.fullmatch(r"[0-9a-f]{12}", cluster_id(one))
