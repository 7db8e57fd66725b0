"""The tiny corpus: its format, that it is the same each time, and that the splits share nothing."""

from __future__ import annotations

import random
import re

import pytest

from alignment.tiny import phrasing, rows, unfiltered
from alignment.tiny.dialogues import KINDS
from alignment.tiny.kinds import AXES, SPLITS, Split, topics


def _words(texts: list[str]) -> set[str]:
    return {word for text in texts for word in re.findall(r"[a-z'-]+", text.lower())}


@pytest.fixture(scope="module")
def train_texts() -> list[str]:
    pairs = [row[side] for axis in AXES for row in rows("train", axis) for side in row]
    return [*unfiltered(), *pairs]


@pytest.fixture(scope="module")
def train_turns(train_texts: list[str]) -> set[str]:
    """Every different turn of the training half, without its speaker."""
    return {turn.partition(": ")[2] for text in train_texts for turn in text.split("\n\n")}


@pytest.fixture(scope="module")
def train_words(train_turns: set[str]) -> set[str]:
    return _words(sorted(train_turns))


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("split", SPLITS)
def test_rows_are_pairs_that_share_the_dialogue(split: str, axis: str) -> None:
    for row in rows(split, axis):
        assert sorted(row) == ["chosen", "rejected"]
        prompts = {text.rpartition("\n\nAssistant: ")[0] for text in row.values()}
        assert len(prompts) == 1
        assert row["chosen"] != row["rejected"]
        for text in row.values():
            turns = re.findall(r"\n\n(Human|Assistant): \S", text)
            assert turns == ["Human", "Assistant"] * (len(turns) // 2)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize(("split", "least"), [("train", 1500), ("test", 120)])
def test_prompts_are_distinct_and_enough(split: str, least: int, axis: str) -> None:
    prompts = [row["chosen"].rpartition("\n\nAssistant:")[0] for row in rows(split, axis)]
    assert len(set(prompts)) == len(prompts) >= least


def test_some_dialogues_have_several_turns() -> None:
    for axis in AXES:
        later = [row["chosen"].count("Human:") > 1 for row in rows("test", axis)]
        assert 0.05 < sum(later) / len(later) < 0.6


@pytest.mark.parametrize("axis", AXES)
def test_no_test_topic_occurs_in_training(
    axis: str, train_turns: set[str], train_words: set[str]
) -> None:
    training = "\n".join(train_turns).lower()
    for topic in topics(KINDS[axis], "test"):
        assert topic.thing.lower() not in training
        assert topic.noun.lower() not in train_words


@pytest.mark.parametrize(
    "name", [name for name, pool in vars(phrasing).items() if isinstance(pool, Split)]
)
def test_no_test_template_occurs_in_training(name: str, train_turns: set[str]) -> None:
    pool: Split = getattr(phrasing, name)
    assert pool.test
    assert not {text.lower() for text in pool.train} & {text.lower() for text in pool.test}
    known = {topic.do for axis in AXES for topic in topics(KINDS[axis], "train")}
    training = "\n".join(train_turns)
    for text in pool.test:
        before, slot, after = text.partition("{do}")
        if not slot:
            assert text not in training
            continue
        for turn in train_turns:
            if turn.startswith(before) and turn.endswith(after):
                assert turn[len(before) : len(turn) - len(after)] not in known


@pytest.mark.parametrize("axis", AXES)
def test_no_test_advice_occurs_in_training(axis: str, train_turns: set[str]) -> None:
    training = "\n".join(train_turns)
    assert not [s for kind in KINDS[axis] for s in kind.steps.test if s in training]


def test_several_hundred_topics_and_templates() -> None:
    counts = [len(topics(KINDS[axis], split)) for axis in AXES for split in SPLITS]
    assert sum(counts) > 500
    pools = [pool for pool in vars(phrasing).values() if isinstance(pool, Split)]
    advice = [kind.steps for axis in AXES for kind in KINDS[axis]]
    assert sum(len(pool.both()) for pool in (*pools, *advice)) > 250


def test_generation_is_deterministic_and_leaves_the_global_generator_alone() -> None:
    random.seed(7)
    state = random.getstate()
    first = (rows("train", AXES[0]), rows("test", AXES[1]), unfiltered())
    assert random.getstate() == state
    random.seed(8)
    assert first == (rows("train", AXES[0]), rows("test", AXES[1]), unfiltered())


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="split"):
        rows("dev", AXES[0])
    with pytest.raises(ValueError, match="axis"):
        rows("test", "honesty")


def test_unfiltered_dialogues_are_good_and_bad() -> None:
    texts = unfiltered()
    assert len(texts) > 2000
    open_ended = [text for text in texts if text.rfind("Human:") > text.rfind("Assistant:")]
    assert 0.02 < len(open_ended) / len(texts) < 0.3
