"""The distribution of scores, in the judge's unit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import cos, pi, sin, sqrt, tan
from statistics import fmean, quantiles, stdev

from alignment.analysis.clusters import effect_of
from alignment.records import Interval, ScoreSummary

_HALVINGS = 60


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
    and the degrees of freedom are the number of dialogues - 1. None for fewer than two values or
    dialogues, whose spread is not known.
    """
    groups = len(values) if clusters is None else len(set(clusters))
    if groups < 2:
        return None
    effect = 1.0 if clusters is None else effect_of(values, clusters)
    mean = fmean(values)
    half = t_quantile(confidence, groups - 1) * stdev(values) * sqrt(effect / len(values))
    return Interval(mean - half, mean + half)


@lru_cache(maxsize=1024)
def t_quantile(confidence: float, degrees: int) -> float:
    """The t with P(|T| <= t) = `confidence` (between 0 and 1) for `degrees` >= 1 of freedom.

    By bisection over the angle atan(t / sqrt(degrees)), in which Student's distribution is a finite
    sum. The tests compare it with scipy.
    """
    low, high = 0.0, pi / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if _probability_within(middle, degrees) < confidence else (low, middle)
        )
    return tan((low + high) / 2) * sqrt(degrees)


def _probability_within(angle: float, degrees: int) -> float:
    """P(|T| <= sqrt(degrees) * tan(angle)) for Student's T, angle in radians.

    Abramowitz & Stegun (1964), Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
    """
    odd, square = degrees % 2, cos(angle) ** 2
    term = cos(angle) if odd else 1.0
    total = term if degrees > 1 else 0.0
    for k in range(2 + odd, degrees - 1, 2):
        term *= square * (k - 1) / k
        total += term
    return 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total
