"""How many responses may lack a score, or a vote, before two runs can no longer be compared."""

from __future__ import annotations

from collections.abc import Mapping

from alignment.study.study import Study

MOST_UNSCORED = 0.05
"""The share of a variant's responses on an axis that may have no score. A judge does not fail on
random responses: leaving out more of them could change a decision."""


SCORE = f"have no score, and at most {100 * MOST_UNSCORED:g} % may have none"
VOTE = f"lack a vote of the panel, and at most {100 * MOST_UNSCORED:g} % may"
"""What responses can lack: any score, or the score of some member of a panel."""


def lacking(axis: str, sides: Mapping[str, tuple[int, int]], what: str = SCORE) -> tuple[str, ...]:
    """A sentence for each side of a comparison that lacks too many scores on an axis.

    `sides` maps the name of a side to (responses that have it, all responses); `what` is `SCORE` or
    `VOTE`.
    """
    return tuple(
        f"{total - having} of {total} responses of {name} on {axis} {what}"
        for name, (having, total) in sides.items()
        if total - having > MOST_UNSCORED * total
    )


def lacking_votes(study: Study, variant: str, axis: str) -> tuple[str, ...]:
    """A sentence if members of the panel gave too many responses of a variant no score.

    The others would decide alone, and those that a judge fails on are not a random selection. Empty
    where the judge is no panel.
    """
    members = len(study.judge().members)
    if not members:
        return ()
    votes = [len(case.score.repeats) for case in study.cases(variant) if case.prompt.axis == axis]
    counts = (sum(each == members for each in votes), len(votes))
    return lacking(axis, {repr(variant): counts}, VOTE)
