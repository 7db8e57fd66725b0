"""Figures of a report: pure functions of the document, drawn once and found again by their content.

`data` of each figure's module is what it shows, as plain values; `draw` makes it a matplotlib
figure. Rendering what the store has imports no matplotlib.
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
"""Of the store's records: an SVG's text, or base64 of the others' bytes."""

_SCHEMA = 1
"""Goes up when figures of equal data are to look different."""


class _Drawing(Protocol):
    """What each figure's module has."""

    TITLE: str

    def data(self, document: Document) -> dict[str, Any] | None:
        """What is shown, as plain JSON values; None where the document has nothing to show."""

    def draw(self, shown: Mapping[str, Any]) -> Figure:
        """The figure."""

    def caption(self, shown: Mapping[str, Any]) -> str:
        """What it shows, in a sentence or two."""

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
    return list(_shown(document))


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

    `formats` are of `svg` (UTF-8, no declaration: fit for a file and for a page), `png` (150 dpi,
    on white) and `pdf`. Equal data give equal bytes. What `store` has is not drawn again, and what
    it has not is kept there.

    Raises ReportError for another format, StoreError when the store fails.
    """
    wanted = list(dict.fromkeys(formats))
    for kind in wanted:
        if kind not in PICTURES:
            raise ReportError(
                f"figures cannot be written as {kind!r}; choose one of {', '.join(PICTURES)}"
            )
    shown = _shown(document)
    version = versions("matplotlib")
    keys = {
        (name, kind): content_key(KIND, _SCHEMA, name, data, kind, version)
        for name, data in shown.items()
        for kind in wanted
    }
    found = {} if store is None else store.get(KIND, keys.values())
    fresh: dict[str, str] = {}
    if store is not None and found.keys() < set(keys.values()):
        style.keep_in(store.folder("matplotlib"))
    for name, data in shown.items():
        missing = [kind for kind in wanted if keys[name, kind] not in found]
        for kind, content in _drawn(name, data, missing).items():
            fresh[keys[name, kind]] = _kept(kind, content)
    if store is not None and fresh:
        store.put(KIND, fresh)
    found |= fresh
    return {(name, kind): _given(kind, found[key]) for (name, kind), key in keys.items()}


def _shown(document: Document) -> dict[str, dict[str, Any]]:
    found = {name: drawing.data(document) for name, drawing in _DRAWINGS.items()}
    return {name: data for name, data in found.items() if data is not None}


def _drawn(name: str, data: Mapping[str, Any], kinds: list[str]) -> dict[str, bytes]:
    """One figure in some formats, drawn anew for each.

    Saving lays a figure out, from where the last one left it: bytes would depend on the others.
    """
    drawing, made = _DRAWINGS[name], dict[str, bytes]()
    for kind in kinds:
        figure = drawing.draw(data)
        with style.applied():
            made[kind] = style.save(figure, kind)
    if "svg" in made:
        told = f"{drawing.caption(data)} {drawing.values(data)}."
        made["svg"] = svg.finished(made["svg"].decode(), name, drawing.TITLE, told).encode()
    return made


def _kept(kind: str, content: bytes) -> str:
    return content.decode() if kind == "svg" else base64.b64encode(content).decode("ascii")


def _given(kind: str, kept: str) -> bytes:
    return kept.encode() if kind == "svg" else base64.b64decode(kept)
