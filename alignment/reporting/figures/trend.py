"""Every rate over the runs of a profile, interrupted where runs cannot be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from alignment.reporting import numbers
from alignment.reporting.figures import data as read
from alignment.reporting.figures import style
from alignment.reporting.numbers import Document

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Trend"

_HEIGHT, _HEAD, _FOOT = 1.2, 0.25, 0.25
_LABEL = 0.14
_GAP = 11.0
"""The distance between labels, in points of a rate."""
_DAYS = 4
"""The number of dates written below the runs."""
_FEW = 100
"""Up to so many points in a panel each has its marker and interval."""
_SPREAD = 0.6
"""The share of the distance between two runs over which the variants of a run are spread."""


def data(document: Document) -> dict[str, Any] | None:
    """The rates of this run's variants in earlier runs; None with fewer than two runs.

    Runs are evenly spaced, oldest first, whatever the time between them.
    """
    history = document["run"].get("history") or []
    if len(history) < 2:
        return None
    variants = read.variants(document)
    names = read.labels(read.rates(document))
    doubtful = numbers.uninformative_rates(document)
    panels = [
        {
            "name": label,
            "informative": rate not in doubtful,
            "variants": [
                {"label": variants[name], "points": points}
                for name in variants
                if any(points := [_point(run, name, rate) for run in history])
            ],
        }
        for rate, label in names.items()
    ]
    panels = [panel for panel in panels if panel["variants"]]
    if not panels:
        return None
    return {
        "days": [str(run["started"])[:10] for run in history],
        # Runs before which the prompts, the criteria or the judge changed.
        "breaks": [
            place
            for place in range(1, len(history))
            if history[place]["basis"] != history[place - 1]["basis"]
        ],
        "panels": panels,
        "level": numbers.level(document),
        "left_out": read.left_out(document),
    }


def _point(run: Mapping[str, Any], variant: str, rate: str) -> list[float] | None:
    """[low, percent, high], or None where the run does not have this rate."""
    entry = run["variants"].get(variant, {}).get("rates", {}).get(rate)
    return entry and [entry["interval"][0], entry["percent"], entry["interval"][1]]


def draw(shown: Mapping[str, Any]) -> Figure:
    """A panel for each rate, a line for each variant, interrupted where runs cannot be compared."""
    panels = shown["panels"]
    heights = [max(_HEIGHT, _LABEL * len(panel["variants"])) for panel in panels]
    around = _HEAD * len(panels) + _FOOT
    last = len(shown["days"]) - 1
    with style.applied():
        figure, places = style.panels(heights, around=around, sharex=True)
        for ax, panel in zip(places, panels, strict=True):
            _draw_panel(ax, panel, shown["breaks"], last)
        ticks = read.thin(range(last + 1), _DAYS)
        places[-1].set_xticks(ticks, [shown["days"][tick] for tick in ticks], fontsize=7)
    return figure


def _has_few_points(panel: Mapping[str, Any]) -> bool:
    return sum(len(variant["points"]) for variant in panel["variants"]) <= _FEW


def _draw_panel(ax: Axes, panel: Mapping[str, Any], breaks: Sequence[int], last: int) -> None:
    if panel["informative"]:
        style.heading(ax, panel["name"])
    else:
        style.heading(ax, panel["name"], read.UNINFORMATIVE)
        style.hatch(ax)
    variants = panel["variants"]
    all_marked = _has_few_points(panel)
    for place, variant in enumerate(variants):
        shift = _SPREAD * ((place + 0.5) / len(variants) - 0.5)
        points = [
            None if entry is None else (run + shift, *entry)
            for run, entry in enumerate(variant["points"])
        ]
        _draw_line(ax, points, breaks, style.look(place), all_marked=all_marked)
    for place in breaks:
        ax.axvline(place - 0.5, color=style.INK, linestyle=(0, (1, 2)), linewidth=1.0)
    _draw_labels(ax, variants)
    ax.set_xlim(-0.5, last + 0.5)
    ax.set_ylim(-3, 103)
    ax.set_yticks([0, 50, 100])
    ax.set_ylabel("%")
    ax.grid(axis="y")


def _draw_line(
    ax: Axes,
    points: Sequence[tuple[float, ...] | None],
    breaks: Sequence[int],
    look: Mapping[str, Any],
    *,
    all_marked: bool,
) -> None:
    """The runs of one variant: a line between those that can be compared.

    All points have a marker and an interval if `all_marked`, otherwise only the last.
    """
    marked = [point for point in points if point][0 if all_marked else -1 :]
    style.segments(
        ax,
        [[(x, low), (x, high)] for x, low, _, high in marked],
        edgecolor=look["color"],
        linewidth=0.9,
        alpha=0.6,
    )
    edges = [0, *breaks, len(points)]
    for start, end in pairwise(edges):
        part = [point for point in points[start:end] if point]
        if part:
            xs, ys = [point[0] for point in part], [point[2] for point in part]
            ax.plot(xs, ys, color=look["color"], linewidth=1.0)
    xs, ys = [point[0] for point in marked], [point[2] for point in marked]
    ax.plot(xs, ys, **look, linestyle="none", markersize=3.5)


def _draw_labels(ax: Axes, variants: Sequence[Mapping[str, Any]]) -> None:
    """Write the variant's label beside the last point of each line, without overlaps."""
    ends = sorted(
        (next(point[1] for point in reversed(variant["points"]) if point), place)
        for place, variant in enumerate(variants)
    )
    gap = min(_GAP, 100 / max(1, len(ends) - 1))
    for height, (_, place) in zip(_spread_out([end for end, _ in ends], gap), ends, strict=True):
        at: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "clip_on": False}
        ax.plot([1.03], [height], **style.look(place), **at, linestyle="none", markersize=3.5)
        ax.annotate(
            variants[place]["label"],
            (1.03, height),
            xycoords=ax.get_yaxis_transform(),
            xytext=(5, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=style.SMALL,
        )


def _spread_out(heights: Sequence[float], gap: float) -> list[float]:
    """The heights from 0 to 100 nearest to the sorted `heights`, at least `gap` apart.

    By pooling adjacent violators: heights that are too near are spread evenly about their mean.
    """
    pools: list[tuple[float, int]] = []
    for place, height in enumerate(heights):
        total, size = height - place * gap, 1
        while pools and pools[-1][0] / pools[-1][1] >= total / size:
            before, many = pools.pop()
            total, size = total + before, size + many
        pools.append((total, size))
    level = [total / size for total, size in pools for _ in range(size)]
    highest = 100 - gap * (len(heights) - 1)
    return [max(0.0, min(highest, each)) + place * gap for place, each in enumerate(level)]


def caption(shown: Mapping[str, Any]) -> str:
    """What the figure shows, in a sentence or two."""
    return read.join_sentences(
        f"Rates in % with {shown['level']} intervals over {len(shown['days'])} runs of this "
        "profile, oldest first; the last is this run.",
        ""
        if all(map(_has_few_points, shown["panels"]))
        else "If a panel has many lines, only the last run has markers and intervals.",
        "Dotted: prompts, criteria or judge changed here, so runs before and after cannot be "
        "compared."
        if shown["breaks"]
        else "",
        read.hatching_note(shown["panels"]),
        shown["left_out"],
    )


def values(shown: Mapping[str, Any]) -> str:
    """The values that are shown, in words: the first and the last of each line."""
    return "; ".join(
        f"{panel['name']} of {variant['label']}: {_ends(variant['points'])}"
        for panel in shown["panels"]
        for variant in panel["variants"]
    )


def _ends(points: Sequence[Sequence[float] | None]) -> str:
    percents = [point[1] for point in points if point]
    return f"{percents[0]:.1f} to {percents[-1]:.1f}" if len(percents) > 1 else f"{percents[0]:.1f}"
