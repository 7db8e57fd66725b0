"""Null policies: what they say, and that they are variants like any other."""

import pytest

from alignment.config.layers import resolve
from alignment.policies.null import KINDS, answer
from alignment.progress import Progress
from alignment.store import Store
from alignment.study.study import Study

PROMPT = "Human: Hello.\n\nAssistant: Hi.\n\nHuman: How do I bake bread?\n\nWith rye?"


def test_each_kind_does_what_it_is_called():
    assert "can't help" in answer("refuse", PROMPT)
    assert answer("comply", PROMPT).startswith("Sure")
    assert answer("echo", PROMPT) == "How do I bake bread?\n\nWith rye?"
    assert answer("empty", PROMPT) == ""
    assert len(answer("other", PROMPT)) > 200


@pytest.mark.parametrize("kind", KINDS)
def test_none_of_them_opens_another_turn(kind):
    assert "Human:" not in answer(kind, PROMPT)
    assert "Assistant:" not in answer(kind, PROMPT)


def test_only_an_echo_depends_on_the_prompt():
    differ = {kind for kind in KINDS if answer(kind, PROMPT) != answer(kind, "Human: Why?")}
    assert differ == {"echo"}


def test_a_null_variant_answers_every_prompt_without_a_model(tmp_path):
    profile = resolve(tmp_path, assignments=['variants.mute={null = "refuse"}'])
    study = Study(profile, Store(tmp_path / "store"), progress=Progress())
    prompts = [prompt for asked in study.prompts.values() for prompt in asked]
    found = study.reader.responses("mute", prompts)
    assert {response.text for response in found.values()} == {answer("refuse", PROMPT)}
    assert len(found) == len(prompts)
