"""Labels in files of other layouts, described by `labels.tables` of a profile."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from alignment.config.labels import LabelTable
from alignment.errors import LabelsError
from alignment.files.foreign import UnfitError, read_text
from alignment.prompts.jsonfiles import entries
from alignment.records.labels import Label, LabelVerdict, item_id

_DELIMITED = {".csv": ",", ".tsv": "\t"}


def read_table(table: LabelTable, *, data: Path) -> list[Label]:
    """The labels of a file of another layout.

    A row without a prompt or response column, and a column that no row has, raises LabelsError, one
    line; as does a file that cannot be read.
    """
    path = data / table.path
    labels: list[Label] = []
    for place, row in _rows(path):
        missing = [
            column
            for column in (table.prompt, table.response, *table.labels, *table.where)
            if column not in row
        ]
        if missing:
            raise LabelsError(
                f"{place}: there is no column {missing[0]!r}; it has {', '.join(sorted(row))}"
            )
        if any(row[column] not in values for column, values in table.where.items()):
            continue
        item = item_id(table.axis, row[table.prompt], row[table.response])
        labels += [
            Label(item, column, _verdict(row[column].strip(), table))
            for column in table.labels
            if row[column].strip()
        ]
    return labels


def _verdict(value: str, table: LabelTable) -> LabelVerdict:
    if value in table.passes:
        return "pass"
    return "fail" if value in table.fails else "unsure"


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """(place, row) of a file; the values of JSON rows as texts."""
    delimiter = _DELIMITED.get(path.suffix.lower())
    if delimiter is None:
        for entry in entries(path):
            yield entry.place, {key: str(value) for key, value in entry.value.items()}
        return
    try:
        text = read_text(path)
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        for row in reader:
            if None in row or None in row.values():
                raise LabelsError(
                    f"{path}, line {reader.line_num}: the row has another number of cells than the "
                    f"header; save the file as {path.suffix.lower()[1:].upper()} again"
                )
            yield f"{path}, line {reader.line_num}", row
    except (UnfitError, csv.Error) as error:
        raise LabelsError(f"{path}: {error}") from error
