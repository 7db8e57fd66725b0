"""The prompts of axes that take them from the recorded variants' rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from alignment.config.axes import RecordedSource
from alignment.config.profile import Profile
from alignment.errors import PromptError, quoted
from alignment.prompts.recordings import RecordedRow, read_recorded
from alignment.prompts.transcripts import cluster_id, shown
from alignment.records import Prompt


def recorded_prompts(profile: Profile, *, data: Path) -> dict[str, tuple[Prompt, ...]]:
    """Axis -> prompts in the order of the first variant's rows, for axes with origin `recorded`.

    A prompt that is known by its id only has an empty text, and its id as its cluster. Raises
    PromptError if no variant is recorded, if one has no rows for an axis, and if two answer
    different prompts (the first difference is named).
    """
    axes = recorded_axes(profile)
    if not axes:
        return {}
    rows_by_variant = {
        name: read_recorded(spec, data=data, columns=profile.slices.by)
        for name, spec in profile.recordings().items()
    }
    if not rows_by_variant:
        raise PromptError(
            f"axis {axes[0]!r} asks the prompts of recorded variants, and no variant has `recorded`"
        )
    return {
        axis: _prompts(
            {name: rows_of(rows, axis, profile) for name, rows in rows_by_variant.items()}, axis
        )
        for axis in axes
    }


def rows_of(rows: Iterable[RecordedRow], axis: str, profile: Profile) -> list[RecordedRow]:
    """The rows of one axis. Rows without an axis belong to the only axis of the profile.

    Raises PromptError for a row without an axis if the profile has several.
    """
    several = len(profile.axes) > 1
    axis_rows: list[RecordedRow] = []
    for row in rows:
        if row.axis is None and several:
            raise PromptError(
                f"{row.source}, row {row.line}: `axis` is required, one of "
                f"{', '.join(profile.axes)}; or give `recorded` one file per axis"
            )
        if row.axis in (None, axis):
            axis_rows.append(row)
    return axis_rows


def recorded_axes(profile: Profile) -> list[str]:
    """The names of the axes whose prompts are the recorded ones."""
    return [
        name
        for name, axis in profile.axes.items()
        if isinstance(axis.prompts.origin, RecordedSource)
    ]


def _prompts(by_variant: dict[str, list[RecordedRow]], axis: str) -> tuple[Prompt, ...]:
    prompts: dict[str, Prompt] = {}
    first, *_ = by_variant
    for name, rows in by_variant.items():
        if not rows:
            raise PromptError(f"variant {name!r} has no recorded rows for axis {axis!r}")
        _require_same_prompts(first, by_variant[first], name, rows, axis)
        for row in rows:
            known = prompts.get(row.id)
            if known is None or not known.text:
                prompts[row.id] = _prompt(row, axis)
            if known is not None:
                columns = _merged(known.columns, row)
                prompts[row.id] = replace(prompts[row.id], columns=columns)
    return tuple(prompts.values())


def _merged(known: Mapping[str, str], row: RecordedRow) -> Mapping[str, str]:
    """The columns of a prompt from several rows; raises PromptError where two values differ."""
    for column, value in row.columns.items():
        other = known.get(column, value)
        if value != other:
            raise PromptError(
                f"{row.source}, row {row.line}: {quoted(column)} of prompt {row.id} is "
                f"{quoted(value)}, and {quoted(other)} in the file of another variant; correct one "
                f"of them"
            )
    return {**known, **row.columns}


def _require_same_prompts(
    first: str, first_rows: list[RecordedRow], name: str, rows: list[RecordedRow], axis: str
) -> None:
    """Raise PromptError unless two variants have rows for the same prompts."""
    for some_rows, other_rows, missing in ((first_rows, rows, name), (rows, first_rows, first)):
        answered_ids = {row.id for row in other_rows}
        unanswered = next((row for row in some_rows if row.id not in answered_ids), None)
        if unanswered is not None:
            text = f" ({shown(unanswered.prompt)})" if unanswered.prompt else ""
            raise PromptError(
                f"axis {axis!r}: variant {missing!r} has no recorded row for prompt {unanswered.id}"
                f"{text}, which is in {unanswered.source}, row {unanswered.line}; "
                "the variants must answer the same prompts"
            )


def _prompt(row: RecordedRow, axis: str) -> Prompt:
    text = row.prompt or ""
    return Prompt(
        id=row.id,
        axis=axis,
        text=text,
        cluster=cluster_id(text) if text else row.id,
        source=row.source,
        columns=row.columns,
    )
