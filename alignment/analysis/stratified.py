"""Stratified, prediction-powered estimates of shares from labels of some prompts.

People labelled some of the prompts. The prompts are grouped into strata by what is known of all of
them (the judge's verdicts before and after), and the labels of a stratum stand for all of its
prompts. The estimate is unbiased whatever the judge is worth, as long as the labelled prompts of
each stratum were drawn at random; a good judge makes the strata homogeneous and the interval
narrow. This is prediction-powered inference with the judge's verdicts as predictions (Angelopoulos,
Duchi & Zrnic 2023, PPI++, arXiv 2311.01453), stratified as in Fisch et al. (2024, arXiv
2406.04291): within a stratum the prediction is constant, so that PPI++'s weight has no influence.

An estimate has two effective numbers of prompts: its variance is that of so many prompts of which
all were labelled. One is for *these prompts* (only some of them are labelled), one for *prompts
like these* (the prompts are a sample, too). Score intervals with effective counts (`paired.tango`,
`rates.wilson`) hold their confidence where labels hardly vary; normal intervals do not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

LEAST = 5
"""A stratum with fewer labels joins another one, unless all of it is labelled."""

_FEW = 5
"""Fewer labels that differ do not show in which strata labels differ more often."""

Stratum = tuple[object, ...]
"""What is known of a prompt, the most important first."""


class Unit(NamedTuple):
    """One prompt: its stratum, and what people say of it (None where it has no label).

    `label` is -1, 0 or 1 for a change (lost, unchanged, gained), 0 or 1 for a rate.
    """

    stratum: Stratum
    label: int | None


@dataclass(frozen=True, slots=True)
class Shares:
    """Estimated shares (0 to 1) of lost and gained verdicts among all prompts.

    For a rate `lost` is 0 and `gained` is the share that passes. `labelled` of `total` prompts have
    a label. `here` is the effective number of prompts for statements about these prompts (infinite
    where all are labelled), `beyond` the one for prompts like these; the variances of `lost`,
    `gained` and their difference are those of independent prompts of that number.
    """

    lost: float
    gained: float
    labelled: int
    total: int
    here: float
    beyond: float


class Counts(NamedTuple):
    """The prompts of one stratum: all, those with a label, and the labels that are -1 and 1.

    Labels that are only expected may be fractions.
    """

    total: int
    labelled: int
    lost: float
    gained: float


def estimate(units: Sequence[Unit]) -> Shares | None:
    """The shares among all `units`, estimated from those with a label.

    The labelled units must be a random part of each stratum, or all of it. None where fewer than
    `LEAST` units (or not all of a smaller number) have a label.
    """
    strata = collapse(units)
    total, labelled = len(units), sum(each.labelled for each in strata)
    if not total or labelled < min(LEAST, total):
        return None
    lost = sum(each.total * each.lost / each.labelled for each in strata) / total
    gained = sum(each.total * each.gained / each.labelled for each in strata) / total
    here = effective(strata, lost, gained) if labelled < total else float("inf")
    return Shares(lost, gained, labelled, total, here, 1 / (1 / here + 1 / total))


def effective(strata: Sequence[Counts], lost: float, gained: float) -> float:
    """The effective number of prompts of a stratified estimate, for statements about these prompts.

    `lost` and `gained` are the estimated shares (0 to 1). Infinite where all prompts are labelled.

    The variance of one fully labelled prompt, divided by that of the estimate (Cochran 1977,
    Sampling Techniques, eq. 5.13). The variance within a stratum comes from its labels and one
    further label with the shares of all strata, so that a stratum in which no label differs is not
    taken for certain. Labels that differ hardly at all say nothing of where more of them would be:
    then the number is at most the one for equal variances in all strata (Kish 1965, Survey
    Sampling, eq. 11.2.4).
    """
    smooth = [_smoothed(each, lost, gained) for each in strata]
    total = sum(each.total for each in strata)
    shares = [
        sum(each.total * share[side] for each, share in zip(strata, smooth, strict=True)) / total
        for side in (0, 1)
    ]
    spread = _variance(*shares)
    equal = 1 / _mean_variance(strata, [1.0] * len(strata))
    if not spread:
        return equal
    number = spread / _mean_variance(strata, [_variance(*share) for share in smooth])
    differing = sum(each.lost + each.gained for each in strata)
    return min(number, equal) if differing < _FEW else number


def _mean_variance(strata: Sequence[Counts], variances: Sequence[float]) -> float:
    """The variance of the stratified mean, from the variance of one label in each stratum."""
    total = sum(each.total for each in strata)
    return sum(
        (each.total / total) ** 2
        * variance
        * (1 / max(1, each.labelled - 1) - 1 / max(1, each.total - 1))
        for each, variance in zip(strata, variances, strict=True)
        if each.labelled < each.total
    )


def _variance(lost: float, gained: float) -> float:
    """The variance of -1, 0, 1 with these shares of -1 and 1."""
    return lost + gained - (gained - lost) ** 2


def _smoothed(each: Counts, lost: float, gained: float) -> tuple[float, float]:
    """The shares of a stratum, with one further label that has the shares of all strata."""
    if each.labelled == each.total:
        return each.lost / each.total, each.gained / each.total
    return (each.lost + lost) / (each.labelled + 1), (each.gained + gained) / (each.labelled + 1)


# -- strata ----------------------------------------------------------------------------------------


def collapse(units: Sequence[Unit]) -> list[Counts]:
    """The strata; those with too few labels join the most similar other one.

    That is the one whose key has most first parts in common; of these, the smallest.
    """
    groups: dict[Stratum, list[int | None]] = defaultdict(list)
    for unit in units:
        groups[unit.stratum].append(unit.label)
    while len(groups) > 1:
        small = [key for key, labels in groups.items() if not _enough(labels)]
        if not small:
            break
        key = min(small, key=lambda each: (len(groups[each]), repr(each)))
        labels = groups.pop(key)
        groups[_most_similar(key, groups)] += labels
    return [_count(labels) for labels in groups.values()]


def _most_similar(key: Stratum, groups: Mapping[Stratum, Sequence[int | None]]) -> Stratum:
    def rank(other: Stratum) -> tuple[int, int, str]:
        equal = (one == two for one, two in zip(key, other, strict=False))
        return -len(list(takewhile(bool, equal))), len(groups[other]), repr(other)

    return min(groups, key=rank)


def _enough(labels: Sequence[int | None]) -> bool:
    labelled = sum(label is not None for label in labels)
    return labelled >= LEAST or labelled == len(labels)


def _count(labels: Sequence[int | None]) -> Counts:
    known = [label for label in labels if label is not None]
    return Counts(len(labels), len(known), known.count(-1), known.count(1))
