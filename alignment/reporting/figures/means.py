"""Figure 3 of the paper: the mean score of every variant on every axis, with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import TYPE_CHECKING, Any

from alignment.analysis.scores import mean_interval
from alignment.reporting import numbers
from alignment.reporting.figures import data as read
from alignment.reporting.figures import forest
from alignment.reporting.numbers import Document

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Mean scores"


def data(document: Document) -> dict[str, Any] | None:
    """Each mean and its interval by axis and variant; None where nothing was scored."""
    variants = read.variants(document)
    cases = read.cases(document)
    confidence = float(document["profile"].get("confidence", 0.95))
    groups = [
        {
            "name": label,
            "unit": f"mean {read.unit(document, axis)}",
            "informative": document["axes"][axis]["informative"],
            "rows": [
                {"label": name}
                | _row(document, cases.get((variant, axis), []), confidence=confidence)
                for variant, name in variants.items()
            ],
        }
        for axis, label in read.axes(document).items()
        if any((variant, axis) in cases for variant in variants)
    ]
    if not groups:
        return None
    return {
        "groups": groups,
        "shared": read.one_unit(document),
        "level": numbers.level(document),
        "left_out": read.left_out(document),
    }


def _row(
    document: Document, cases: list[Mapping[str, Any]], *, confidence: float
) -> dict[str, Any]:
    if not cases:
        return {"value": None, "interval": None}
    scores = [float(case["score"]) for case in cases]
    clusters = [document["prompts"][case["prompt"]]["cluster"] for case in cases]
    interval = mean_interval(scores, confidence, clusters)
    return {
        "value": fmean(scores),
        "interval": None if interval is None else [interval.low, interval.high],
    }


def draw(shown: Mapping[str, Any]) -> Figure:
    """A panel for each axis, a row for each variant; one scale where the dimension is one."""
    return forest.draw(shown, digits=2, span=None)


def caption(shown: Mapping[str, Any]) -> str:
    """What the figure shows, in a sentence or two."""
    return read.join_sentences(
        f"Mean scores of each variant in the judge's unit, with {shown['level']} intervals "
        "(Student's t, corrected for prompts that share a dialogue).",
        read.hatching_note(shown["groups"]),
        shown["left_out"],
    )


def values(shown: Mapping[str, Any]) -> str:
    """The values that are shown, in words."""
    return forest.describe(shown, 2)
