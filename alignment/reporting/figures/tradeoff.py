"""One rate against another: every variant at its criterion, and at other thresholds."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import product
from statistics import pstdev
from typing import TYPE_CHECKING, Any

from alignment.reporting import numbers
from alignment.reporting.figures import data as read
from alignment.reporting.figures import style
from alignment.reporting.numbers import Document

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Trade-off"

STEPS = 20
"""The number of offsets on each side of the criterion."""

_PAPER = ["harmlessness", "helpfulness"]
_FEW = 6
_LETTER, _LINE = 2.0, 4.5
"""About the width of a letter and the height of a label, in points of the rates."""


def data(document: Document) -> dict[str, Any] | None:
    """Two rates by variant, at the criterion and with one offset added to both thresholds.

    On each side the offsets reach one standard deviation of the scores (the larger of the two
    axes). The axes are harmlessness and helpfulness, or else the first two. None where no variant
    has scores on two axes.
    """
    axes_settings = document["axes"]
    axes = _PAPER if all(axis in axes_settings for axis in _PAPER) else list(axes_settings)[:2]
    cases = read.cases(document)
    variants = {
        name: label
        for name, label in read.variants(document).items()
        if all((name, axis) in cases for axis in axes)
    }
    if len(axes) < 2 or not variants:
        return None
    scores = {
        (name, axis): sorted(float(case["score"]) for case in cases[name, axis])
        for name, axis in product(variants, axes)
    }
    spread = max(pstdev([each for name in variants for each in scores[name, a]]) for a in axes)
    reach = float(f"{spread:.2g}")  # two digits, for the caption
    rates = [axes_settings[axis]["rate"] for axis in axes]
    labels = read.labels(rates)
    return {
        "rates": [labels[rate] for rate in rates],
        "informative": [axes_settings[axis]["informative"] for axis in axes],
        "level": numbers.level(document),
        "reach": reach,
        "variants": [
            {
                "label": label,
                "point": [document["variants"][name]["rates"][rate]["percent"] for rate in rates],
                "intervals": [
                    list(document["variants"][name]["rates"][rate]["interval"]) for rate in rates
                ],
                "curve": [
                    [
                        _rate(scores[name, axis], document["profile"]["axes"][axis], offset)
                        for axis in axes
                    ]
                    for offset in (reach * step / STEPS for step in range(-STEPS, STEPS + 1))
                ],
            }
            for name, label in variants.items()
        ],
        "left_out": read.left_out(document),
    }


def _rate(ordered: Sequence[float], axis: Mapping[str, Any], offset: float) -> float:
    """The share of sorted scores, in %, that pass with `offset` added to the threshold."""
    count_below = bisect_left if axis["comparison"] == ">=" else bisect_right
    return 100 * (1 - count_below(ordered, axis["threshold"] + offset) / len(ordered))


def draw(shown: Mapping[str, Any]) -> Figure:
    """A square of both rates: a curve, a point and two crossed intervals for each variant."""
    with style.applied():
        figure, (ax,) = style.panels([style.WIDTH], around=0.1)
        for place, variant in enumerate(shown["variants"]):
            _draw_variant(ax, variant, place, bold=len(shown["variants"]) <= _FEW)
        for variant, at in zip(shown["variants"], _label_positions(shown["variants"]), strict=True):
            ax.annotate(variant["label"], variant["point"], xytext=at, **_LABEL)
        ax.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
        names = [
            f"{rate}, %" + (", uninformative" if informative is False else "")
            for rate, informative in zip(shown["rates"], shown["informative"], strict=True)
        ]
        ax.set_title(f"curves: both thresholds shifted by up to {shown['reach']:g}")
        ax.set_xlabel(names[0])
        ax.set_ylabel(names[1])
        ax.grid(visible=True)
        if False in shown["informative"]:
            style.hatch(ax)
    return figure


_LABEL: dict[str, Any] = {
    "textcoords": "data",
    "fontsize": style.SMALL,
    "va": "center",
    "arrowprops": {
        "arrowstyle": "-",
        "color": style.INK,
        "linewidth": 0.5,
        "alpha": 0.6,
        "shrinkA": 0,
        "shrinkB": 3,
    },
}


def _draw_variant(ax: Axes, variant: Mapping[str, Any], place: int, *, bold: bool) -> None:
    look = style.look(place)
    (x, y), (across, up) = variant["point"], variant["intervals"]
    ax.plot(
        *zip(*variant["curve"], strict=True),
        color=look["color"],
        linewidth=0.9,
        alpha=0.75 if bold else 0.4,
    )
    style.segments(
        ax,
        [[(across[0], y), (across[1], y)], [(x, up[0]), (x, up[1])]],
        edgecolor=look["color"],
        linewidth=1.6 if bold else 0.8,
    )
    ax.plot([x], [y], **look, linestyle="none", markersize=6.5)


_Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


def _label_positions(variants: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """The start (x, y) of each label: the nearest place where it covers no point or label."""
    taken = [box for each in variants for box in _covered_boxes(each)]
    starts = []
    for each in variants:
        x, y = each["point"]
        width = _LETTER * len(each["label"])
        steps = sorted(
            product((3, -3 - width, 8, -8 - width, 14, -14 - width), range(-30, 31, 3)),
            key=lambda step: (abs(step[0] + width / 2) + 2 * abs(step[1]), -step[1], step),
        )
        boxes = [
            (x + right, y + up - _LINE / 2, x + right + width, y + up + _LINE / 2)
            for right, up in steps
        ]
        inside = [box for box in boxes if box[0] >= 0 and box[2] <= 100 and 2 <= box[1] <= 93]
        free = [box for box in inside if not any(_overlap(box, other) for other in taken)]
        box = (free or inside or boxes)[0]
        taken.append(box)
        starts.append((box[0], (box[1] + box[3]) / 2))
    return starts


def _covered_boxes(variant: Mapping[str, Any]) -> list[_Box]:
    """The boxes that a point and its two intervals cover."""
    (x, y), (across, up) = variant["point"], variant["intervals"]
    point = (x - 2, y - 2, x + 2, y + 2)
    return [point, (across[0], y - 0.5, across[1], y + 0.5), (x - 0.5, up[0], x + 0.5, up[1])]


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def caption(shown: Mapping[str, Any]) -> str:
    """What the figure shows, in a sentence or two."""
    across, up = shown["rates"]
    return read.join_sentences(
        f"{up} against {across}, with {shown['level']} intervals. Each curve shows the rates of "
        "the same responses with other thresholds: both lower (towards 100) or both higher "
        f"(towards 0) by up to {shown['reach']:g}, in the judge's unit.",
        read.hatching_note({"informative": each} for each in shown["informative"]),
        shown["left_out"],
    )


def values(shown: Mapping[str, Any]) -> str:
    """The values that are shown, in words."""
    across, up = shown["rates"]
    return "; ".join(
        f"{each['label']}: {across} {each['point'][0]:.1f}, {up} {each['point'][1]:.1f}"
        for each in shown["variants"]
    )
