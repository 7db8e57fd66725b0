"""About how many prompts decide a comparison: closed forms for large samples.

The tests compare them with the exact search of `power.prompts_to_decide`, which takes too long for
a run that finds everything in the store.
"""

from __future__ import annotations

from math import inf, sqrt
from statistics import NormalDist


def to_pass(
    flips: float, change: float, *, margin: float, confidence: float, power: float
) -> float:
    """The prompts with which a comparison gets `pass` with that `power`.

    The true `change` and the `margin` are shares (0.1 for 10 points), and so are `flips` (all
    verdicts that differ), `confidence` (of the interval, two-sided) and `power`. Nam (1997),
    Biometrics 53:1422-1430, the sample size of the score test that Tango's interval inverts.
    Infinite where the change is not above -margin.
    """
    distance = change + margin
    if distance <= 0:
        return inf
    lost, gained = (flips - change) / 2, (flips + change) / 2
    # The largest likelihood under a change of -margin, as in `paired.tango`.
    b = lost + gained + (2 - gained + lost) * margin
    c = lost * margin * (1 + margin)
    at_margin = (sqrt(max(0.0, b * b - 8 * c)) + b) / 2 - margin * (1 + margin)
    return _prompts(_z(0.5 + confidence / 2), at_margin, flips, change, power, distance)


def to_fail(flips: float, change: float, *, margin: float, level: float, power: float) -> float:
    """The prompts with which a comparison gets `fail` with that `power`.

    The arguments are those of `to_pass`; `level` is that of the one-sided test. Both conditions
    have to hold: McNemar's test is significant (Connor 1987, Biometrics 43:207-211), and the
    observed change is at most -margin. Infinite where the change is not below -margin.
    """
    distance = -change - margin
    if distance <= 0:
        return inf
    significant = _prompts(_z(1 - level), flips, flips, change, power, -change)
    return max(significant, _prompts(0.0, flips, flips, change, power, distance))


def _prompts(
    z: float, variance: float, flips: float, change: float, power: float, distance: float
) -> float:
    """Where the estimate is `distance` from the limit of a test at quantile `z`, with `power`.

    `variance` is that of one prompt's flip as the test takes it.
    """
    true = max(0.0, flips - change**2)
    return ((z * sqrt(max(0.0, variance)) + _z(power) * sqrt(true)) / distance) ** 2


def _z(share: float) -> float:
    return NormalDist().inv_cdf(share)
