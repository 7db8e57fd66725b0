"""The files of a report and how each is made, for a test run and for the `report` command."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from alignment.files.rooms import Content
from alignment.reporting import cases, figures, jsontext
from alignment.reporting.formats import DEFAULT, FILES, PICTURES
from alignment.reporting.markdown import markdown
from alignment.reporting.write import is_whole, write_report
from alignment.store import Store


def publish(
    directory: Path,
    document: dict[str, Any],
    formats: Collection[str] = DEFAULT,
    store: Store | None = None,
) -> Path:
    """Write a report in these `formats` (and its JSON) into `directory`; returns the JSON's path.

    Figures that the store holds are not drawn again. Raises StoreError when the file system
    refuses.
    """
    files = renderings(document, {"json", *formats}, store)
    pictures = {f"figures/{name}.{each}" for name in figures.TITLES for each in PICTURES}
    return write_report(directory, document, files, owned={*FILES.values(), *pictures})


def renderings(
    document: dict[str, Any], formats: Collection[str], store: Store | None = None
) -> dict[str, Content]:
    """File name -> content, in these `formats`; figures have one file each."""
    pictures = {each for each in PICTURES if each in formats and is_whole(document)}
    for_page = {"svg"} if "html" in formats else set()  # the page contains them
    kinds = sorted(pictures | for_page)
    drawn = figures.render(document, kinds, store) if kinds else {}
    contents: dict[str, Content] = {}
    if "md" in formats:
        contents[FILES["md"]] = [markdown(document)]
    if "html" in formats:
        from alignment.reporting.page import page  # noqa: PLC0415 - only the page needs jinja2

        inlined = {name: svg.decode() for (name, kind), svg in drawn.items() if kind == "svg"}
        contents[FILES["html"]] = [page(document, inlined)]
    if "csv" in formats:
        contents[FILES["csv"]] = cases.csv(document)
    if "parquet" in formats:
        contents[FILES["parquet"]] = cases.parquet(document)
    contents |= {
        f"figures/{name}.{kind}": drawn[name, kind] for name, kind in drawn if kind in pictures
    }
    if "json" in formats:  # the last and largest, in pieces
        contents[FILES["json"]] = jsontext.pieces(document)
    return contents
