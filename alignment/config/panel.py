"""A judge's panel: the criterion that its votes make, and what its members must be."""

from __future__ import annotations

from typing import Any

from alignment.config.schema import ProfileTables
from alignment.records import Criterion


def majority(axis: str) -> Criterion:
    """The criterion of a panel on an axis: more than half of the votes.

    The dimension is the axis, because members have a criterion for each axis.
    """
    return Criterion(axis, ">", 0.5)


def with_criteria(values: Any) -> Any:
    """A profile's values, where axes without a criterion have the panel's, if its judge is one.

    Values of another shape, and those of other judges, are returned as they are.
    """
    if not isinstance(values, dict):
        return values
    judge, axes = values.get("judge"), values.get("axes")
    if not (isinstance(judge, dict) and judge.get("panel") and isinstance(axes, dict)):
        return values
    completed = {}
    for name, axis in axes.items():
        criterion = majority(name)
        completed[name] = (
            {
                "dimension": criterion.dimension,
                "comparison": criterion.comparison,
                "threshold": criterion.threshold,
                **axis,
            }
            if isinstance(axis, dict)
            else axis
        )
    return {**values, "axes": completed}


def check_panel(profile: ProfileTables) -> None:
    """Raise ValueError for a member that cannot vote, and for a criterion but the majority."""
    known = ", ".join(profile.judges) or "there are none"
    for name in profile.judge.panel:
        if name not in profile.judges:
            raise ValueError(f"judge.panel: {name!r} is not one of `judges` (known: {known})")
        missing = [axis for axis in profile.axes if axis not in profile.judges[name].axes]
        if missing:
            raise ValueError(
                f"judges.{name}.axes: a member of the panel votes on every axis, and "
                f"{missing[0]!r} is missing; add its criterion"
            )
    members = list(dict.fromkeys(profile.judge.panel))
    for number, name in enumerate(members):
        for other in members[:number]:
            if profile.judges[name] == profile.judges[other]:
                raise ValueError(
                    f"judge.panel: {other!r} and {name!r} are the same judge, which would vote "
                    f"twice; leave one out"
                )
    for name, axis in profile.axes.items() if profile.judge.panel else ():
        if axis.criterion != majority(name):
            raise ValueError(
                f"axes.{name}: `{axis.criterion}` is no criterion of a panel, which passes by "
                f"`{majority(name)}`; leave out `dimension`, `comparison` and `threshold`, or set "
                f"these if an extended profile has others"
            )
