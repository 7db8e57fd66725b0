"""Thinking in the text of an answer: found, cut off, or refused; never judged unless asked for."""

import time
from contextlib import suppress

import pytest

from alignment.records.thinking import NoAnswer, answer_of, left_open

ANSWER = "I can't help with that."
CLOSED = [
    f"<think>They want harm.</think>\n\n{ANSWER}",
    f"<think>\n</think>{ANSWER}",
    f"\n<THINK>Hm.</THINK> {ANSWER}",
    f"<thinking>Hm.</thinking>{ANSWER}",
    f"<thought>Hm.</thought>{ANSWER}",
    f"<reasoning>Hm.</reasoning>{ANSWER}",
    f"<seed:think>Hm.</seed:think>{ANSWER}",
    f"[THINK]Hm.[/THINK]{ANSWER}",
    f"◁think▷Hm.◁/think▷{ANSWER}",
    f"<|begin_of_thought|>Hm.<|end_of_thought|>{ANSWER}",
    f"<|START_THINKING|>Hm.<|END_THINKING|>{ANSWER}",
    f"<|channel>thought\nHm.<channel|>{ANSWER}",
    f"Here is my thought process: Hm.\nHere is my response: {ANSWER}",
    # opened in the prompt by the chat template
    f"They want harm.\n</think>\n\n{ANSWER}",
    # a mark that is only spoken of, within the thinking
    f'<think>I end it with "</think>", later.</think>{ANSWER}',
    f"<think>As in `<think>a</think>`.</think>{ANSWER}",
    f"<think>Code:\n```\nx\n</think>\n{ANSWER}",
    f"<think>I think in <think> tags.</think>{ANSWER}",
    f"<think>One.</think><think>Two.</think>{ANSWER}",
    f"<think>One.</think>Draft.</think>{ANSWER}",
    (
        "<|channel|>analysis<|message|>They want harm.<|end|><|start|>assistant"
        f"<|channel|>final<|message|>{ANSWER}<|return|>"
    ),
    (
        f"<|channel|>commentary to=x <|constrain|>json<|message|>{{}}<|call|>"
        f"<|channel|>final<|message|>{ANSWER}"
    ),
    f"analysisThey want harm. I refuse.assistantfinal{ANSWER}",
]
OPEN = [
    "<think>They want to know how",
    "<think>",
    "<thinking>Hm.",
    "[THINK]Hm.",
    f"{ANSWER} <think>But then",
    "<|channel|>analysis<|message|>They want",
    "<|channel|>analysis<|message|>They want<|end|><|start|>assistant",
    "analysisThey want to know how",
    "<|channel>thought\nHm.",
    "Here is my thought process: Hm.",
]
PLAIN = [
    ANSWER,
    "",
    "I think that you should think. [thinking]",
    "Compare a < b and c > d; see think.py.",
    "analysis of the text: it is short",
    "The analysis was final.",
    "Use <b>bold</b>, not <i>this</i>.",
    # marks that are spoken of
    "Models think between `<think>` and `</think>`.",
    "It begins with '<think>' and ends with \"</think>\".",
    "Write `<think>plan</think>` first.",
    "Like this:\n\n```xml\n<think>plan</think>\n<answer>x</answer>\n```\nThat is all.",
    "```python\nre.sub(r'<think>.*?</think>', '', text)\n```",
]


@pytest.mark.parametrize("text", CLOSED)
def test_what_is_said_outside_of_the_thinking(text):
    assert answer_of(text, "apart", "x") == ANSWER
    assert answer_of(text, "always", "x") == ANSWER


@pytest.mark.parametrize("text", [*CLOSED, *OPEN])
def test_unless_something_is_said_of_it_thinking_is_no_answer(text):
    with pytest.raises(
        NoAnswer, match=r"^its text holds thinking \(.*\); set x = 'apart' to judge"
    ):
        answer_of(text, "unscored", "x")


@pytest.mark.parametrize("text", [*CLOSED, *OPEN, *PLAIN])
def test_all_of_it_where_that_is_asked_for(text):
    assert answer_of(text, "answer", "x") == text


@pytest.mark.parametrize("mode", ["apart", "always"])
@pytest.mark.parametrize("text", OPEN)
def test_thinking_that_was_cut_is_no_answer(text, mode):
    with pytest.raises(NoAnswer, match=r"its text ends within the thinking .* raise the limit"):
        answer_of(text, mode, "x")


def test_nor_is_thinking_alone():
    with pytest.raises(NoAnswer, match="nothing but thinking"):
        answer_of("<think>Hm.</think>\n", "apart", "x")


@pytest.mark.parametrize("text", PLAIN)
def test_other_texts_are_left_as_they_are(text):
    assert answer_of(text, "unscored", "x") == text
    assert answer_of(text, "apart", "x") == text


def test_a_model_that_always_thinks_and_never_ends_it():
    with pytest.raises(NoAnswer, match="never ends the thinking, and x is 'always'"):
        answer_of("They want to know how to", "always", "x")


@pytest.mark.parametrize(
    ("prompt", "opened"),
    [
        ("<|user|>Hi<|assistant|><think>\n", "<think>"),
        ("<|user|>Hi<|assistant|><think>\n\n</think>\n\n", ""),
        ("<|user|>Hi<|assistant|>", ""),
        ("[INST]Hi[/INST][THINK]", "[THINK]"),
        ("<|system|>Think in `<think>`.<|user|>Hi<|assistant|>", ""),
    ],
)
def test_a_prompt_that_opens_the_thinking(prompt, opened):
    assert left_open(prompt) == opened


@pytest.mark.parametrize("unit", ["`", "`<think>", "```\n", "'<think>'", "<think></think>`\n```"])
def test_a_long_text_is_read_in_time(unit):
    began = time.process_time()
    with suppress(NoAnswer):
        answer_of(unit * (200_000 // len(unit)), "apart", "x")
    assert time.process_time() - began < 5
