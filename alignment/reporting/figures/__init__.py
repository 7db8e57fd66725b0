"""Figures of a report: pure functions of the document, drawn once and then stored by their data.

Each figure's module has `data`, which takes plain values from the document, and `draw`, which makes
a matplotlib figure of them. Figures that are in the store are rendered without matplotlib.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from alignment.errors import ReportError
from alignment.reporting.figures import changes, means, rates, scores, style, svg, tradeoff, trend
from alignment.reporting.formats import PICTURES
from alignment.reporting.numbers import Document
from alignment.runtime.hardware import versions
from alignment.store import Store, content_key

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KIND = "figure"
"""The kind of the store's records: the text of an SVG, or base64 of a PNG or PDF."""

_SCHEMA = 1
"""To be increased when the drawing of equal data changes."""


class _Drawing(Protocol):
    """The interface of each figure's module. `shown` is what `data` returns."""

    TITLE: str

    def data(self, document: Document) -> dict[str, Any] | None:
        """The plain JSON values to show; None where the document has none."""

    def draw(self, shown: Mapping[str, Any]) -> Figure:
        """The figure."""

    def caption(self, shown: Mapping[str, Any]) -> str:
        """What the figure shows, in a sentence or two."""

    def values(self, shown: Mapping[str, Any]) -> str:
        """The values, in words."""


_DRAWINGS: dict[str, _Drawing] = {
    "rates": rates,
    "scores": scores,
    "means": means,
    "changes": changes,
    "tradeoff": tradeoff,
    "trend": trend,
}

TITLES: dict[str, str] = {name: drawing.TITLE for name, drawing in _DRAWINGS.items()}
"""The title of each figure by its name, in the order in which a report shows them."""


def names(document: Document) -> list[str]:
    """The figures that the document has data for, in the order of `TITLES`."""
    return list(_all_data(document))


def caption(document: Document, name: str) -> str:
    """What the figure `name` shows, in a sentence or two of plain text.

    Names in it are escaped for a terminal, not for HTML or Markdown. Raises ReportError for a
    figure that the document has no data for.
    """
    shown = _DRAWINGS[name].data(document) if name in _DRAWINGS else None
    if shown is None:
        raise ReportError(
            f"the report has no figure {name!r}; choose one of {', '.join(names(document))}"
        )
    return _DRAWINGS[name].caption(shown)


def render(
    document: Document, formats: Iterable[str], store: Store | None = None
) -> dict[tuple[str, str], bytes]:
    """The bytes of every figure that there is data for, by (name, format).

    `formats` are of `svg` (UTF-8, without XML declaration: for a file or a page), `png` (150 dpi,
    on white) and `pdf`. Equal data give equal bytes. Figures in `store` are not drawn again, and
    new ones are put there.

    Raises ReportError for another format, StoreError when the store fails.
    """
    wanted = list(dict.fromkeys(formats))
    for kind in wanted:
        if kind not in PICTURES:
            raise ReportError(
                f"figures cannot be written as {kind!r}; choose one of {', '.join(PICTURES)}"
            )
    shown = _all_data(document)
    version = versions("matplotlib")
    keys = {
        (name, kind): content_key(KIND, _SCHEMA, name, data, kind, version)
        for name, data in shown.items()
        for kind in wanted
    }
    stored = {} if store is None else store.get(KIND, keys.values())
    fresh: dict[str, str] = {}
    if store is not None and stored.keys() < set(keys.values()):
        style.keep_in(store.folder("matplotlib"))
    for name, data in shown.items():
        missing = [kind for kind in wanted if keys[name, kind] not in stored]
        for kind, content in _draw(name, data, missing).items():
            fresh[keys[name, kind]] = _encode(kind, content)
    if store is not None and fresh:
        store.put(KIND, fresh)
    stored |= fresh
    return {(name, kind): _decode(kind, stored[key]) for (name, kind), key in keys.items()}


def _all_data(document: Document) -> dict[str, dict[str, Any]]:
    data_of = {name: drawing.data(document) for name, drawing in _DRAWINGS.items()}
    return {name: data for name, data in data_of.items() if data is not None}


def _draw(name: str, data: Mapping[str, Any], kinds: list[str]) -> dict[str, bytes]:
    """One figure by format, drawn anew for each.

    Saving a figure changes its layout: the bytes of a format would depend on those saved before.
    """
    drawing, drawn = _DRAWINGS[name], dict[str, bytes]()
    for kind in kinds:
        figure = drawing.draw(data)
        with style.applied():
            drawn[kind] = style.save(figure, kind)
    if "svg" in drawn:
        text = f"{drawing.caption(data)} {drawing.values(data)}."
        drawn["svg"] = svg.finish(drawn["svg"].decode(), name, drawing.TITLE, text).encode()
    return drawn


def _encode(kind: str, content: bytes) -> str:
    return content.decode() if kind == "svg" else base64.b64encode(content).decode("ascii")


def _decode(kind: str, stored: str) -> bytes:
    return stored.encode() if kind == "svg" else base64.b64decode(stored)
