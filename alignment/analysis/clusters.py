"""Verdicts that share a dialogue, or are samples of one prompt, are not independent evidence.

The one place where counts of clustered values become effective counts: rates, mean scores and
paired changes all divide by the design effect that is computed here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeVar

Value = TypeVar("Value")


def by_cluster(values: Iterable[tuple[str, Value]]) -> list[list[Value]]:
    """(cluster, value) pairs as one list of values per cluster, in order of appearance."""
    grouped: dict[str, list[Value]] = defaultdict(list)
    for cluster, value in values:
        grouped[cluster].append(value)
    return list(grouped.values())


def effect_of(values: Sequence[float], clusters: Sequence[str]) -> float:
    """The design effect of `values`, each from its cluster; exactly 1 if no two share a cluster.

    Raises ValueError without values, or where `values` and `clusters` differ in length.
    """
    if values and len(set(clusters)) == len(values) == len(clusters):
        return 1.0
    return design_effect(by_cluster(zip(clusters, values, strict=True)))


def design_effect(clusters: Sequence[Sequence[float]]) -> float:
    """The factor by which clusters inflate the variance of the mean of all values; at least 1.

    The variance computed from cluster totals, divided by the one of independent values. A count
    divided by it is an effective count (Rao & Scott 1992, Biometrics 48:577-585). Where the data
    cannot show it (one cluster, or all values equal), the values of a cluster count as one.

    Raises ValueError without values.
    """
    total = sum(map(len, clusters))
    if not total:
        raise ValueError("a design effect needs at least one value")
    mean = sum(map(sum, clusters)) / total
    independent = sum(value * value for each in clusters for value in each) / total - mean**2
    if independent <= 1e-12 or len(clusters) < 2:
        return sum(len(each) ** 2 for each in clusters) / total
    between = sum((sum(each) - len(each) * mean) ** 2 for each in clusters) / total
    return max(1.0, between * len(clusters) / (len(clusters) - 1) / independent)
