"""Verdicts that share a dialogue, or are samples of one prompt, are not independent evidence.

The one place where counts of clustered values become effective counts: rates, mean scores and
paired changes all divide by the design effect that is computed here, and all intervals of shares
are made by `Sharing.interval`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeVar

from alignment.analysis.student import t_quantile
from alignment.records import Interval

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Sharing:
    """What shared dialogues do to the interval of a share.

    `effect` is the design effect that the data show, at least 1; `full` the one if all values of
    a dialogue were the same: the mean size of the dialogue that a value is from. `degrees` of
    freedom belong to `effect`; None where no dialogue is shared, and the effect is known to be 1.
    """

    effect: float = 1.0
    full: float = 1.0
    degrees: int | None = None

    def interval(
        self, interval_of: Callable[[float, float], Interval], confidence: float
    ) -> Interval:
        """The interval of a share or a difference of shares; `confidence` is between 0 and 1.

        `interval_of` gives it for a design effect and a quantile. Two intervals hold where
        dialogues are shared: the one of the effect that the data show, with Student's quantile,
        and the one that takes each dialogue for a single value, with the normal quantile. The
        result is what both have in common.
        """
        normal = NormalDist().inv_cdf(0.5 + confidence / 2)
        if self.degrees is None:
            return interval_of(1.0, normal)
        shown = interval_of(self.effect, t_quantile(confidence, self.degrees))
        single = interval_of(self.full, normal)
        return Interval(max(shown.low, single.low), min(shown.high, single.high))


def by_cluster(values: Iterable[tuple[str, Value]]) -> list[list[Value]]:
    """(cluster, value) pairs as one list of values per cluster, in order of appearance."""
    grouped: dict[str, list[Value]] = defaultdict(list)
    for cluster, value in values:
        grouped[cluster].append(value)
    return list(grouped.values())


def sharing_of(
    values: Sequence[float], clusters: Sequence[str], unseen: Sequence[float] = ()
) -> Sharing:
    """How the dialogues of `values` are shared; `clusters` names the one of each value.

    `unseen` is that of `design_effect`. Raises ValueError without values, or where `values` and
    `clusters` differ in length.
    """
    if values and len(set(clusters)) == len(values) == len(clusters):
        return Sharing()
    return sharing(by_cluster(zip(clusters, values, strict=True)), unseen)


def sharing(clusters: Sequence[Sequence[float]], unseen: Sequence[float] = ()) -> Sharing:
    """`sharing_of` for values that are grouped by dialogue; raises ValueError without values."""
    effect = design_effect(clusters, unseen)
    if all(len(each) <= 1 for each in clusters):
        return Sharing()
    degrees = max(1, int(effective_clusters([len(each) for each in clusters]) - 1))
    return Sharing(effect, _full_effect(clusters), degrees)


def design_effect(clusters: Sequence[Sequence[float]], unseen: Sequence[float] = ()) -> float:
    """The factor by which clusters inflate the variance of the mean of all values; at least 1.

    The variance computed from cluster totals, divided by the one of independent values. A count
    divided by it is an effective count (Rao & Scott 1992, Biometrics 48:577-585). Where the data
    cannot show it (one cluster, or all values equal), the values of a cluster count as one.

    `unseen` has the extreme values: one dialogue of mean size that has nothing else is added for
    each, as few dialogues do not show how often a whole one is lost or gained. The estimate is
    drawn towards the effect of dialogues that count as one value, the more the less there is to
    see. This is a choice of ours, made by simulation (docs/statistics.md), in the way of Agresti &
    Coull (1998), American Statistician 52:119-126, who add two successes and two failures.

    Raises ValueError without values.
    """
    total = sum(map(len, clusters))
    if not total:
        raise ValueError("a design effect needs at least one value")
    mean = sum(map(sum, clusters)) / total
    independent = sum(value * value for each in clusters for value in each) - total * mean**2
    full = _full_effect(clusters)
    if len(clusters) < 2 or independent <= 1e-12 * total:
        return full
    between = sum((sum(each) - len(each) * mean) ** 2 for each in clusters)
    between *= len(clusters) / (len(clusters) - 1)
    extreme = sum((value - mean) ** 2 for value in unseen)
    return max(1.0, (between + extreme * full**2) / (independent + extreme * full))


def effective_clusters(sizes: Sequence[int]) -> float:
    """How many equal clusters are worth as much as those of these `sizes` (each at least 1).

    G* of Carter, Schnepel & Steigerwald (2017), Review of Economics and Statistics 99:698-709, for
    a mean, at their worst case: values of a cluster that are all the same. The number of clusters
    where all have one size; near 1 where one of them dwarfs the others.
    """
    squares = [size * size for size in sizes]
    return sum(squares) ** 2 / sum(square * square for square in squares)


def _full_effect(clusters: Sequence[Sequence[float]]) -> float:
    """The design effect of clusters whose values are all the same: the mean size, by value."""
    return sum(len(each) ** 2 for each in clusters) / sum(map(len, clusters))
