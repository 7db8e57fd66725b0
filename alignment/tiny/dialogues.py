"""The corpus: preference rows in HH-RLHF format, and unfiltered dialogues to pretrain a base on.

Everything is drawn from the tables with generators seeded by a text, so it is the same each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from alignment.tiny import harmful, helpful
from alignment.tiny import phrasing as p
from alignment.tiny.kinds import AXES, Kind, Split, Topic, topics

HUMAN = "\n\nHuman: "
ASSISTANT = "\n\nAssistant: "
SIZES = {"train": 2000, "test": 320}
UNFILTERED = 4000

KINDS: dict[str, tuple[Kind, ...]] = {
    AXES[0]: harmful.KINDS,
    AXES[1]: helpful.KINDS,
}

# How a reply that is not good fails, by axis, and how often: the last column is for unfiltered
# dialogues, the first for the rejected reply of a pair whose chosen reply is good.
FAULTS: dict[str, dict[str, tuple[int, int]]] = {
    AXES[0]: {"complies": (50, 80), "hedges": (35, 15), "vague": (10, 4), "off_topic": (5, 1)},
    AXES[1]: {"vague": (50, 65), "off_topic": (25, 5), "refuses": (25, 30)},
}
# Pairs in which both replies are poor: (the lesser evil, the worse one).
POOR = {AXES[0]: ("hedges", "complies"), AXES[1]: ("vague", "refuses")}
GOOD = {AXES[0]: "refuses", AXES[1]: "answers"}
LATER_TURNS = 0.2  # share of dialogues with an earlier exchange
RUNAWAY = 0.3  # share of vague or hedged unfiltered replies that run on as another dialogue
SLOPPY = 0.04  # share of unfiltered dialogues that break off


def kinds_of(axis: str) -> tuple[Kind, ...]:
    """The kinds of an axis; ValueError for a name that is not one of the two."""
    if axis not in KINDS:
        raise ValueError(f"axis must be one of {AXES}, not {axis!r}")
    return KINDS[axis]


def context(topic: Topic, split: str, rng: Random) -> str:
    """A dialogue up to and with the last human turn, in the templates of ``split``."""

    def say(*parts: str) -> str:
        marks = (HUMAN, ASSISTANT)
        text = "".join(marks[i % 2] + part for i, part in enumerate(parts))
        return text.replace("{do}", topic.do)

    def one(pool: Split) -> str:
        return rng.choice(pool.of(split))

    shape = rng.random()
    if shape >= LATER_TURNS:
        return say(one(p.QUESTIONS))
    if shape < LATER_TURNS * 0.4:
        return say(one(p.GREETINGS), one(p.WELCOMES), one(p.QUESTIONS))
    if shape < LATER_TURNS * 0.7:
        return say(one(p.OPENINGS), one(p.PROBES), one(p.FOLLOW_UPS))
    return say(one(p.OPENINGS), one(p.PROBES), one(p.QUESTIONS))


def reply(label: str, topic: Topic, split: str, rng: Random) -> str:
    """A reply to ``topic`` in the templates of ``split``.

    ``label``: "refuses", "complies", "hedges" (complies with a warning), "answers", "vague" or
    "off_topic" (sound advice for another kind of task).
    """

    def some(pool: Split, count: int = 1) -> list[str]:
        return rng.sample(pool.of(split), count)

    def perhaps(pool: Split, chance: float) -> list[str]:
        return some(pool) if rng.random() < chance else []

    parts: list[str]
    if label == "refuses":
        parts = some(p.REFUSALS) + perhaps(p.REDIRECTS, 0.4)
    elif label == "complies":
        parts = some(p.COMPLIANCES) + some(topic.kind.steps)
    elif label == "hedges":
        parts = some(p.HEDGES) + some(topic.kind.steps)
    elif label == "vague":
        parts = some(p.VAGUE, rng.randint(1, 2))
    elif label in ("answers", "off_topic"):
        kind = topic.kind
        if label == "off_topic":
            kind = rng.choice([k for k in KINDS[AXES[1]] if k is not kind])
        steps = some(kind.steps, rng.randint(1, 2))
        parts = perhaps(p.LEADS, 0.25) + steps + perhaps(p.CLOSINGS, 0.1)
    else:
        raise ValueError(f"unknown label {label!r}")
    return " ".join(parts)


def fault(axis: str, column: int, rng: Random) -> str:
    """The label of a poor reply, drawn with the weights of ``FAULTS``."""
    weights = {label: pair[column] for label, pair in FAULTS[axis].items()}
    return rng.choices(list(weights), list(weights.values()))[0]


def labelled_rows(split: str, axis: str) -> list[dict[str, str]]:
    """Draw the rows of ``rows``, with what they were drawn as.

    The labels of the replies are "chosen_label" and "rejected_label", the kind is "kind".
    """
    rng = Random(f"{split} {axis}")
    pool = topics(kinds_of(axis), split)
    found: dict[str, dict[str, str]] = {}
    for topic in _endless(pool, rng):
        asked = context(topic, split, rng)
        if rng.random() < topic.kind.chosen:
            lesser = rng.random() >= topic.kind.chosen
            better, worse = GOOD[axis], POOR[axis][0] if lesser else fault(axis, 0, rng)
        else:
            better, worse = POOR[axis]
        found.setdefault(
            asked,
            {
                "chosen": asked + ASSISTANT + reply(better, topic, split, rng),
                "rejected": asked + ASSISTANT + reply(worse, topic, split, rng),
                "chosen_label": better,
                "rejected_label": worse,
                "kind": topic.kind.name,
            },
        )
        if len(found) >= SIZES[split]:
            break
    return list(found.values())


def rows(split: str, axis: str) -> list[dict[str, str]]:
    """Preference pairs of a split ("train", "test") and an axis ("harmlessness", "helpfulness").

    Each row has "chosen" and "rejected": whole transcripts that share everything up to the last
    assistant turn. Prompts are distinct within a split.
    """
    return [
        {"chosen": row["chosen"], "rejected": row["rejected"]} for row in labelled_rows(split, axis)
    ]


def unfiltered() -> list[str]:
    """Transcripts to pretrain a base on: good for some kinds, mostly bad for others.

    Some run on as another dialogue after a poor reply, and some break off. Training half only.
    """
    rng = Random("unfiltered")
    pool = topics(KINDS[AXES[0]] + KINDS[AXES[1]], "train")
    found: list[str] = []
    for topic in _endless(pool, rng):
        axis = topic.kind.axis
        good = rng.random() < topic.kind.base
        label = GOOD[axis] if good else fault(axis, 1, rng)
        text = context(topic, "train", rng) + ASSISTANT + reply(label, topic, "train", rng)
        if label in ("vague", "hedges") and rng.random() < RUNAWAY:
            text += context(rng.choice(pool), "train", rng)
        elif rng.random() < SLOPPY:
            text = text[: -rng.randint(2, 30)]
        found.append(text)
        if len(found) >= UNFILTERED:
            break
    return found


def _endless(pool: list[Topic], rng: Random) -> Iterable[Topic]:
    """The topics in rounds, each round in a new order, so that all kinds are equally frequent."""
    while True:
        yield from rng.sample(pool, len(pool))
