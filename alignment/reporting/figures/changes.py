"""The score of every prompt before and after, with flipped prompts emphasised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from alignment.reporting.figures import data as read
from alignment.reporting.figures import style
from alignment.reporting.numbers import Document
from alignment.reporting.text import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Changes by prompt"

LINES = 200
"""Most lines in a panel: more of them cannot be told apart."""

FLIPS = 20
"""So many losses, and gains, are drawn however small their share is."""

PANELS = 16
_HEIGHT, _AROUND = 1.3, 0.6
_COLUMNS = 2
_TITLE, _TICK = 13, 10
"""Characters of a name that fit above a panel, and below each of its sides."""


def data(document: Document) -> dict[str, Any] | None:
    """Scores before and after by variant and axis; None where nothing can be paired.

    "Before" is the baseline where a prompt flipped against it; otherwise the variant that the gate
    compares with, or else the profile's reference. Of a baseline a report has only the flipped
    prompts.
    """
    comparison = _with_baseline(document) or _with_variant(document)
    if not comparison:
        return None
    before, whole, panels = comparison
    return {
        "before": before,
        "whole": whole,
        "panels": [_thin_panel(panel) for panel in panels[:PANELS]],
        "left_out": read.join_sentences(
            read.left_out(document),
            f"Only the first {PANELS} of {len(panels)} comparisons are shown."
            if len(panels) > PANELS
            else "",
        ),
    }


_Comparison = tuple[str, bool, list[dict[str, Any]]]
"""The name of "before", whether all prompts are known, and the panels."""


def _with_baseline(document: Document) -> _Comparison | None:
    gate = document["gate"]
    if gate is None or gate["against"] != "baseline":
        return None
    variants, axes = read.variants(document), read.axes(document)
    panels = [
        _panel(
            document,
            axes[decision["axis"]],
            variants[decision["variant"]],
            decision,
            [_flip_line(flip, "score_before", "score_after") for flip in decision["flips"]],
            decision["change"]["total"],
        )
        for decision in gate["decisions"]
        if decision["flips"] and decision["change"]
        if decision["variant"] in variants and decision["axis"] in axes
    ]
    return ("baseline", False, panels) if panels else None


def _flip_line(flip: Mapping[str, Any], before: str, after: str) -> dict[str, Any]:
    kind = "lost" if flip["before"] else "gained"
    return {"kind": kind, "scores": [flip[before], flip[after]]}


def _with_variant(document: Document) -> _Comparison | None:
    gate = document["gate"]
    reference = document["profile"].get("reference")
    if gate is not None and gate["against"].startswith("variant "):
        reference = gate["against"].removeprefix("variant ")
    variants, axes, cases = read.variants(document), read.axes(document), read.cases(document)
    if reference not in document["variants"]:
        return None
    panels = []
    for variant, label in variants.items():
        for axis, name in axes.items():
            old = {case["prompt"]: case for case in cases.get((reference, axis), [])}
            pairs = [
                (old[case["prompt"]], case)
                for case in cases.get((variant, axis), [])
                if case["prompt"] in old
            ]
            if variant != reference and pairs:
                lines = [_line(before, after) for before, after in pairs]
                panels.append(_panel(document, name, label, {"axis": axis}, lines, len(lines)))
    label = variants.get(reference) or read.labels([reference])[reference]
    return (label, True, panels) if panels else None


def _line(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    flip = after["passed"] - before["passed"]
    kind = "lost" if flip < 0 else "gained" if flip > 0 else "same"
    return {"kind": kind, "scores": [before["score"], after["score"]]}


def _panel(
    document: Document,
    name: str,
    label: str,
    about: Mapping[str, Any],
    lines: Sequence[Mapping[str, Any]],
    total: int,
) -> dict[str, Any]:
    axis = about["axis"]
    # Sorted by change, so that thinning keeps the distribution.
    by_kind = {
        kind: sorted(
            (line["scores"] for line in lines if line["kind"] == kind),
            key=lambda scores: (scores[1] - scores[0], scores[0]),
        )
        for kind in ("same", "lost", "gained")
    }
    return {
        "axis": name,
        "variant": label,
        "unit": read.unit(document, axis),
        "threshold": float(document["profile"]["axes"][axis]["threshold"]),
        "total": total,
        "lost": len(by_kind["lost"]),
        "gained": len(by_kind["gained"]),
        "lines": by_kind,
    }


def _thin_panel(panel: Mapping[str, Any]) -> dict[str, Any]:
    """A panel with at most about `LINES` lines: of each kind its share, at least `FLIPS` flips."""
    lines = panel["lines"]
    share = min(1.0, LINES / sum(map(len, lines.values())))
    least = {"same": 0, "lost": FLIPS, "gained": FLIPS}
    return dict(panel) | {
        "lines": {
            kind: read.thin(each, max(least[kind], round(share * len(each))))
            for kind, each in lines.items()
        }
    }


def draw(shown: Mapping[str, Any]) -> Figure:
    """Two panels per row; a panel has a line per prompt from its score before to that after."""
    panels = shown["panels"]
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    with style.applied():
        figure, places = style.panels([_HEIGHT] * rows, around=_AROUND * rows, columns=columns)
        for place, ax in enumerate(places):
            if place < len(panels):
                _draw_panel(ax, panels[place], shown["before"])
                ax.set_ylim(*_scale(panels, panels[place]["axis"]))
                if place % columns:
                    ax.set_ylabel("")
            else:
                ax.set_axis_off()
    return figure


def _draw_panel(ax: Axes, panel: Mapping[str, Any], before: str) -> None:
    lines = panel["lines"]
    segments = {
        kind: [[(0, scores[0]), (1, scores[1])] for scores in lines[kind]]
        for kind in ("same", "lost", "gained")
    }
    style.segments(ax, segments["same"], edgecolor=style.INK, linewidth=0.5, alpha=0.3)
    style.segments(ax, segments["gained"], edgecolor=style.BLUE, linewidth=1.0)
    # Dashes distinguish losses from gains in print without colour.
    style.segments(
        ax, segments["lost"], edgecolor=style.VERMILION, linewidth=1.0, linestyle=(0, (4, 1))
    )
    ax.axhline(panel["threshold"], color=style.INK, linestyle=(0, (4, 2)), linewidth=1.0)
    ax.set_title(
        f"{shorten(panel['variant'], _TITLE)}: {shorten(panel['axis'], _TITLE)}\n"
        f"▼ {panel['lost']:,} lost ▲ {panel['gained']:,} gained of {panel['total']:,}",
        fontsize=style.SMALL - 0.5,
    )
    ax.set_xlim(-0.05, 1.05)
    ax.set_xticks([0, 1], [shorten(before, _TICK), shorten(panel["variant"], _TICK)])
    ax.set_ylabel(panel["unit"])
    first, second = ax.get_xticklabels()
    first.set_horizontalalignment("left")
    second.set_horizontalalignment("right")


def _scale(panels: Sequence[Mapping[str, Any]], axis: str) -> tuple[float, float]:
    """The common scale of all panels of one axis, so that slopes can be compared."""
    same = [panel for panel in panels if panel["axis"] == axis]
    scores = [
        score for p in same for kind in p["lines"].values() for line in kind for score in line
    ]
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    edge = 0.05 * (high - low) or 1.0
    return low - edge, high + edge


def caption(shown: Mapping[str, Any]) -> str:
    """What the figure shows, in a sentence or two."""
    panels = shown["panels"]
    total = sum(panel["total"] for panel in panels)
    drawn = sum(len(lines) for panel in panels for lines in panel["lines"].values())
    available = total if shown["whole"] else sum(each["lost"] + each["gained"] for each in panels)
    before = shown["before"] if shown["whole"] else "the baseline"
    return read.join_sentences(
        f"The score of each prompt in {before} and in the new run: lost verdicts are red and "
        "dashed, gained ones blue, unchanged ones thin; the dashed horizontal line is the "
        "threshold.",
        "" if shown["whole"] else "The baseline comparison contains only the flipped prompts.",
        f"{drawn:,} of {available:,} lines are drawn, sampled evenly by size of change."
        if drawn < available
        else "",
        shown["left_out"],
    )


def values(shown: Mapping[str, Any]) -> str:
    """The values that are shown, in words."""
    return "; ".join(
        f"{panel['variant']} on {panel['axis']}: {panel['lost']:,} lost and "
        f"{panel['gained']:,} gained of {panel['total']:,}"
        for panel in shown["panels"]
    )
