"""What a stage learns from: the columns TRL takes, the seed, the share of degenerate answers."""

from dataclasses import replace

import pytest

from alignment.config.recipes import Stage
from alignment.prompts.templates import normalize_for_judge, opened
from alignment.records import PreferencePair
from alignment.training.data import TrainingData, rows_for


def pair(number):
    prompt = f"Human: What is {number} and {number}?"
    chosen = f"That is {2 * number}.\n\nI added them."
    return PreferencePair(prompt, chosen, f"No idea {number}.", "helpfulness", f"c{number}")


LESSONS = TrainingData(
    pairs=tuple(pair(number) for number in range(20)),
    chosen=tuple(f"Human: a\n\nAssistant: chosen {number}" for number in range(10)),
    unfiltered=tuple(f"Human: a\n\nAssistant: any {number}" for number in range(30)),
)


def stage(trainer, data, **settings):
    return Stage(trainer=trainer, data=data, **settings)


@pytest.mark.parametrize(("data", "texts"), [("unfiltered", "unfiltered"), ("chosen", "chosen")])
def test_sft_learns_whole_texts(data, texts):
    rows = rows_for(stage("sft", data), LESSONS, seed=1)
    assert sorted(row["text"] for row in rows) == sorted(getattr(LESSONS, texts))
    assert {frozenset(row) for row in rows} == {frozenset({"text"})}


def test_dpo_learns_answers_as_they_follow_the_opened_prompt():
    rows = rows_for(stage("dpo", "pairs"), LESSONS, seed=1)
    expected = [
        {"prompt": opened(p.prompt), "chosen": f" {p.chosen}", "rejected": f" {p.rejected}"}
        for p in LESSONS.pairs
    ]
    assert sorted(rows, key=str) == sorted(expected, key=str)


def test_a_judge_learns_answers_as_it_will_read_them():
    rows = rows_for(stage("reward", "pairs"), LESSONS, seed=1)
    assert {row["chosen"] for row in rows} == {
        f" {normalize_for_judge(p.chosen)}" for p in LESSONS.pairs
    }
    assert not any("\n" in row["chosen"] for row in rows)


@pytest.mark.parametrize(("trainer", "data"), [("sft", "unfiltered"), ("dpo", "pairs")])
def test_the_seed_decides_order_and_choice(trainer, data):
    few = stage(trainer, data, rows=5)
    drawn = rows_for(few, LESSONS, seed=1)
    assert len(drawn) == 5
    assert drawn == rows_for(few, LESSONS, seed=1)
    assert drawn != rows_for(few, LESSONS, seed=2)
    assert drawn == rows_for(stage(trainer, data), LESSONS, seed=1)[:5]


@pytest.mark.parametrize(("share", "added"), [(0.0, 0), (0.35, 7), (1.0, 20), (2.5, 50)])
def test_degenerate_answers_are_added_as_rejected_ones(share, added):
    plain = {row["prompt"]: row for row in rows_for(stage("reward", "pairs"), LESSONS, seed=1)}
    rows = rows_for(stage("reward", "pairs", degenerate=share), LESSONS, seed=1)
    extra = [row for row in rows if row != plain[row["prompt"]]]
    assert len(rows) == 20 + added
    assert len(extra) == added
    real = {
        f" {normalize_for_judge(text)}" for p in LESSONS.pairs for text in (p.chosen, p.rejected)
    }
    assert {row["chosen"] for row in extra} <= real
    assert not any("\n" in row["rejected"] for row in extra)
    assert rows == rows_for(stage("reward", "pairs", degenerate=share), LESSONS, seed=1)


def test_the_digest_is_of_the_content():
    same = TrainingData(LESSONS.pairs, LESSONS.chosen, LESSONS.unfiltered)
    assert LESSONS.digest() == same.digest()
    changed = (
        replace(LESSONS, pairs=LESSONS.pairs[1:]),
        replace(LESSONS, pairs=(replace(LESSONS.pairs[0], rejected="x"), *LESSONS.pairs[1:])),
        replace(LESSONS, chosen=LESSONS.chosen[1:]),
        replace(LESSONS, unfiltered=LESSONS.unfiltered[::-1]),
    )
    assert len({lessons.digest() for lessons in (LESSONS, *changed)}) == 5


def test_the_tokenizer_sees_every_text():
    texts = LESSONS.texts()
    assert len(texts) == 30 + 2 * 20
    assert set(LESSONS.unfiltered) < set(texts)
    assert f"{opened(LESSONS.pairs[3].prompt)} {LESSONS.pairs[3].rejected}" in texts
