"""Student's t distribution, without scipy: see `alignment.analysis` for the reason."""

from __future__ import annotations

from functools import lru_cache
from math import atan, cos, pi, sin, sqrt, tan

_HALVINGS = 60


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
            (middle, high) if probability_within(middle, degrees) < confidence else (low, middle)
        )
    return tan((low + high) / 2) * sqrt(degrees)


def probability_beyond(t: float, degrees: int) -> float:
    """P(|T| > |t|), the two-sided p-value of a statistic `t`, for `degrees` >= 1 of freedom."""
    return 1 - probability_within(atan(abs(t) / sqrt(degrees)), degrees)


def probability_within(angle: float, degrees: int) -> float:
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
