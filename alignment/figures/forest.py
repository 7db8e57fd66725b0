"""Estimates with their intervals, one row for each variant: what Figures 1 and 3 share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from alignment.figures import style
from alignment.figures.read import UNINFORMATIVE
from alignment.reporting.numbers import NOTHING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW, _HEAD, _FOOT = 0.23, 0.25, 0.4


def draw(shown: Mapping[str, Any], *, digits: int, span: tuple[float, float] | None) -> Figure:
    """One panel for each of `shown["groups"]`, with the value of every row at its right.

    A group has `name`, `unit`, `informative` and `rows`; a row has `label`, `value` and `interval`,
    either of which may be None. `span` is the scale's; without it the data say.
    """
    groups = shown["groups"]
    heights = [_ROW * len(group["rows"]) for group in groups]
    around = _HEAD * len(groups) + _FOOT * (1 if shown["shared"] else len(groups))
    with style.applied():
        figure, panels = style.panels(heights, around=around, sharex=shown["shared"])
        for place, (ax, group) in enumerate(zip(panels, groups, strict=True)):
            _panel(ax, group, place, digits)
            if span is not None:
                ax.set_xlim(*span)
            if place == len(groups) - 1 or not shown["shared"]:
                ax.set_xlabel(group["unit"])
            else:
                ax.tick_params(labelbottom=False)
    return figure


def _panel(ax: Axes, group: Mapping[str, Any], place: int, digits: int) -> None:
    uninformative = group["informative"] is False
    style.heading(ax, group["name"], UNINFORMATIVE if uninformative else "")
    if uninformative:
        style.doubtful(ax)
    rows = group["rows"]
    look = style.look(place)
    for height, row in enumerate(rows):
        value, interval = row["value"], row["interval"]
        if value is not None and interval is not None:
            ax.plot(interval, [height, height], color=look["color"], solid_capstyle="round")
        if value is not None:
            filled = "none" if uninformative else "full"
            ax.plot([value], [height], **look, linestyle="none", fillstyle=filled)
        ax.annotate(
            NOTHING if value is None else f"{value:.{digits}f}",
            (1, height),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=style.SMALL,
        )
    ax.set_yticks(range(len(rows)), [row["label"] for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    ax.spines["left"].set_visible(False)


def told(shown: Mapping[str, Any], digits: int) -> str:
    """The values in words, for who cannot see them."""
    return "; ".join(
        f"{group['name']}: "
        + ", ".join(_row(row, digits) for row in group["rows"] if row["value"] is not None)
        for group in shown["groups"]
    )


def _row(row: Mapping[str, Any], digits: int) -> str:
    value = f"{row['label']} {row['value']:.{digits}f}"
    if row["interval"] is None:
        return value
    low, high = row["interval"]
    return f"{value} [{low:.{digits}f}, {high:.{digits}f}]"
