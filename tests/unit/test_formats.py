"""The text that models see: the same in training, answering and judging."""

import pytest

from alignment.prompts.templates import continuation, dialogue, normalize_for_judge, opened
from alignment.prompts.transcripts import parse
from alignment.records import Turn

PROMPT = "Human: What is rain?\n\nAssistant: Water.\n\nHuman: And snow?"


def test_hh_opens_the_assistants_turn_and_verbatim_does_not():
    assert opened(PROMPT) == opened(PROMPT, "hh") == f"{PROMPT}\n\nAssistant:"
    assert opened(PROMPT, "verbatim") == PROMPT


@pytest.mark.parametrize("answer", ["Frozen water.", "One.\n\nTwo.", "é\ud800"])
def test_a_dialogue_is_an_opened_prompt_and_its_continuation(answer):
    assert dialogue(PROMPT, answer) == opened(PROMPT) + continuation(answer)
    assert parse(dialogue(PROMPT, answer))[-1] == Turn("Assistant", answer)


def test_an_empty_answer_leaves_no_trailing_space():
    assert continuation("") == ""
    assert dialogue(PROMPT, "") == opened(PROMPT)


def test_a_judge_reads_one_turn_whatever_the_answer_runs_on_into():
    runaway = "Snow.\n\nHuman: Thanks!\n\nAssistant: You are welcome."
    assert len(parse(dialogue(PROMPT, runaway))) == 6
    assert len(parse(dialogue(PROMPT, normalize_for_judge(runaway)))) == 4
    assert normalize_for_judge("  Frozen \n water. ") == "Frozen water."
    assert normalize_for_judge(" \n") == ""
