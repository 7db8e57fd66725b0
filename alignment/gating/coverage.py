"""How many responses may lack a score before two runs can no longer be compared."""

from __future__ import annotations

from collections.abc import Mapping

MOST_UNSCORED = 0.05
"""The share of a variant's responses on an axis that may have no score. A judge does not fail on
random responses: leaving out more of them could change a decision."""


def lacking(axis: str, sides: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    """A sentence for each side of a comparison that lacks too many scores on an axis.

    `sides` maps the name of a side to (responses with a score, all responses).
    """
    return tuple(
        f"{total - scored} of {total} responses of {name} on {axis} have no score, "
        f"and at most {MOST_UNSCORED:.0%} may have none".replace("%", " %")
        for name, (scored, total) in sides.items()
        if total - scored > MOST_UNSCORED * total
    )
