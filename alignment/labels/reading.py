"""Labels read back: the page's JSON, and tables of our layout that any tool has filled.

The files come from outside. What makes a whole file unreadable is a `LabelsError`; what is wrong
with one label has it left out and counted by its reason, so that all labels of a file are accounted
for. Nothing is executed, and memory is bounded by the size of the file.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alignment.errors import LabelsError
from alignment.files.foreign import UnfitError
from alignment.labels.rows import Row, rows_of
from alignment.labels.words import verdict_of
from alignment.records.labels import (
    ID_LENGTH,
    Label,
    LabelItem,
    LabelVerdict,
    encodable,
    item_id,
)

NO_ITEM = "no item: neither an id nor axis, prompt and response"
CHANGED = "another text than that of the item's id"
NO_LABEL = "no label"
UNKNOWN = "a label that is no known word"
REPEATED = "repeated with the same answer"
CONTRADICTORY = "two answers of one annotator to one item"
TOO_LONG = "more cells than columns"

_ID = re.compile(f"[0-9a-f]{{{ID_LENGTH}}}")


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
        for row in rows_of(path):
            found.add(row)
    except LabelsError as error:
        raise LabelsError(f"{path}: {error}") from None
    except UnfitError as error:
        raise LabelsError(f"{path}: {error}") from error
    except UnicodeDecodeError:
        raise LabelsError(f"{path}: is not UTF-8; save it as CSV in UTF-8") from None
    except OSError as error:
        raise LabelsError(f"{path}: cannot be read: {error.strerror or error}") from error
    return found.result()


# -- one row after another ------------------------------------------------------------------------


@dataclass
class _Found:
    """Collects labels; a second label of one annotator for one item is never counted."""

    verdicts: dict[tuple[str, str], LabelVerdict | None] = field(default_factory=dict)
    """By item and annotator; None once answers contradict each other."""
    items: dict[str, LabelItem] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, row: Row) -> None:
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
        if row.too_long:
            fault = TOO_LONG
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


def _identify(row: Row) -> tuple[str, tuple[str, str, str] | None, str | None]:
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
