"""Labels read back: the page's JSON, and tables of our layout that any tool has filled.

The files come from outside. What makes a whole file unreadable is a `LabelsError`; what is wrong
with one label has it left out and counted by its reason, so that all labels of a file are accounted
for. Nothing is executed, and memory is bounded by the size of the file.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from alignment.errors import LabelsError, quoted
from alignment.files import foreign
from alignment.labels.cells import from_cell
from alignment.labels.columns import Columns, columns_of
from alignment.labels.words import verdict_of
from alignment.records.labels import (
    ID_LENGTH,
    Label,
    LabelItem,
    LabelVerdict,
    encodable,
    item_id,
)

FORMAT, VERSION = "alignment-labels", 1
"""What the page's JSON says of itself."""

TABLE = 512 * foreign.MIB
"""Bytes of a table at most; of JSON `foreign.DOCUMENT`."""

NO_ITEM = "no item: neither an id nor axis, prompt and response"
CHANGED = "another text than that of the item's id"
NO_LABEL = "no label"
UNKNOWN = "a label that is no known word"
REPEATED = "repeated with the same answer"
CONTRADICTORY = "two answers of one annotator to one item"
TOO_LONG = "more cells than columns"

_HEADER = 2**16
_LINE_END = re.compile(r"\r\n|\r|\n")
_ID = re.compile(f"[0-9a-f]{{{ID_LENGTH}}}")
_KINDS = (
    (b"PK\x03\x04", "a zip archive, as .xlsx and .ods are"),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x80", "a pickle"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
    (b"SQLite format 3\0", "a database"),
)


@dataclass(frozen=True, slots=True)
class ReadLabels:
    """The labels of a file.

    `items` has by id the items whose text the file holds and that a label was kept for; a table
    without texts has none. `skipped` counts by its reason, in plain words, every label that was
    left out: with `labels` these are all labels of the file, and all cells for labels of a table.
    """

    labels: tuple[Label, ...]
    items: Mapping[str, LabelItem]
    skipped: Mapping[str, int]


class _Row(NamedTuple):
    """What identifies an item in a file, and the (annotator, label) pairs that stand beside it.

    `texts` is (axis, prompt, response) in each way in which a cell may be read: unescaped, and as
    it stands, which counts where there is no id. It is empty where the file has no texts; `axis` is
    what the file then says of it.
    """

    item: str
    texts: tuple[tuple[str, str, str], ...]
    answers: Iterable[tuple[str, object]]
    axis: str = ""


def read_labels(path: Path) -> ReadLabels:
    """The labels in a JSON file that the page exported, or in a CSV or TSV of our layout.

    Which it is, is recognised by the content. Tables may have further columns and be separated by
    commas, tabs or semicolons, with any line ends; `docs/labels.md` describes them. Raises
    LabelsError, naming the file, if it is missing, not regular, not UTF-8, larger than 512 MiB
    (JSON: 256 MiB), neither JSON nor a table, JSON of another format or version, or a table without
    columns for items and labels.
    """
    found = _Found()
    try:
        with foreign.opened(path) as file:
            start = _require_text(file)
            is_json = start.startswith((b"{", b"["))
            rows = _json_rows(path) if is_json else _table_rows(file, found.skipped)
            for row in rows:
                found.add(row)
    except LabelsError as error:
        raise LabelsError(f"{path}: {error}") from None
    except foreign.UnfitError as error:
        raise LabelsError(f"{path}: {error}") from error
    except UnicodeDecodeError:
        raise LabelsError(f"{path}: is not UTF-8; save it as CSV in UTF-8") from None
    except OSError as error:
        raise LabelsError(f"{path}: cannot be read: {error.strerror or error}") from error
    return found.result()


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


# -- one row after another ------------------------------------------------------------------------


@dataclass
class _Found:
    """Collects labels; a second label of one annotator for one item is never counted."""

    verdicts: dict[tuple[str, str], LabelVerdict | None] = field(default_factory=dict)
    """By item and annotator; None once answers contradict each other."""
    items: dict[str, LabelItem] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, row: _Row) -> None:
        """Take the labels of a row, or count why not."""
        answers = []
        for annotator, label in row.answers:
            if label == "":
                self.skipped[NO_LABEL] += 1
            else:
                answers.append((annotator, label))
        if not answers:
            return
        id_, texts, fault = _identify(row)
        for annotator, label in answers:
            axis = texts[0] if texts else row.axis
            verdict = verdict_of(label, axis) if isinstance(label, str) else None
            if fault or verdict is None:
                self.skipped[fault or UNKNOWN] += 1
                continue
            if texts and id_ not in self.items:
                self.items[id_] = LabelItem(id_, *map(encodable, texts))
            self._keep((id_, sys.intern(annotator)), verdict)

    def _keep(self, key: tuple[str, str], verdict: LabelVerdict) -> None:
        if key not in self.verdicts:
            self.verdicts[key] = verdict
        elif self.verdicts[key] == verdict:
            self.skipped[REPEATED] += 1
        else:
            self.skipped[CONTRADICTORY] += 1 if self.verdicts[key] is None else 2
            self.verdicts[key] = None

    def result(self) -> ReadLabels:
        """All that was found."""
        labels = tuple(
            Label(item, annotator, verdict)
            for (item, annotator), verdict in self.verdicts.items()
            if verdict is not None
        )
        labelled = {each.item for each in labels}
        items = {id_: item for id_, item in self.items.items() if id_ in labelled}
        return ReadLabels(labels, items, dict(self.skipped))


def _identify(row: _Row) -> tuple[str, tuple[str, str, str] | None, str | None]:
    """The id and the texts of a row's item (None: not in the file), and what is wrong with it.

    What is not formed like an id of ours counts as none: another tool's, or one that a spreadsheet
    has taken for a number.
    """
    id_ = row.item.strip().casefold()
    if _ID.fullmatch(id_):
        if not row.texts:
            return id_, None, None
        matching = (texts for texts in row.texts if item_id(*texts) == id_)
        texts = next(matching, None)
        return id_, texts, None if texts else CHANGED
    texts = row.texts[-1] if row.texts else None
    if texts is None or not texts[0].strip() or not texts[1].strip():
        return "", None, NO_ITEM
    return item_id(*texts), texts, None


# -- tables ---------------------------------------------------------------------------------------


def _table_rows(file: BinaryIO, skipped: Counter[str]) -> Iterator[_Row]:
    columns, delimiter, width = _header(file)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    with _cells_of_any_length():
        # Strict: otherwise a quote that is never closed would swallow the rest of the file.
        rows = csv.reader(text, delimiter=delimiter, strict=True)
        next(rows)
        try:
            for row in rows:
                if len(row) > width and any(row[width:]):
                    skipped[TOO_LONG] += len(list(columns.answers(row)))
                elif row:
                    yield _table_row(columns, row + [""] * (width - len(row)))
        except csv.Error as error:
            raise LabelsError(
                f"line {rows.line_num} is no row of a table ({error}); save it as CSV again"
            ) from error


def _table_row(columns: Columns, row: list[str]) -> _Row:
    item = "" if columns.item is None else row[columns.item]
    texts: tuple[tuple[str, str, str], ...] = ()
    axis = "" if columns.axis is None else row[columns.axis]
    if columns.texts is not None:
        raw = (row[columns.texts[0]], row[columns.texts[1]], row[columns.texts[2]])
        cells = (from_cell(raw[0]), from_cell(raw[1]), from_cell(raw[2]))
        texts = (cells,) if cells == raw else (cells, raw)
    return _Row(item, texts, columns.answers(row), axis)


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


def _json_rows(path: Path) -> Iterator[_Row]:
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


def _json_row(entry: object, annotator: str) -> _Row:
    fields = entry if isinstance(entry, dict) else {}
    item, label = fields.get("item"), fields.get("label")
    texts = tuple(fields.get(name) for name in ("axis", "prompt", "response"))
    complete = all(isinstance(each, str) for each in texts)
    return _Row(
        item if isinstance(item, str) else "",
        (texts,) if complete else (),  # type: ignore[arg-type]  # all are texts
        [(annotator, "" if label is None else label)],
    )
