"""Verdicts that share a dialogue, or are samples of one prompt, are not independent evidence.

The one place where counts of clustered values become effective counts: rates, means of scores and
paired changes all divide by the design effect that is worked out here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeVar

Value = TypeVar("Value")


def by_cluster(values: Iterable[tuple[str, Value]]) -> list[list[Value]]:
    """Values by their cluster, in order of appearance."""
    grouped: dict[str, list[Value]] = defaultdict(list)
    for cluster, value in values:
        grouped[cluster].append(value)
    return list(grouped.values())


def effect_of(values: Sequence[float], clusters: Sequence[str]) -> float:
    """The design effect of values that come from `clusters`; exactly 1 where no two share one.

    Raises ValueError without values, or where their numbers differ.
    """
    if values and len(set(clusters)) == len(values) == len(clusters):
        return 1.0
    return design_effect(by_cluster(zip(clusters, values, strict=True)))


def design_effect(clusters: Sequence[Sequence[float]]) -> float:
    """By how much clusters inflate the variance of the mean of all their values; at least 1.

    The variance from cluster totals over the one as if values were independent: dividing counts by
    it makes them effective counts (Rao & Scott 1992, Biometrics 48:577-585). Where the data cannot
    tell (one cluster, or equal values only) the values of a cluster count as one.

    Raises ValueError without values.
    """
    total = sum(map(len, clusters))
    if not total:
        raise ValueError("a design effect needs at least one value")
    mean = sum(map(sum, clusters)) / total
    plain = sum(value * value for each in clusters for value in each) / total - mean**2
    if plain <= 1e-12 or len(clusters) < 2:
        return sum(len(each) ** 2 for each in clusters) / total
    between = sum((sum(each) - len(each) * mean) ** 2 for each in clusters) / total
    return max(1.0, between * len(clusters) / (len(clusters) - 1) / plain)
