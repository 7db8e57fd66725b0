"""The distribution of scores, in the judge's unit."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, quantiles, stdev

from alignment.analysis.clusters import sharing_of
from alignment.analysis.student import t_quantile
from alignment.records import Interval, ScoreSummary


def summarise(values: Sequence[float]) -> ScoreSummary:
    """Mean, sample standard deviation, median and quartiles of finite `values`.

    The standard deviation divides by n - 1 and is 0.0 for a single value. Quartiles interpolate
    linearly between order statistics (type 7 of Hyndman & Fan 1996; the default of numpy).

    Raises ValueError for no values.
    """
    if not values:
        raise ValueError("no scores to summarise")
    if len(values) == 1:
        only = float(values[0])
        return ScoreSummary(only, 0.0, only, only, only)
    q1, median, q3 = quantiles(values, n=4, method="inclusive")
    return ScoreSummary(fmean(values), stdev(values), median, q1, q3)


def mean_interval(
    values: Sequence[float], confidence: float, clusters: Sequence[str] | None = None
) -> Interval | None:
    """The interval of the mean of finite `values`, in their unit; `confidence` between 0 and 1.

    Student (1908), Biometrika 6:1-25. `clusters` names for each value the dialogue that it comes
    from: where some share one, the variance is inflated by their design effect (Rao & Scott 1992)
    and the degrees of freedom are their effective number - 1, at least 1 (see `clusters.Sharing`).
    None for fewer than two values or dialogues, whose spread is not known.
    """
    groups = len(values) if clusters is None else len(set(clusters))
    if groups < 2:
        return None
    sharing = None if clusters is None else sharing_of(values, clusters)
    effect, degrees = (1.0, None) if sharing is None else (sharing.effect, sharing.degrees)
    mean = fmean(values)
    half = t_quantile(confidence, degrees or groups - 1) * stdev(values)
    half *= sqrt(effect / len(values))
    return Interval(mean - half, mean + half)
