"""Recorded responses and scores, and the prompts that they answer."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from alignment.config.tables import HIGHEST
from alignment.errors import PromptError, quoted
from alignment.prompts.harness import as_recorded, is_sample, with_document
from alignment.prompts.jsonfiles import entries, text_field
from alignment.prompts.slicing import columns_of
from alignment.prompts.transcripts import content_id, shown
from alignment.records.labels import LabelVerdict

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")


@dataclass(frozen=True, slots=True)
class RecordedRow:
    """One recorded row: a response, a score or both, to a prompt given by text or by id only."""

    axis: str | None
    prompt: str | None
    id: str
    """The prompt's id."""
    response: str | None
    score: float | None
    line: int
    source: str
    labels: Mapping[str, LabelVerdict] = field(default_factory=dict)
    """Annotator -> what they say of the response."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """The values in the columns that were asked for."""


def read_recorded(
    spec: str | Mapping[str, str], *, data: Path, columns: Sequence[str] = ()
) -> list[RecordedRow]:
    """Read recorded answers from one JSON or JSONL(.gz) file, or from one file per axis.

    Keys: `prompt` or `prompt_id`, `response`, `score` (or `rating`), `axis`, and labels of people:
    `label`, or `label_NAME` for each annotator (`pass`, `fail` or `unsure`); others than those in
    `columns` are ignored.
    Rows that lm-evaluation-harness wrote with `--log_samples` are accepted too. Relative paths
    start at `data`. Duplicates of earlier rows are dropped. Raises PromptError, naming file and
    line, for missing keys, wrong types, scores that are not finite or too large, a prompt with two
    different answers, and an axis other than that of its file.
    """
    files = [(None, spec)] if isinstance(spec, str) else list(spec.items())
    return [row for axis, path in files for row in _read_file(data / path, path, axis, columns)]


def _read_file(
    path: Path, name: str, axis: str | None, columns: Sequence[str]
) -> list[RecordedRow]:
    rows: dict[tuple[str | None, str], tuple[RecordedRow, str]] = {}
    for entry in entries(path):
        row = _row(entry.value, entry.number, name, axis, entry.place, columns)
        key = (row.axis, row.id)
        first, place = rows.setdefault(key, (row, entry.place))
        if (row.response, row.score) != (first.response, first.score):
            raise PromptError(
                f"{entry.place}: prompt {row.id} was answered otherwise in {place}; "
                "one answer per prompt is required"
            )
    return [row for row, _ in rows.values()]


def _row(
    value: Mapping[str, Any],
    number: int,
    source: str,
    axis: str | None,
    place: str,
    columns: Sequence[str],
) -> RecordedRow:
    found = columns_of(with_document(value), columns, place)
    if is_sample(value):
        value = {"axis": value.get("axis"), **as_recorded(value, place)}
    prompt, id_ = _prompt_and_id(value, place)
    response = text_field(value, "response", place)
    score = _score(value, place)
    if response is None and score is None:
        raise PromptError(f"{place}: `response` or `score` is required")
    row_axis = text_field(value, "axis", place)
    if axis is not None and row_axis not in (None, axis):
        raise PromptError(f"{place}: `axis` is {quoted(row_axis)}, in the file of axis {axis!r}")
    labels = _labels(value, place)
    return RecordedRow(
        axis or row_axis, prompt, id_, response, score, number, source, labels, found
    )


def _labels(value: Mapping[str, Any], place: str) -> dict[str, LabelVerdict]:
    """Annotator -> verdict, from `label` and `label_NAME`; empty and missing ones are left out."""
    labels: dict[str, LabelVerdict] = {}
    for key, label in value.items():
        if key != "label" and not key.startswith("label_"):
            continue
        if label is None or label == "":
            continue
        if label not in get_args(LabelVerdict):
            raise PromptError(
                f"{place}: `{shown(key)[1:-1]}` is {quoted(label)}; `pass`, `fail` or `unsure` is "
                f"required"
            )
        labels[key] = label
    return labels


def _prompt_and_id(value: Mapping[str, Any], place: str) -> tuple[str | None, str]:
    """(prompt or None, id); the id is the row's or the hash of the prompt's content."""
    prompt, prompt_id = text_field(value, "prompt", place), text_field(value, "prompt_id", place)
    if prompt is not None and not prompt.strip():
        raise PromptError(f"{place}: `prompt` is empty")
    if prompt_id is not None and not _ID.fullmatch(prompt_id):
        raise PromptError(
            f"{place}: `prompt_id` is {shown(prompt_id)}; letters, digits and `_.:-` are accepted"
        )
    if prompt is None:
        if prompt_id is None:
            raise PromptError(f"{place}: `prompt` or `prompt_id` is required")
        return None, prompt_id
    content = content_id(prompt)
    if prompt_id not in (None, content):
        raise PromptError(
            f"{place}: `prompt_id` is {prompt_id}, and the prompt's content has the id {content}; "
            f"leave out one of them"
        )
    return prompt, content


def _score(value: Mapping[str, Any], place: str) -> float | None:
    key = "score" if value.get("score") is not None else "rating"
    number = value.get(key)
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise PromptError(f"{place}: `{key}` must be a number, not a {type(number).__name__}")
    try:
        score = float(number)
    except OverflowError:
        score = math.inf
    if not math.isfinite(score):
        raise PromptError(f"{place}: `{key}` is {score}, not a finite number")
    if abs(score) > HIGHEST:
        raise PromptError(
            f"{place}: `{key}` is {score:g}; scores lie between {-HIGHEST:g} and {HIGHEST:g}"
        )
    return score
