"""Verdicts paired by prompt: the one place where two judged responses become a `PairedVerdict`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from alignment.records import Case
from alignment.records.decisions import PairedVerdict


class Judged(NamedTuple):
    """The verdict on a response, and its score in the judge's unit.

    `degenerate` is the kind of a degenerate response; None for others, and where it is not known.
    """

    passed: bool
    score: float
    degenerate: str | None = None


def judged(case: Case) -> Judged:
    """A case of this run as one side of a pair."""
    return Judged(case.passed, case.value, case.degenerate)


def judged_cases(cases: Iterable[Case]) -> dict[str, Judged]:
    """The cases of one variant and axis as a side of pairs, by prompt id."""
    return {case.prompt.id: judged(case) for case in cases}


def pair(prompt: str, cluster: str, before: Judged, after: Judged) -> PairedVerdict:
    """Both responses to one prompt; `prompt` is its id, `cluster` that of its dialogue."""
    return PairedVerdict(
        prompt=prompt,
        cluster=cluster,
        before=before.passed,
        after=after.passed,
        score_before=before.score,
        score_after=after.score,
        degenerate_before=before.degenerate,
        degenerate_after=after.degenerate,
    )


def paired(before: Mapping[str, Judged], after: Iterable[Case]) -> tuple[PairedVerdict, ...]:
    """Pairs of the cases whose prompts have a verdict on the other side too, in their order."""
    return tuple(
        pair(case.prompt.id, case.prompt.cluster, before[case.prompt.id], judged(case))
        for case in after
        if case.prompt.id in before
    )
