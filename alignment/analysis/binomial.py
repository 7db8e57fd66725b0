"""Binomial probabilities, without scipy: see `alignment.analysis` for the reason.

The tests compare these functions with `scipy.stats`.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, comb, exp, floor, lgamma, log, log1p, sqrt

_NEGLIGIBLE = 1e-18


def likely(count: int, chance: float) -> Iterator[tuple[int, float]]:
    """Yields (outcome, probability) of binomial(count, chance), rising, but for the rarest 1e-15.

    By Bernstein's inequality outcomes further than t from the mean have a probability of at most
    2 exp(-t^2 / (2 v + 2 t / 3)) together, v being the variance.
    """
    mean = count * chance
    reach = 12.4 + sqrt(153 + 74 * mean * (1 - chance))
    for seen in range(max(0, floor(mean - reach)), min(count, ceil(mean + reach)) + 1):
        yield seen, point(seen, count, chance)


def at_least(least: int, count: int, chance: float) -> float:
    """P(X >= least) for X ~ binomial(count, chance), summed from its largest term outwards."""
    if least <= 0:
        return 1.0
    if least > count or chance <= 0:
        return 0.0
    if chance >= 1:
        return 1.0
    if least <= count * chance:
        return 1 - at_least(count - least + 1, count, 1 - chance)
    term, odds, tail = point(least, count, chance), chance / (1 - chance), 0.0
    for seen in range(least, count + 1):
        if term < _NEGLIGIBLE:
            break
        tail += term
        term *= (count - seen) / (seen + 1) * odds
    return tail


def point(seen: int, count: int, chance: float) -> float:
    """P(X = seen) for X ~ binomial(count, chance)."""
    if chance <= 0 or chance >= 1:
        return float(seen == (count if chance >= 1 else 0))
    ways = lgamma(count + 1) - lgamma(seen + 1) - lgamma(count - seen + 1)
    return exp(ways + seen * log(chance) + (count - seen) * log1p(-chance))


# -- fair coins: if nothing changed, each flip is a loss or a gain with equal probability ---------


def fair_tails(heads: int, tails: int) -> tuple[float, float, float]:
    """P(at least `heads` heads), P(at least `tails` tails), P(both), of `heads + tails` fair coins.

    Each term of the sum is computed from the one before it, so that no large integers are added.
    """
    tosses, fewer = heads + tails, min(heads, tails)
    seen = comb(tosses, fewer) / 2**tosses
    up_to = term = seen
    for k in range(fewer, 0, -1):
        term *= k / (tosses - k + 1)
        up_to += term
    rest = 1 - up_to + seen
    more_heads, more_tails = (rest, up_to) if heads <= tails else (up_to, rest)
    return more_heads, more_tails, seen


def fair_coins(tosses: int) -> list[float]:
    """P(0 heads), P(1 head), ... of `tosses` fair coins, computed outwards from the largest."""
    middle = tosses // 2
    chances = [0.0] * (tosses + 1)
    chances[middle] = term = comb(tosses, middle) / 2**tosses
    for heads in range(middle, 0, -1):
        chances[heads - 1] = term = term * heads / (tosses - heads + 1)
    for heads in range(middle + 1, tosses + 1):
        chances[heads] = chances[tosses - heads]
    return chances
