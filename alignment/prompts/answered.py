"""The prompts of axes whose prompts are whatever the recorded variants answered."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from alignment.config.axes import RecordedSource
from alignment.config.profile import Profile
from alignment.errors import PromptError
from alignment.prompts.recordings import RecordedRow, read_recorded
from alignment.prompts.transcripts import cluster_id, shown
from alignment.records import Prompt


def recorded_prompts(profile: Profile, *, data: Path) -> dict[str, tuple[Prompt, ...]]:
    """For each axis with origin `recorded`: the prompts, in the order of the first variant's rows.

    A prompt that is known by its id alone has an empty text, and its id for a cluster. Raises
    PromptError when no variant is recorded, when one has no rows for an axis, and when two answer
    different prompts (the first one that differs is named).
    """
    axes = recorded_axes(profile)
    if not axes:
        return {}
    read = {
        name: read_recorded(recorded, data=data) for name, recorded in profile.recordings().items()
    }
    if not read:
        raise PromptError(
            f"axis {axes[0]!r} asks the prompts of recorded variants, and no variant has `recorded`"
        )
    return {
        axis: _prompts({name: rows_of(rows, axis, profile) for name, rows in read.items()}, axis)
        for axis in axes
    }


def rows_of(rows: Iterable[RecordedRow], axis: str, profile: Profile) -> list[RecordedRow]:
    """The rows of one axis. Rows that name no axis belong to the only axis of the profile.

    Raises PromptError for a row without an axis where the profile has several.
    """
    several = len(profile.axes) > 1
    kept: list[RecordedRow] = []
    for row in rows:
        if row.axis is None and several:
            raise PromptError(
                f"{row.source}, row {row.line}: `axis` is required, one of "
                f"{', '.join(profile.axes)}; or give `recorded` one file per axis"
            )
        if row.axis in (None, axis):
            kept.append(row)
    return kept


def recorded_axes(profile: Profile) -> list[str]:
    """The axes of a profile whose prompts are the recorded ones."""
    return [
        name
        for name, axis in profile.axes.items()
        if isinstance(axis.prompts.origin, RecordedSource)
    ]


def _prompts(by_variant: dict[str, list[RecordedRow]], axis: str) -> tuple[Prompt, ...]:
    known: dict[str, Prompt] = {}
    first, *_ = by_variant
    for name, rows in by_variant.items():
        if not rows:
            raise PromptError(f"variant {name!r} has no recorded rows for axis {axis!r}")
        _same(first, by_variant[first], name, rows, axis)
        for row in rows:
            if row.id not in known or not known[row.id].text:
                known[row.id] = _prompt(row, axis)
    return tuple(known.values())


def _same(
    first: str, first_rows: list[RecordedRow], name: str, rows: list[RecordedRow], axis: str
) -> None:
    for here, there, missing in ((first_rows, rows, name), (rows, first_rows, first)):
        answered = {row.id for row in there}
        lost = next((row for row in here if row.id not in answered), None)
        if lost is not None:
            what = f" ({shown(lost.prompt)})" if lost.prompt else ""
            raise PromptError(
                f"axis {axis!r}: variant {missing!r} has no recorded row for prompt {lost.id}"
                f"{what}, which is in {lost.source}, row {lost.line}; "
                "the variants must answer the same prompts"
            )


def _prompt(row: RecordedRow, axis: str) -> Prompt:
    text = row.prompt or ""
    return Prompt(row.id, axis, text, cluster_id(text) if text else row.id, row.source)
