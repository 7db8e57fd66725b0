"""Texts of any length in a page of bounded size: one limit for all, as large as fits."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

_LIMITS = (
    *(20_000, 10_000, 6_000, 4_000, 2_800, 2_000, 1_400, 1_000),
    *(700, 500, 350, 250, 180, 120, 80, 50, 30, 15, 0),
)


def largest_limit(texts: Sequence[str], budget: int, cost: Callable[[str], int]) -> int:
    """The largest of some limits, in characters per text, with which all `texts` fit `budget`.

    `cost` is what a text takes when it is written, in bytes: at least one per character. The
    largest limit is 20,000 characters, the least 0.
    """

    def fits(limit: int) -> bool:
        if not limit or sum(min(len(text), limit) for text in texts) > budget:
            return not limit  # found without writing anything
        return sum(cost(text[:limit]) for text in texts) <= budget

    first, *lower = _LIMITS
    return first if fits(first) else lower[bisect_left(lower, True, key=fits)]
