"""Estimates with their intervals, one row for each variant, as in Figures 1 and 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from alignment.reporting.figures import style
from alignment.reporting.figures.data import UNINFORMATIVE
from alignment.reporting.numbers import NOTHING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW, _HEAD, _FOOT = 0.23, 0.25, 0.4


def draw(shown: Mapping[str, Any], *, digits: int, span: tuple[float, float] | None) -> Figure:
    """One panel for each of `shown["groups"]`, with the value of every row at its right.

    A group has `name`, `unit`, `informative` and `rows`; a row has `label`, `value` and `interval`,
    where `value` and `interval` may be None. `span` is the range of the scale (None: of the data).
    """

    def panel(ax: Axes, group: Mapping[str, Any], place: int) -> None:
        _draw_panel(ax, group, place, digits)
        if span is not None:
            ax.set_xlim(*span)

    with style.applied():
        return style.stack_panels(shown, (_ROW, _HEAD, _FOOT), panel)


def _draw_panel(ax: Axes, group: Mapping[str, Any], place: int, digits: int) -> None:
    uninformative = group["informative"] is False
    style.heading(ax, group["name"], UNINFORMATIVE if uninformative else "")
    if uninformative:
        style.hatch(ax)
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


def describe(shown: Mapping[str, Any], digits: int) -> str:
    """The values in words, for readers who cannot see the figure."""
    return "; ".join(
        f"{group['name']}: "
        + ", ".join(_describe_row(row, digits) for row in group["rows"] if row["value"] is not None)
        for group in shown["groups"]
    )


def _describe_row(row: Mapping[str, Any], digits: int) -> str:
    value = f"{row['label']} {row['value']:.{digits}f}"
    if row["interval"] is None:
        return value
    low, high = row["interval"]
    return f"{value} [{low:.{digits}f}, {high:.{digits}f}]"
