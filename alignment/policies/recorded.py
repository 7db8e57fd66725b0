"""Recorded responses as a policy: what somebody's model answered, matched to the prompts by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from alignment.config.profile import Profile
from alignment.errors import PromptError
from alignment.prompts.recordings import RecordedRow, read_recorded
from alignment.records import Prompt

Rows = dict[tuple[str, str], RecordedRow]
"""(axis, prompt id) -> row."""


def recorded_rows(profile: Profile, prompts: Mapping[str, Sequence[Prompt]]) -> dict[str, Rows]:
    """Variant -> its recorded row for every prompt, for the variants with `recorded`.

    Raises PromptError when a variant leaves a prompt unanswered, or its rows have neither a
    response nor a score where one is needed.
    """
    found: dict[str, Rows] = {}
    for name, variant in profile.variants.items():
        if variant.recorded is None:
            continue
        rows = read_recorded(variant.recorded, data=Path(profile.data))
        found[name] = _matched(name, rows, prompts)
        _check(name, found[name], scored=profile.judge.recorded)
    return found


def _matched(
    variant: str, rows: Sequence[RecordedRow], prompts: Mapping[str, Sequence[Prompt]]
) -> Rows:
    """Rows that name no axis answer their prompt wherever it is asked."""
    by_axis = {(row.axis, row.id): row for row in rows if row.axis is not None}
    anywhere = {row.id: row for row in rows if row.axis is None}
    matched: Rows = {}
    for axis, asked in prompts.items():
        missing = []
        for prompt in asked:
            row = by_axis.get((axis, prompt.id)) or anywhere.get(prompt.id)
            if row is None:
                missing.append(prompt)
            else:
                matched[axis, prompt.id] = row
        if missing:
            raise PromptError(
                f"variant {variant!r}: {len(missing)} of {len(asked)} {axis} prompts have no "
                f"recorded response, first {missing[0].id} ({missing[0].text[:50]!r}...)"
            )
    return matched


def _check(variant: str, rows: Rows, *, scored: bool) -> None:
    for row in rows.values():
        if scored and row.score is None:
            raise PromptError(
                f"{row.source}, row {row.line}: no `score`, and the judge of this profile is "
                f"`recorded`; add scores, or name a judge's `model` or `stages`"
            )
        if not scored and row.response is None:
            raise PromptError(
                f"{row.source}, row {row.line}: variant {variant!r} has no `response` to score"
            )
