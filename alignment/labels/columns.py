"""Which columns of a table hold items and labels: our own layout, and what other tools make of it.

Label Studio keeps the columns of the table that was imported and adds those of its own, among them
one per control (`choice`) and the annotator; Argilla's records, flattened, have one row per item
and lists of all answers, users and states (`label.responses`, `.users`, `.status`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from alignment.errors import LabelsError, quoted

UNNAMED = "unnamed"
"""The annotator of a label that no name stands beside."""

_TEXTS = ("axis", "prompt", "response")
_ONE_EACH = "label_"
_LISTED = ("label.responses", "choice.responses")
_ENTRY = re.compile(r"""'([^']*)'|"([^"]*)"|([^\s,'"\[\]]+)""")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each thing is in a row; None for what the table does not have.

    `each` has by annotator the columns of one annotator; `listed` the columns with the answers,
    the users and the states of an item.
    """

    item: int | None
    axis: int | None
    texts: tuple[int, int, int] | None
    label: int | None
    annotator: int | None
    cancelled: int | None
    each: tuple[tuple[str, int], ...]
    listed: tuple[int, int, int] | None

    def answers(self, row: Sequence[str]) -> Iterator[tuple[str, str]]:
        """The (annotator, label) of a row, also where the label is empty: then as an empty text."""
        if self.listed is not None:
            yield from _listed_answers(*(row[place] for place in self.listed))
            return
        for annotator, place in self.each:
            yield annotator, row[place].strip()
        if self.label is None:
            return
        label = row[self.label].strip()
        if self.cancelled is not None and row[self.cancelled].strip().casefold() == "true":
            label = ""  # a skipped task of Label Studio
        if label or not self.each:
            annotator = "" if self.annotator is None else row[self.annotator].strip()
            yield annotator or UNNAMED, label


def columns_of(header: Sequence[str]) -> Columns | None:
    """The columns of a table with this header, or None if it has no labels or no items.

    Names are taken in any case and with spaces around them. Where a table has both, `choice` is
    read and `label` not: Label Studio's own answer is in the first, what was imported in the other.
    Raises LabelsError where a column that is read is there twice.
    """
    places = _places(header)
    texts = tuple(places.get(name) for name in _TEXTS)
    complete = None if None in texts else texts
    listed = next((each for each in _LISTED if each in places), None)
    columns = Columns(
        item=places.get("item"),
        axis=places.get("axis"),
        texts=complete,  # type: ignore[arg-type]  # no None is in it
        label=places.get("choice", places.get("label")),
        annotator=places.get("annotator"),
        cancelled=places.get("was_cancelled"),
        each=tuple(_each(header)),
        listed=None if listed is None else _list_places(places, listed),
    )
    has_labels = columns.label is not None or columns.each or columns.listed
    return columns if has_labels and (columns.item is not None or columns.texts) else None


def _places(header: Sequence[str]) -> Mapping[str, int]:
    places: dict[str, int] = {}
    for place, name in enumerate(header):
        known = name.strip().casefold()
        if known in places and (known in _KNOWN or known.startswith(_ONE_EACH)):
            raise LabelsError(f"has the column {quoted(known)} twice; leave one out")
        places.setdefault(known, place)
    return places


_KNOWN = {"item", *_TEXTS, "label", "choice", "annotator", "was_cancelled", *_LISTED}


def _each(header: Sequence[str]) -> Iterator[tuple[str, int]]:
    for place, name in enumerate(header):
        known = name.strip()
        if known.casefold().startswith(_ONE_EACH) and len(known) > len(_ONE_EACH):
            yield known[len(_ONE_EACH) :], place


def _list_places(places: Mapping[str, int], name: str) -> tuple[int, int, int] | None:
    try:
        return places[name], places[f"{name}.users"], places[f"{name}.status"]
    except KeyError:
        return None


def _listed_answers(answers: str, users: str, states: str) -> Iterator[tuple[str, str]]:
    """The submitted answers of an item; drafts and discarded ones have an empty label.

    Lists are written as in Python or JSON, or as numpy prints them, without commas. Lists of
    different lengths do not say who said what: then the cell is one label, which is no known word.
    """
    listed = [[next(filter(None, each), "") for each in _ENTRY.findall(cell)]
              for cell in (answers, users, states)]  # fmt: skip
    if len({len(each) for each in listed}) > 1:
        yield UNNAMED, answers
        return
    if not listed[0]:
        yield UNNAMED, ""
    for answer, user, state in zip(*listed, strict=True):
        yield user, answer if state == "submitted" else ""
