from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest

from alignment.config.profile import Profile
from alignment.errors import PromptError
from alignment.prompts.draws import generator
from alignment.prompts.leakage import overlap
from alignment.prompts.selection import select
from alignment.prompts.training_data import (
    both_transcripts,
    chosen_transcripts,
    training_pairs,
    trial,
    unfiltered,
)
from alignment.prompts.transcripts import content_id

TINY = {"source": "tiny", "split": "train"}


def row(*turns, rejected="bad"):
    speakers = ("Human", "Assistant")
    lines = [f"{speakers[n % 2]}: {text}" for n, text in enumerate(turns)]
    before = "".join(f"\n\n{line}" for line in lines[:-1])
    return {"chosen": f"{before}\n\n{lines[-1]}", "rejected": f"{before}\n\nAssistant: {rejected}"}


def profile(hold_out="cluster", sources=("a", "b"), trial_pairs=10, **rest):
    def file(name):
        return {"source": "file", "path": f"{name}.jsonl"}

    axes = {
        name: {
            "rate": f"R-{name}",
            "threshold": 0.0,
            "comparison": ">=",
            "prompts": {"origin": file(f"test-{name}"), "sample": 5},
            "trial": {"origin": file(f"test-{name}"), "pairs": trial_pairs},
        }
        for name in "ab"
    }
    training = {name: file(f"train-{name}") for name in sources}
    return Profile.model_validate(
        {
            "name": "test",
            "axes": axes,
            "judge": {"recorded": True},
            "training": {"hold_out": hold_out, "sources": training},
            **rest,
        }
    )


@pytest.fixture
def world(tmp_path):
    """Two axes: 20 test dialogues each, and training rows that repeat some of them."""
    for name in "ab":
        test = [row(f"{name} test {n}", f"good {n}") for n in range(20)]
        fresh = [row(f"{name} train {n}", "good") for n in range(10)]
        repeats = [
            row(f"{name.upper()}  TEST {n}", f"other {n}", "deeper?", "good") for n in range(20)
        ]
        write(tmp_path, f"test-{name}", test)
        write(tmp_path, f"train-{name}", [*fresh, *repeats, row("x", ""), row("train only", "ok")])
    return tmp_path


def write(folder, name, rows):
    (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))


def parts(settings, folder):
    prompts = select(settings, data=folder)
    trials = {axis: trial(settings, axis, prompts, data=folder) for axis in settings.axes}
    return prompts, trials


def test_trial_pairs_come_from_dialogues_that_are_not_asked(world):
    prompts, trials = parts(profile(), world)
    asked = {prompt.cluster for axis in prompts.values() for prompt in axis}
    for pairs in trials.values():
        assert len({pair.prompt for pair in pairs}) == 10
        assert not asked & {pair.cluster for pair in pairs}


def test_the_trial_does_not_depend_on_the_order_of_the_rows(world):
    settings = profile()
    prompts, trials = parts(settings, world)
    lines = (world / "test-a.jsonl").read_text().splitlines()
    (world / "test-a.jsonl").write_text("\n".join(reversed(lines)))
    assert trial(settings, "a", prompts, data=world) == trials["a"]
    other = profile(sampling_seed=1)
    assert trial(other, "a", prompts, data=world) != trials["a"]


def test_a_trial_without_enough_pairs_is_refused(world):
    settings = profile(trial_pairs=16)
    prompts = select(settings, data=world)
    with pytest.raises(PromptError, match=r"needs 16 .* has 15 different .*lower `trial\.pairs`"):
        trial(settings, "a", prompts, data=world)


def test_no_trial_is_no_pairs(world):
    values = profile().model_dump()
    values["axes"]["a"]["trial"] = None
    assert trial(Profile.model_validate(values), "a", {}, data=world) == []


def test_training_keeps_clear_of_the_evaluation(world):
    settings = profile()
    prompts, trials = parts(settings, world)
    found = training_pairs(settings, prompts, trials, data=world)
    # Of 20 repeated dialogues per axis, 5 are asked and 10 are on trial.
    assert [pair.axis for pair in found] == ["a"] * 16 + ["b"] * 16
    assert overlap(found, prompts, trials) == []
    for texts in (unfiltered, chosen_transcripts):
        assert overlap(texts(settings, prompts, trials, data=world), prompts, trials) == []


def test_holding_out_the_prompt_keeps_other_dialogues_with_its_opening(world):
    settings = profile("prompt")
    prompts, trials = parts(settings, world)
    deeper = row("a test 0", "x", "y", "z")
    shallower = row("Human", "not a dialogue that is asked")
    write(world, "train-a", [deeper, shallower])
    asked = {"a": [prompt for prompt in prompts["a"] if prompt.text == "none"], "b": prompts["b"]}
    assert len(training_pairs(settings, asked, {}, data=world)) > 2
    first = select(profile("prompt"), data=world)
    assert (
        overlap(
            training_pairs(settings, first, trials, data=world), first, trials, hold_out="prompt"
        )
        == []
    )


def test_a_dialogue_that_goes_on_from_a_prompt_is_held_out_under_both(world):
    for mode in ("cluster", "prompt"):
        settings = profile(mode)
        prompts, _ = parts(settings, world)
        asked = prompts["a"][0]
        write(world, "train-a", [row(asked.text.removeprefix("Human: "), "a", "b", "c")])
        with pytest.raises(PromptError, match="none of its 1 preference pairs is clear"):
            training_pairs(settings, prompts, {}, data=world)
        write(world, "train-a", [row("new", "a", asked.text.removeprefix("Human: "), "c")])
        assert len(training_pairs(settings, prompts, {}, data=world)) > 1


def test_chosen_transcripts_need_no_usable_rejected_answer(world):
    only = {"chosen": "Human: q\n\nAssistant: a"}
    same = {"chosen": "Human: r\n\nAssistant: a", "rejected": "Human: r\n\nAssistant: a"}
    write(world, "train-a", [only, same])
    settings = profile(sources=("a",))
    expected = [only["chosen"], same["chosen"]]
    assert chosen_transcripts(settings, {}, {}, data=world) == expected
    assert unfiltered(settings, {}, {}, data=world) == expected
    reasons = "1 rows: no `chosen` and `rejected`, 1 rows: chosen and rejected are the same"
    with pytest.raises(PromptError, match=reasons):
        training_pairs(settings, {}, {}, data=world)


def test_the_built_in_corpus_gives_its_unfiltered_dialogues(monkeypatch, world):
    prompts, trials = parts(profile(), world)
    texts = ["\n\nHuman: free\n\nAssistant: text", f"\n\n{prompts['a'][0].text}\n\nAssistant: x"]
    fake = SimpleNamespace(rows=lambda split, axis: [row(axis, split)], unfiltered=lambda: texts)
    monkeypatch.setitem(sys.modules, "alignment.tiny", fake)
    whole = {**TINY, "unfiltered": True}
    settings = profile(training={"sources": {"a": whole, "b": whole}})
    assert unfiltered(settings, prompts, trials, data=world) == [texts[0].strip()]
    assert [pair.prompt for pair in training_pairs(settings, prompts, trials, data=world)] == [
        "Human: a",
        "Human: b",
    ]
    settings = profile(training={"sources": {"a": whole, "b": TINY}})
    found = unfiltered(settings, prompts, trials, data=world)
    b_rows = ["Human: b\n\nAssistant: train", "Human: b\n\nAssistant: bad"]
    assert found == [*b_rows, texts[0].strip()]


def test_nothing_left_is_refused(world):
    settings = profile()
    prompts, trials = parts(settings, world)
    for name in "ab":
        write(world, f"train-{name}", [row(prompts[name][0].text[7:], "a")])
    for function in (unfiltered, chosen_transcripts):
        with pytest.raises(PromptError, match="no training transcript is left"):
            function(settings, prompts, trials, data=world)


def test_overlap_finds_what_is_planted(world):
    prompts, trials = parts(profile(), world)
    prompt, pair = prompts["a"][0], trials["b"][0]
    pair_id = content_id(pair.prompt)
    planted = {
        f"{prompt.text}\n\nAssistant: new": [prompt.id],
        f"{prompt.text.upper().replace('HUMAN', 'Human')}": [prompt.id],
        f"{prompt.text}\r\n\r\nAssistant: a\r\n\r\nHuman: on": [prompt.id],
        both_transcripts(pair)[0]: [pair_id],
        both_transcripts(pair)[1]: [pair_id],
        f"{prompt.text} with other words": [],
        f"{prompt.text}\n\nin a second paragraph": [],
        "Human: new\n\nAssistant: new": [],
    }
    for mode in ("cluster", "prompt"):
        for text, expected in planted.items():
            assert overlap([text], prompts, trials, hold_out=mode) == expected, text
    assert overlap([pair], prompts, trials) == [pair_id]
    opening = f"{prompt.text}\n\nAssistant: a"
    deeper = {"a": [type(prompt)("id", "a", f"{opening}\n\nHuman: b", "")]}
    assert overlap([f"{opening} and b"], deeper, {}) == ["id"]
    assert overlap([f"{opening} and b"], deeper, {}, hold_out="prompt") == []
    assert overlap(["anything"], {"a": [type(prompt)("id", "a", "", "id")]}, {}) == []


def test_draws_for_trials_are_named():
    assert generator(100, "trial", "a").random() != generator(100, "prompts", "a").random()
