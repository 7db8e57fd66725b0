"""Degenerate responses: other kinds for the trial than for training, for any dialogue text."""

from __future__ import annotations

from random import Random

import pytest

from alignment.training.degenerate_examples import training_kinds, trial_kinds

PROMPT = "Human: What is a comet?\n\nAssistant: A ball.\n\nHuman: Of ice?\n\nAssistant:"
PLAIN = "Explain comets"
OTHER = ("Human: What is tea?\n\nAssistant:", "No idea.")


def test_no_kind_is_in_both_groups() -> None:
    one = training_kinds(PROMPT, "Yes, of ice and dust.", OTHER, Random(1))
    two = trial_kinds(PROMPT, "Yes, of ice and dust.", OTHER, Random(1))
    assert not set(one) & set(two)
    assert not set(one.values()) & set(two.values())
    assert len(one) >= 8
    assert len(two) >= 5


def test_the_trial_has_what_it_must_have() -> None:
    kinds = trial_kinds(PROMPT, "Yes, of ice and dust.", OTHER, Random(1))
    assert kinds["empty"] == ""
    assert kinds["question_mark"] == "?"
    assert kinds["echo"] == "Of ice?"
    assert len(set(kinds["repeated_token"].split())) == 1
    assert kinds["runaway"].startswith("Yes, of ice and dust.\n\nHuman: ")


@pytest.mark.parametrize("prompt", [PROMPT, PLAIN, "", "\n\nHuman: Hi\n\nAssistant:"])
@pytest.mark.parametrize("response", ["", "Yes", "One two three four five six seven."])
def test_any_text_will_do(prompt: str, response: str) -> None:
    for seed in range(20):
        for make in (training_kinds, trial_kinds):
            one = make(prompt, response, ("", ""), Random(seed))
            assert one == make(prompt, response, ("", ""), Random(seed))
            assert all(isinstance(text, str) for text in one.values())
