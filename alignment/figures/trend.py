"""Every rate over the runs of a profile, as far as they can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from alignment.figures import read, style
from alignment.reporting import numbers
from alignment.reporting.numbers import Document

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Trend"

_HEIGHT, _FOOT = 1.45, 0.3
_DAYS = 5
"""Days that are written below the runs."""
_APART = 0.6
"""How much of the way to the next run the variants of one run take."""


def data(document: Document) -> dict[str, Any] | None:
    """The rates of this run's variants in earlier runs; None with fewer than two runs.

    Runs stand in a row, oldest first, each as far from the next whatever the time between them.
    """
    history = document["run"].get("history") or []
    if len(history) < 2:
        return None
    variants = read.variants(document)
    names = read.labels(numbers.rate_names(document)[: read.MOST + 1])
    panels = [
        {
            "name": label,
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
        # Between these runs and those before them prompts, criteria or the judge changed.
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
    """[low, percent, high], or None where that run did not have it."""
    found = run["variants"].get(variant, {}).get("rates", {}).get(rate)
    return found and [found["interval"][0], found["percent"], found["interval"][1]]


def draw(shown: Mapping[str, Any]) -> Figure:
    """A panel for each rate, a line for each variant, interrupted where runs cannot be compared."""
    panels = shown["panels"]
    heights = [_HEIGHT] * len(panels)
    heights[-1] += _FOOT
    last = len(shown["days"]) - 1
    with style.applied():
        figure, places = style.panels(heights, sharex=True)
        for ax, panel in zip(places, panels, strict=True):
            _panel(ax, panel, shown["breaks"], last)
        ticks = read.thinned(range(last + 1), _DAYS)
        places[-1].set_xticks(ticks, [shown["days"][tick] for tick in ticks], fontsize=7)
        labels = places[-1].get_xticklabels()
        labels[0].set_horizontalalignment("left")
        labels[-1].set_horizontalalignment("right")
    return figure


def _panel(ax: Axes, panel: Mapping[str, Any], breaks: Sequence[int], last: int) -> None:
    style.heading(ax, panel["name"])
    variants = panel["variants"]
    for place, variant in enumerate(variants):
        shift = _APART * ((place + 0.5) / len(variants) - 0.5)
        points = [
            None if found is None else (run + shift, *found)
            for run, found in enumerate(variant["points"])
        ]
        _line(ax, points, breaks, style.look(place))
    for place in breaks:
        ax.axvline(place - 0.5, color=style.INK, linestyle=(0, (1, 2)), linewidth=1.0)
    for text, height in zip(*_labels(variants), strict=True):
        ax.annotate(
            text,
            (1, height),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL,
        )
    ax.set_xlim(-0.5, last + 0.5)
    ax.set_ylim(0, 100)
    ax.set_yticks([0, 50, 100])
    ax.set_ylabel("%")
    ax.grid(axis="y")


def _line(
    ax: Axes,
    points: Sequence[tuple[float, ...] | None],
    breaks: Sequence[int],
    look: Mapping[str, Any],
) -> None:
    """One variant's runs: a line between those that can be compared, an interval at each."""
    there = [point for point in points if point]
    style.segments(
        ax,
        [[(x, low), (x, high)] for x, low, _, high in there],
        edgecolor=look["color"],
        linewidth=0.9,
        alpha=0.6,
    )
    edges = [0, *breaks, len(points)]
    for start, end in pairwise(edges):
        part = [point for point in points[start:end] if point]
        if part:
            xs, ys = [point[0] for point in part], [point[2] for point in part]
            ax.plot(xs, ys, **look, linewidth=1.0, markersize=3.5)


def _labels(variants: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[float]]:
    """Each variant's label and how high it stands: beside its last point, none over another."""
    ends = sorted(
        (next(point[1] for point in reversed(variant["points"]) if point), variant["label"])
        for variant in variants
    )
    gap = min(12.0, 100 / max(1, len(ends) - 1))
    heights: list[float] = []
    for end, _ in ends:
        heights.append(max(end, heights[-1] + gap) if heights else end)
    over = max(0.0, heights[-1] - 100)
    for place in range(len(heights) - 1, -1, -1):  # pushed down again from the top
        ceiling = 100.0 if place == len(heights) - 1 else heights[place + 1] - gap
        heights[place] = min(heights[place], ceiling) if over else heights[place]
    return [label for _, label in ends], heights


def caption(shown: Mapping[str, Any]) -> str:
    """What the figure shows, in a sentence or two."""
    return read.joined(
        f"Rates in % with their {shown['level']} intervals over {len(shown['days'])} runs of this "
        "profile, oldest first; the last is this run.",
        "Dotted: prompts, criteria or judge changed there, and runs on both sides cannot be "
        "compared."
        if shown["breaks"]
        else "",
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
    known = [point[1] for point in points if point]
    return f"{known[0]:.1f} to {known[-1]:.1f}" if len(known) > 1 else f"{known[0]:.1f}"
