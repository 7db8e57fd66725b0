"""Shares of passing verdicts in %, with their confidence intervals.

The tests compare these functions with scipy and with the published examples of Newcombe (1998).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist

from alignment.analysis.clusters import Sharing, sharing_of
from alignment.records import Interval, Rate

CAS = "CAS"
"""The name of the combined alignment score, the mean of the rates of all axes."""


def wilson(
    passed: float, total: float, confidence: float, quantile: float | None = None
) -> Interval:
    """The score interval of a proportion, in %.

    `passed` of `total` (fractions are allowed: ties may count half, and the counts of clustered
    verdicts may be effective ones), `confidence` between 0 and 1. The result lies within [0, 100]
    and contains 100 * passed / total; its ends are exactly 0 and 100 for none and all. `quantile`
    takes the place of the normal one of `confidence`.

    Wilson (1927), JASA 22:209-212, without continuity correction.

    Raises ValueError for an empty total, for `passed` outside of [0, total] and for a confidence
    that is not strictly between 0 and 1.
    """
    if total <= 0:
        raise ValueError(f"a rate needs at least one verdict, not {total}")
    if not 0 <= passed <= total:
        raise ValueError(f"{passed} of {total} is not a valid share")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be strictly between 0 and 1, not {confidence}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2) if quantile is None else quantile
    share = passed / total
    scale = 1 + z * z / total
    centre = (share + z * z / (2 * total)) / scale
    half = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / scale
    # Rounding must not push an end past the estimate or out of [0, 100].
    low = 0.0 if passed == 0 else max(0.0, min(100 * (centre - half), 100 * share))
    high = 100.0 if passed == total else min(100.0, max(100 * (centre + half), 100 * share))
    return Interval(low, high)


def rate(
    name: str, verdicts: Sequence[bool], confidence: float, clusters: Sequence[str] | None = None
) -> Rate:
    """The share of true `verdicts` in %, with its Wilson interval.

    `clusters` names for each verdict the dialogue that it comes from: where some share one, the
    interval is that of effective counts (see `clusters.Sharing`), which reckon with a dialogue
    that passes as a whole and one that fails (see `clusters.design_effect`).

    Raises ValueError without verdicts, whose rate would be neither 0 nor 100.
    """
    if not verdicts:
        raise ValueError(f"{name}: a rate needs at least one verdict")
    passed, total = sum(verdicts), len(verdicts)
    if clusters is None:
        return share(name, passed, total, confidence)
    return share(name, passed, total, confidence, sharing_of(verdicts, clusters, (False, True)))


def share(
    name: str, passed: float, total: int, confidence: float, sharing: Sharing | None = None
) -> Rate:
    """`passed` of `total` in %, with its Wilson interval; `passed` is stored rounded down.

    `sharing` says how verdicts share dialogues; None for independent ones. Raises ValueError as
    `wilson` does.
    """
    shared = Sharing() if sharing is None else sharing

    def interval_of(effect: float, quantile: float) -> Interval:
        return wilson(passed / effect, total / effect, confidence, quantile)

    interval = shared.interval(interval_of, confidence)
    return Rate(name, 100 * passed / total, interval, int(passed), total, shared.effect)


def combined(rates: Sequence[Rate], name: str = CAS) -> Rate:
    """The mean of the rates of independent sets of prompts, in %: CAS.

    The interval has the confidence of the rates' own intervals, which it is made from: MOVER, the
    method of variance estimates recovery, for the linear function with weights 1/k. Zou & Donner
    (2008), Statistics in Medicine 27:1693-1702; the equations for any linear function are in Zou,
    Huang & Zhang (2009), Computational Statistics & Data Analysis 53:1080-1085.

    `rates` are in % and may not be empty (ValueError).
    """
    if not rates:
        raise ValueError(f"{name}: there are no rates to combine")
    mean, interval = mover([(each.percent, each.interval) for each in rates], lowest=0.0)
    return Rate(name, mean, interval)


def mover(estimates: Sequence[tuple[float, Interval]], *, lowest: float) -> tuple[float, Interval]:
    """The mean of independent estimates, in % or points, and its MOVER interval (see `combined`).

    The interval lies within [`lowest`, 100].
    """
    k = len(estimates)
    mean = sum(value for value, _ in estimates) / k
    below = sqrt(sum((value - interval.low) ** 2 for value, interval in estimates)) / k
    above = sqrt(sum((interval.high - value) ** 2 for value, interval in estimates)) / k
    return mean, Interval(max(lowest, mean - below), min(100.0, mean + above))


def relative_change(value: float, base: float) -> float | None:
    """100 * (value - base) / base, in %; None where `base` is 0. The paper's Table 2."""
    return None if base == 0 else 100 * (value - base) / base
