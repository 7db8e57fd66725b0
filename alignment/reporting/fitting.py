"""Fits texts of any length into a bounded size: one limit for all, as large as possible."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

_LIMITS = (
    *(20_000, 10_000, 6_000, 4_000, 2_800, 2_000, 1_400, 1_000),
    *(700, 500, 350, 250, 180, 120, 80, 50, 30, 15, 0),
)


def largest_limit(texts: Sequence[str], budget: int, cost: Callable[[str], int]) -> int:
    """The largest limit (of `_LIMITS`), in characters per text, with which all `texts` fit.

    `budget` is in bytes, and so is `cost`, the size of a written text: at least one per character.
    The result is at most 20,000, and 0 where nothing fits.
    """

    def fits(limit: int) -> bool:
        if not limit or sum(min(len(text), limit) for text in texts) > budget:
            return not limit  # decided without computing any cost
        return sum(cost(text[:limit]) for text in texts) <= budget

    first, *lower = _LIMITS
    return first if fits(first) else lower[bisect_left(lower, True, key=fits)]
