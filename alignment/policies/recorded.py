"""Recorded responses as a policy: rows of a file, matched to the prompts by id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from alignment.errors import JudgeError, ModelError, PromptError
from alignment.policies.kind import PolicyKind
from alignment.policies.protocol import Policy
from alignment.prompts.recordings import RecordedRow, read_recorded
from alignment.records import Prompt, Response
from alignment.records.labels import Label, item_id
from alignment.store import content_key

Rows = dict[tuple[str, str], RecordedRow]
"""(axis, prompt id) -> row."""


class Kind(PolicyKind):
    """A variant with `recorded`."""

    asks = False
    has_scores = True

    def check(self) -> None:
        """Read the files: every prompt must be answered. Raises PromptError."""
        _ = self.rows

    def identity(self) -> str:
        """A hash of the content of its files."""
        files = self.config.recorded_files
        hashes = [self.context.store.file_hash(Path(self.context.profile.data) / f) for f in files]
        return content_key("recorded", hashes)

    def open(self) -> Policy:
        """Raises ModelError: its responses are there, and no model is."""
        raise ModelError(f"{self.where}: has its responses already: nobody can be asked")

    @cached_property
    def rows(self) -> Rows:
        """(axis, prompt id) -> row, for every prompt.

        Raises PromptError if a prompt has no row, a row lacks the response or score that is needed,
        or a file changes meanwhile.
        """
        return self.context.data.steadily(self._read)

    def _read(self) -> Rows:
        profile = self.context.profile
        assert self.config.recorded is not None  # noqa: S101 - true of this kind
        rows = read_recorded(self.config.recorded, data=Path(profile.data))
        matched = _match(self.variant, rows, self.context.data.prompts)
        _require_scores_or_responses(self.variant, matched, scored=profile.judge.recorded)
        return matched

    def responses(self, prompts: Sequence[Prompt]) -> dict[str, Response]:
        """Prompt id -> recorded response; rows with only a score are left out."""
        texts = {p.id: self.rows[p.axis, p.id].response for p in prompts if _key(p) in self.rows}
        return {id_: Response(text, "recorded") for id_, text in texts.items() if text is not None}

    def recorded_scores(self, prompts: Sequence[Prompt]) -> dict[str, float]:
        """Prompt id -> recorded score. Raises JudgeError if a prompt has none."""
        scores: dict[str, float] = {}
        for prompt in prompts:
            row = self.rows.get(_key(prompt))
            if row is None or row.score is None:
                raise JudgeError(
                    f"variant {self.variant!r}: prompt {prompt.id} has no recorded score"
                )
            scores[prompt.id] = row.score
        return scores

    def labels(self) -> Iterator[Label]:
        """The labels beside its responses; those of a row that names no axis need a single axis."""
        single = len(self.context.profile.axes) == 1
        for (axis, _), row in self.rows.items():
            if (row.axis is None and not single) or row.prompt is None or row.response is None:
                continue
            item = item_id(axis, row.prompt, row.response)
            yield from (Label(item, name, verdict) for name, verdict in row.labels.items())

    def description(self, *, failed: bool) -> dict[str, Any]:
        """Its files, as the profile spells them."""
        del failed
        return {"recorded": self.config.recorded}

    def baseline_model(self) -> dict[str, Any]:
        """Only that it is recorded: paths mean nothing on other machines."""
        return {"recorded": True}


def _key(prompt: Prompt) -> tuple[str, str]:
    return prompt.axis, prompt.id


def _match(
    variant: str, rows: Sequence[RecordedRow], prompts: Mapping[str, Sequence[Prompt]]
) -> Rows:
    """(axis, prompt id) -> row; a row without an axis answers its prompt on every axis."""
    by_axis = {(row.axis, row.id): row for row in rows if row.axis is not None}
    anywhere = {row.id: row for row in rows if row.axis is None}
    matched: Rows = {}
    for axis, axis_prompts in prompts.items():
        missing = []
        for prompt in axis_prompts:
            row = by_axis.get((axis, prompt.id)) or anywhere.get(prompt.id)
            if row is None:
                missing.append(prompt)
            else:
                matched[axis, prompt.id] = row
        if missing:
            raise PromptError(
                f"variant {variant!r}: {len(missing)} of {len(axis_prompts)} {axis} prompts have "
                f"no recorded response, first {missing[0].id} ({missing[0].text[:50]!r}...)"
            )
    return matched


def _require_scores_or_responses(variant: str, rows: Rows, *, scored: bool) -> None:
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
