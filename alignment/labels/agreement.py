"""What people agree on, and how far they do."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from alignment.errors import LabelsError
from alignment.records.labels import Label, LabelVerdict
from alignment.records.values import Interval

_LEAST_DEFINED = 0.95
"""Share of resamples that need an alpha, for their quantiles to be an interval."""


@dataclass(frozen=True, slots=True)
class Consensus:
    """What people say of items: by id, what most of those who are sure say.

    `contradictory` counts the items on which as many say one thing as the other, `unsure` those of
    which nobody is sure: neither has a verdict.
    """

    verdicts: Mapping[str, Literal["pass", "fail"]]
    contradictory: int
    unsure: int


def consensus(labels: Iterable[Label]) -> Consensus:
    """The verdict of each labelled item, by strict majority of its pass and fail labels.

    An annotator counts once for an item: equal labels are one, and whoever said two different
    things is taken for unsure.
    """
    verdicts: dict[str, Literal["pass", "fail"]] = {}
    contradictory = unsure = 0
    for item, (passed, failed) in _counts(labels).items():
        if passed != failed:
            verdicts[item] = "pass" if passed > failed else "fail"
        elif passed:
            contradictory += 1
        else:
            unsure += 1
    return Consensus(verdicts, contradictory, unsure)


def alpha(labels: Iterable[Label]) -> float | None:
    """Krippendorff's alpha for nominal data, with missing labels: at most 1; 0 is chance.

    Unsure counts as missing, and an annotator counts once for an item, as in `consensus`. Only
    items with two labels or more are in it. None where there is no such item, or where all their
    labels are the same: what chance would give is then not known. Give it the labels of one axis.
    Raises LabelsError where the package `krippendorff` is not installed.
    Source: Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), by the library
    `krippendorff`.
    """
    return _alpha(_pairable(labels))


def alpha_interval(
    labels: Iterable[Label], *, confidence: float = 0.95, seed: int = 0, resamples: int = 1000
) -> Interval | None:
    """The percentile bootstrap interval of `alpha`, over items.

    `confidence` is a share between 0 and 1. Items are drawn with replacement; what is drawn depends
    on `seed` and on the labels alone, whatever their order. None where `alpha` is, or where more
    than one in twenty resamples has no alpha, because nearly all labels are the same.
    """
    counts = _pairable(labels)
    if _alpha(counts) is None:
        return None
    draw = random.Random(seed)
    drawn = (_alpha(draw.choices(counts, k=len(counts))) for _ in range(resamples))
    found = sorted(each for each in drawn if each is not None)
    if len(found) < _LEAST_DEFINED * resamples:
        return None
    tail = (1 - confidence) / 2
    last = len(found) - 1
    return Interval(found[int(tail * last)], found[last - int(tail * last)])


def _counts(labels: Iterable[Label]) -> dict[str, tuple[int, int]]:
    """By item, how many annotators say pass and how many fail."""
    ballots: dict[str, dict[str, LabelVerdict]] = {}
    for each in labels:
        ballot = ballots.setdefault(each.item, {})
        said = ballot.setdefault(each.annotator, each.verdict)
        if said != each.verdict:
            ballot[each.annotator] = "unsure"
    return {
        item: (list(said.values()).count("pass"), list(said.values()).count("fail"))
        for item, said in ballots.items()
    }


def _pairable(labels: Iterable[Label]) -> list[tuple[int, int]]:
    """The counts of the items that two annotators or more are sure of.

    They are sorted, so that the order of labels changes no sum of floats and no draw.
    """
    return sorted(counts for counts in _counts(labels).values() if sum(counts) > 1)


def _alpha(counts: Sequence[tuple[int, int]]) -> float | None:
    if not any(passed for passed, _ in counts) or not any(failed for _, failed in counts):
        return None
    try:
        import krippendorff  # noqa: PLC0415 - it imports numpy
    except ImportError as error:
        raise LabelsError(
            "the agreement of annotators needs the package krippendorff, which is not installed; "
            "install alignment-gate[agreement]"
        ) from error
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))
