"""The rows of a file of labels: the entries of the page's JSON, or the rows of a table."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from alignment.errors import LabelsError, quoted
from alignment.files import foreign
from alignment.labels.cells import from_cell
from alignment.labels.columns import Columns, columns_of
from alignment.records.labels import encodable

FORMAT, VERSION = "alignment-labels", 1
"""What the page's JSON says of itself."""

TABLE = 512 * foreign.MIB
"""Bytes of a table at most; of JSON `foreign.DOCUMENT`."""

_HEADER = 2**16
_LINE_END = re.compile(r"\r\n|\r|\n")
_KINDS = (
    (b"PK\x03\x04", "a zip archive, as .xlsx and .ods are"),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x80", "a pickle"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
    (b"SQLite format 3\0", "a database"),
)


class Row(NamedTuple):
    """What identifies an item in a file, and the (annotator, label) pairs that stand beside it.

    `texts` is (axis, prompt, response) in each way in which a cell may be read: unescaped, and as
    it stands, which counts where there is no id. It is empty where the file has no texts; `axis` is
    what the file then says of it. `too_long` says that a row has more cells than its table columns.
    """

    item: str
    texts: tuple[tuple[str, str, str], ...]
    answers: Iterable[tuple[str, object]]
    axis: str = ""
    too_long: bool = False


def rows_of(path: Path) -> Iterator[Row]:
    """The rows of a JSON file that the page exported, or of a table, recognised by the content.

    Raises LabelsError or UnfitError, whose text continues a sentence that begins with the file's
    name, or UnicodeDecodeError or OSError, if it cannot be read on.
    """
    with foreign.opened(path) as file:
        start = _require_text(file)
        is_json = start.startswith((b"{", b"["))
        yield from _json_rows(path) if is_json else _table_rows(file)


def _require_text(file: BinaryIO) -> bytes:
    """Refuse what is no text, by its first bytes, or too large; gives the first bytes of a text."""
    if file.seek(0, io.SEEK_END) > TABLE:
        limit = foreign.in_words(TABLE)
        raise LabelsError(f"has more than {limit}, which is the limit; split it")
    file.seek(0)
    start = file.read(_HEADER)
    file.seek(0)
    for magic, kind in _KINDS:
        if start.startswith(magic):
            raise LabelsError(f"is {kind}; JSON of the page, CSV or TSV in UTF-8 is required")
    return start.removeprefix(codecs.BOM_UTF8).lstrip()


# -- tables ---------------------------------------------------------------------------------------


def _table_rows(file: BinaryIO) -> Iterator[Row]:
    columns, delimiter, width = _header(file)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    with _cells_of_any_length():
        # Strict: otherwise a quote that is never closed would swallow the rest of the file.
        rows = csv.reader(text, delimiter=delimiter, strict=True)
        next(rows)
        try:
            for row in rows:
                if row:
                    filled = row + [""] * (width - len(row))
                    yield _table_row(columns, filled, too_long=any(row[width:]))
        except csv.Error as error:
            raise LabelsError(
                f"line {rows.line_num} is no row of a table ({error}); save it as CSV again"
            ) from error


def _table_row(columns: Columns, row: list[str], *, too_long: bool) -> Row:
    item = "" if columns.item is None else row[columns.item]
    texts: tuple[tuple[str, str, str], ...] = ()
    axis = "" if columns.axis is None else row[columns.axis]
    if columns.texts is not None:
        raw = (row[columns.texts[0]], row[columns.texts[1]], row[columns.texts[2]])
        cells = (from_cell(raw[0]), from_cell(raw[1]), from_cell(raw[2]))
        texts = (cells,) if cells == raw else (cells, raw)
    return Row(item, texts, columns.answers(row), axis, too_long)


def _header(file: BinaryIO) -> tuple[Columns, str, int]:
    """The columns of a table, what separates them, and how many there are.

    A comma in a semicolon's table and the like give other names, so that one separator fits.
    """
    start = file.read(_HEADER)
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    line = _LINE_END.split(decoder.decode(start), maxsplit=1)[0]
    names: list[str] = []
    for delimiter in ",\t;":
        cells = next(csv.reader([line], delimiter=delimiter), [])
        if columns := columns_of(cells):
            return columns, delimiter, len(cells)
        names = cells if len(cells) > len(names) else names
    found = ", ".join(quoted(name[:40]) for name in names[:12]) or "nothing"
    raise LabelsError(
        "has no columns of labels: `item` (or `axis`, `prompt` and `response`) and `label`, "
        f"`choice` or `label_NAME` are required; the first line has {found}"
    )


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    """Without the csv module's limit of 131,072 characters: the file's size is bounded."""
    limit = csv.field_size_limit(TABLE)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


# -- JSON -----------------------------------------------------------------------------------------


def _json_rows(path: Path) -> Iterator[Row]:
    content = foreign.read_json(path)
    if not isinstance(content, dict):
        raise LabelsError(
            "is a list in JSON; what the page of a labelling task exports is required"
        )
    if content.get("format") != FORMAT:
        raise LabelsError(
            f'has the format {quoted(content.get("format"))}; "{FORMAT}" is required, which the '
            "page of a labelling task exports"
        )
    if content.get("version") != VERSION or isinstance(content["version"], bool):
        version = quoted(content.get("version"))
        raise LabelsError(f"has version {version} of the format; version {VERSION} is required")
    annotator, labels = content.get("annotator"), content.get("labels")
    if not isinstance(annotator, str) or not annotator.strip():
        raise LabelsError(f"has the annotator {quoted(annotator)}; a name is required")
    if not isinstance(labels, list):
        raise LabelsError(f"has {quoted(labels)} as `labels`; a list is required")
    name = encodable(annotator.strip())
    return (_json_row(each, name) for each in labels)


def _json_row(entry: object, annotator: str) -> Row:
    fields = entry if isinstance(entry, dict) else {}
    item, label = fields.get("item"), fields.get("label")
    texts = tuple(fields.get(name) for name in ("axis", "prompt", "response"))
    complete = all(isinstance(each, str) for each in texts)
    return Row(
        item if isinstance(item, str) else "",
        (texts,) if complete else (),  # type: ignore[arg-type]  # all are texts
        [(annotator, "" if label is None else label)],
    )
