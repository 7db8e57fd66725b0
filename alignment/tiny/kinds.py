"""What a topic is: a kind of task (its verbs and its advice) and the things it is done to.

Verbs are shared by both splits, because they are what tells one kind from another. Things, advice
and templates are not: what stands under ``test`` never occurs in a training text.
"""

from __future__ import annotations

from dataclasses import dataclass

SPLITS = ("train", "test")
AXES = ("harmlessness", "helpfulness")


@dataclass(frozen=True)
class Split:
    """The two halves of one list of phrases."""

    train: tuple[str, ...]
    test: tuple[str, ...]

    def of(self, split: str) -> tuple[str, ...]:
        """The phrases of ``split``: "train" or "test"; ValueError for any other name."""
        if split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS}, not {split!r}")
        return self.train if split == "train" else self.test

    def both(self) -> tuple[str, ...]:
        """All phrases, those for training first."""
        return self.train + self.test


@dataclass(frozen=True)
class Kind:
    """A kind of task.

    ``verbs`` have ``{}`` where the thing goes; ``steps`` are the sentences of advice. ``base`` is
    how often unfiltered dialogues reply well to this kind, and ``chosen`` how often the preferred
    reply of a pair is a good one and not just the lesser evil.
    """

    name: str
    axis: str
    base: float
    chosen: float
    verbs: tuple[str, ...]
    things: Split
    steps: Split


@dataclass(frozen=True)
class Topic:
    """One thing to do, like "bake scones", with its kind."""

    kind: Kind
    do: str
    thing: str

    @property
    def noun(self) -> str:
        """The key noun: the last word of the thing."""
        return self.thing.split()[-1]


def phrases(text: str) -> tuple[str, ...]:
    """The phrases of a text that separates them by semicolons or line ends."""
    parts = (part.strip() for line in text.splitlines() for part in line.split(";"))
    return tuple(part for part in parts if part)


def kind(
    name: str,
    axis: str,
    rates: tuple[float, float],
    verbs: str,
    things: tuple[str, str],
    steps: tuple[str, str],
) -> Kind:
    """A kind from its tables: ``rates`` are (base, chosen), the last two (train, test) lists."""
    return Kind(
        name=name,
        axis=axis,
        base=rates[0],
        chosen=rates[1],
        verbs=phrases(verbs),
        things=Split(phrases(things[0]), phrases(things[1])),
        steps=Split(phrases(steps[0]), phrases(steps[1])),
    )


def topics(group: tuple[Kind, ...], split: str) -> list[Topic]:
    """Every topic of the kinds in ``group`` for a split: each verb with each thing."""
    return [
        Topic(one, verb.format(thing), thing)
        for one in group
        for thing in one.things.of(split)
        for verb in one.verbs
    ]
