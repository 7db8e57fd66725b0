"""How many responses may lack a score before two runs can no longer be compared."""

from __future__ import annotations

from collections.abc import Mapping

MOST_UNSCORED = 0.05
"""The share of a variant's responses on an axis. Which ones a judge fails on is no accident: left
out in numbers, they would carry a decision by their absence."""


def lacking(axis: str, sides: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    """A sentence for each side of a comparison that lacks too many scores on an axis.

    `sides` maps a side's name to its number of responses with a score, and of all.
    """
    return tuple(
        f"{total - scored} of {total} responses of {name} on {axis} have no score, "
        f"and at most {MOST_UNSCORED:.0%} may have none".replace("%", " %")
        for name, (scored, total) in sides.items()
        if total - scored > MOST_UNSCORED * total
    )
