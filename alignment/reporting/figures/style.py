"""The look of all figures. Only this module imports matplotlib, and late, as it takes 0.7 s.

It does not use pyplot and leaves no setting changed: figures are made and saved within `applied`,
which sets matplotlib's defaults and ours, whatever the user's configuration is.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1f2328"
"""The colour of text and axes; the page replaces it by its own text colour."""

BLUE, VERMILION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE)
"""Those of Okabe & Ito (2008), Color Universal Design, with 3:1 contrast on white and on dark."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
"""Series differ by marker too: colours repeat after four, and print may have none."""

WIDTH = 4.4
"""Inches: fits a column of a paper, and gives letters of 10 px on a screen 360 px wide."""

SMALL = 8.0
_SIZE = 9.0
_DPI = 150
_SETTINGS: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the layout is the same everywhere
    "font.size": _SIZE,
    "axes.titlesize": SMALL,
    "axes.titlepad": 4,
    "axes.labelsize": SMALL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,  # as everywhere else in a report
    "axes.titlelocation": "left",
    "grid.alpha": 0.15,
    "grid.linewidth": 0.6,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "hatch.linewidth": 0.5,
    "lines.linewidth": 1.4,
    "lines.markersize": 5.0,
    "path.simplify": False,  # keeps all points of a path
    "text.parse_math": False,  # a name may contain `$`
    "svg.fonttype": "none",  # text that can be selected and searched
    "svg.hashsalt": "alignment-gate",
    "pdf.fonttype": 42,
    "figure.dpi": 72,
} | dict.fromkeys(
    ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "grid.color"),
    INK,
)
_METADATA: dict[str, dict[str, Any]] = {
    "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
    "png": {"Software": None},
    "pdf": dict.fromkeys(("CreationDate", "Creator", "Producer")),
}
"""No date and no program, so that equal data give equal bytes."""


def keep_in(folder: Path) -> None:
    """Make `folder` matplotlib's cache for its list of fonts, unless MPLCONFIGDIR is set."""
    os.environ.setdefault("MPLCONFIGDIR", str(folder))


@contextmanager
def applied() -> Iterator[None]:
    """Apply our settings while the body draws or saves a figure."""
    import matplotlib as mpl  # noqa: PLC0415

    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        # A name may have letters that the font lacks; a browser takes them from another font.
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        yield


def panels(
    heights: Sequence[float], *, around: float, columns: int = 1, sharex: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure of `WIDTH` with rows of panels, and their axes row by row; call in `applied`.

    `heights` are those of the rows in inches; `around` is the height of all text around them.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(WIDTH, sum(heights) + around), layout="constrained")
    grid = figure.subplots(
        len(heights),
        columns,
        sharex=sharex,
        squeeze=False,
        height_ratios=list(heights),
    )
    return figure, list(grid.flat)


def stack_panels(
    shown: Mapping[str, Any],
    sizes: tuple[float, float, float],
    panel: Callable[[Axes, Mapping[str, Any], int], None],
) -> Figure:
    """A panel for each of `shown["groups"]`, whose rows have labels; call in `applied`.

    `sizes` are heights in inches: of a row, of the space above a panel, and of that below a panel
    with a scale. If `shown["shared"]`, only the last panel has the scale. `panel` draws a group,
    given its index.
    """
    groups, (row, head, foot) = shown["groups"], sizes
    heights = [row * len(group["rows"]) for group in groups]
    around = head * len(groups) + foot * (1 if shown["shared"] else len(groups))
    figure, places = panels(heights, around=around, sharex=shown["shared"])
    for place, (ax, group) in enumerate(zip(places, groups, strict=True)):
        panel(ax, group, place)
        ax.set_yticks(range(len(group["rows"])), [each["label"] for each in group["rows"]])
        ax.set_ylim(len(group["rows"]) - 0.5, -0.5)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
        ax.spines["left"].set_visible(False)
        if place == len(groups) - 1 or not shown["shared"]:
            ax.set_xlabel(group["unit"])
        else:
            ax.tick_params(labelbottom=False)
    return figure


def segments(ax: Axes, lines: Sequence[Sequence[Sequence[float]]], **look: Any) -> None:
    """Draw many lines as one path: in an SVG a tenth of the size of separate lines."""
    from matplotlib.patches import PathPatch  # noqa: PLC0415
    from matplotlib.path import Path  # noqa: PLC0415

    if not lines:
        return
    points = [point for line in lines for point in line]
    codes = [Path.LINETO if place else Path.MOVETO for line in lines for place in range(len(line))]
    ax.add_patch(PathPatch(Path(points, codes), fill=False, **look))
    ax.update_datalim(points)


def heading(ax: Axes, name: str, note: str = "") -> None:
    """Write `name` above a panel on the left, and `note` on the right."""
    ax.set_title(name, loc="left", fontweight="bold")
    ax.set_title(note, loc="right")


def hatch(ax: Axes) -> None:
    """Hatch a panel whose judge is no better than chance."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    hatched: dict[str, Any] = {
        "fill": False,
        "hatch": "////",
        "edgecolor": INK,
        "linewidth": 0,
        "alpha": 0.2,
    }
    ax.add_artist(Rectangle((0, 0), 1, 1, transform=ax.transAxes, zorder=-1, **hatched))


def look(place: int) -> dict[str, Any]:
    """Colour and marker of the series with the index `place`."""
    return {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)]}


def save(figure: Figure, kind: str) -> bytes:
    """The figure as `svg`, `png` (150 dpi, on white) or `pdf`; call in `applied`."""
    file = io.BytesIO()
    background: dict[str, Any] = {"transparent": True}
    if kind == "png":
        background = {"dpi": _DPI, "facecolor": "white"}
    figure.savefig(file, format=kind, metadata=_METADATA[kind], **background)
    return file.getvalue()
