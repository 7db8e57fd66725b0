"""The distribution of scores, in the judge's unit."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, quantiles, stdev

from alignment.records import ScoreSummary


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
