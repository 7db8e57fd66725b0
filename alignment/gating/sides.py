"""The two sides of a comparison, prompt by prompt: what was there before, and this run's cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from alignment.analysis import degenerate
from alignment.gating.baseline import Baseline, Row, storable
from alignment.records import Case, Prompt
from alignment.records.decisions import PairedVerdict


class Earlier(NamedTuple):
    """A verdict of the other side, its score, and what kind of degenerate response it was on."""

    passed: bool
    score: float
    degenerate: str | None = None


Side = tuple[Mapping[str, Earlier], tuple[str, ...]]
"""Prompt id -> the other side's verdict, and what forbids comparing with it."""


def of_cases(cases: Iterable[Case]) -> dict[str, Earlier]:
    """The verdicts of another variant of the same run."""
    return {c.prompt.id: Earlier(c.passed, c.value, c.degenerate) for c in cases}


def of_rows(
    rows: Mapping[str, Row], prompts: Sequence[Prompt], *, anchor: bool = False
) -> dict[str, Earlier]:
    """The verdicts of a baseline, or those of its anchor."""
    texts = {prompt.id: prompt.text for prompt in prompts}
    return {
        id_: Earlier(row.anchor if anchor else row.passed, row.score, kind_of(row, texts.get(id_)))
        for id_, row in rows.items()
    }


def kind_of(row: Row, prompt: str | None) -> str | None:
    """The kind of a stored degenerate response; older baselines say it by the response alone."""
    if row.degenerate is not None or row.response is None or prompt is None:
        return row.degenerate
    return degenerate.kind(prompt, row.response)


def paired(before: Mapping[str, Earlier], after: Iterable[Case]) -> tuple[PairedVerdict, ...]:
    """The prompts that have a score on both sides."""
    return tuple(
        PairedVerdict(
            prompt=case.prompt.id,
            cluster=case.prompt.cluster,
            before=before[case.prompt.id].passed,
            after=case.passed,
            score_before=before[case.prompt.id].score,
            score_after=case.value,
            degenerate_before=before[case.prompt.id].degenerate,
            degenerate_after=case.degenerate,
        )
        for case in after
        if case.prompt.id in before
    )


def unchanged(found: Baseline, cases: Sequence[Case]) -> bool:
    """Whether every answer is the one that a baseline stores, byte for byte."""
    rows = [found.cases.get(case.prompt.axis, {}).get(case.prompt.id) for case in cases]
    return bool(rows) and all(
        row is not None
        and row.response is not None
        and case.response is not None
        and row.response == storable(case.response.text)
        for row, case in zip(rows, cases, strict=True)
    )


def known(model: Mapping[str, Any]) -> bool:
    """Whether what answered is known by its content; what was recorded or is served is not."""
    return not model.keys().isdisjoint({"weights", "null"})
