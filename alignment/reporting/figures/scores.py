"""Figure 2 of the paper: the distribution of every variant's scores, and the threshold."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from alignment.analysis.scores import summarise
from alignment.reporting.figures import data as read
from alignment.reporting.figures import style
from alignment.reporting.figures.data import UNINFORMATIVE
from alignment.reporting.numbers import Document

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Distribution of scores"

POINTS = 800
"""Most points in the whole figure: each takes 120 bytes of an SVG."""

_ROW, _HEAD, _FOOT = 0.34, 0.25, 0.4
_THICK = 0.5
_FENCE = 1.5  # Tukey's (1977): whiskers end at the last score within so many quartile ranges


def data(document: Document) -> dict[str, Any] | None:
    """Quartiles, whiskers and points by axis and variant; None where nothing was scored.

    If there are too many points, they are thinned evenly by rank; boxes are computed from all.
    """
    variants = read.variants(document)
    cases = read.cases(document)
    axes = read.axes(document)
    boxes = sum((variant, axis) in cases for variant in variants for axis in axes)
    if not boxes:
        return None
    groups = [
        {
            "name": label,
            "unit": read.unit(document, axis),
            "informative": document["axes"][axis]["informative"],
            "comparison": document["profile"]["axes"][axis]["comparison"],
            "threshold": float(document["profile"]["axes"][axis]["threshold"]),
            "rows": [
                {"label": name}
                | _box_values([case["score"] for case in cases[variant, axis]], POINTS // boxes)
                for variant, name in variants.items()
                if (variant, axis) in cases
            ],
        }
        for axis, label in axes.items()
        if any((variant, axis) in cases for variant in variants)
    ]
    return {
        "groups": groups,
        "shared": read.one_unit(document),
        "left_out": read.left_out(document),
    }


def _box_values(scores: Sequence[float], most: int) -> dict[str, Any]:
    ordered = sorted(map(float, scores))
    summary = summarise(ordered)
    reach = _FENCE * (summary.q3 - summary.q1)
    inside = [score for score in ordered if summary.q1 - reach <= score <= summary.q3 + reach]
    return {
        "total": len(ordered),
        "q1": summary.q1,
        "median": summary.median,
        "q3": summary.q3,
        "whiskers": [min(inside[0], summary.q1), max(inside[-1], summary.q3)],
        "points": read.thin(ordered, most),
    }


def draw(shown: Mapping[str, Any]) -> Figure:
    """A panel for each axis with its threshold, a box over its points for each variant."""
    with style.applied():
        return style.stack_panels(shown, (_ROW, _HEAD, _FOOT), _draw_panel)


def _draw_panel(ax: Axes, group: Mapping[str, Any], place: int) -> None:
    rows = group["rows"]
    uninformative = group["informative"] is False
    passing = f"passes: {group['comparison']} {group['threshold']:g}"
    style.heading(ax, group["name"], f"{UNINFORMATIVE}, {passing}" if uninformative else passing)
    if uninformative:
        style.hatch(ax)
    look = style.look(place)
    noise = random.Random(0)
    for height, row in enumerate(rows):
        spots = [height + noise.uniform(-0.28, 0.28) for _ in row["points"]]
        ax.plot(row["points"], spots, **look, linestyle="none", markersize=2.6, alpha=0.7, mew=0)
        _draw_box(ax, row, height)
    ax.axvline(group["threshold"], color=style.INK, linestyle=(0, (4, 2)), linewidth=1.0)


def _draw_box(ax: Axes, row: Mapping[str, Any], height: float) -> None:
    """Box, whiskers and median; `Axes.bxp` would ask for matplotlib's backend and load pyplot."""
    q1, q3, (low, high) = row["q1"], row["q3"], row["whiskers"]
    below, above = height - _THICK / 2, height + _THICK / 2
    line: dict[str, Any] = {"color": style.INK, "linewidth": 1.1}
    ax.plot([q1, q1, q3, q3, q1], [below, above, above, below, below], **line)
    for quartile, end in ((q1, low), (q3, high)):
        ax.plot([quartile, end], [height, height], **line, marker="|", markevery=[1], markersize=7)
    ax.plot([row["median"]] * 2, [below, above], color=style.INK, linewidth=2.4)


def caption(shown: Mapping[str, Any]) -> str:
    """What the figure shows, in a sentence or two."""
    total = sum(row["total"] for group in shown["groups"] for row in group["rows"])
    drawn = sum(len(row["points"]) for group in shown["groups"] for row in group["rows"])
    return read.join_sentences(
        "Box plots of the scores, in the judge's unit: median, quartiles, and whiskers to the last "
        "score within 1.5 times the interquartile range; the dashed line is the threshold.",
        f"{drawn:,} of {total:,} points are drawn, sampled evenly by rank; the boxes use all."
        if drawn < total
        else "Each point is a response.",
        read.hatching_note(shown["groups"]),
        shown["left_out"],
    )


def values(shown: Mapping[str, Any]) -> str:
    """The values that are shown, in words."""
    return "; ".join(
        f"{group['name']}, threshold {group['threshold']:g}: "
        + ", ".join(
            f"{row['label']} median {row['median']:.2f} [{row['q1']:.2f}, {row['q3']:.2f}]"
            for row in group["rows"]
        )
        for group in shown["groups"]
    )
