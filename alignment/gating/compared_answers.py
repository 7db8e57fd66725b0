"""Responses before and after: shown with flipped prompts, and checked for equality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from alignment.gating.baseline import Baseline, storable
from alignment.gating.gated_run import GatedRun
from alignment.records import Case
from alignment.records.decisions import Decision

_CONTENT = {"weights", "null"}
"""What a model is identified by if it is by its content; a recorded or served one is not."""


def with_answers(run: GatedRun, decision: Decision, *, anchor: bool = False) -> Decision:
    """A decision with the texts and responses of its flipped prompts, where they are known.

    `anchor` says that the decision compares with the anchor, whose responses are not stored.
    """
    prompts = {each.id: each for each in run.prompts(decision.variant, decision.axis)}
    after, before = run.answers(decision.variant), run.answers_before(decision.variant)
    flips = tuple(
        replace(
            flip,
            text=prompts[flip.prompt].text,
            response_before=None if anchor else before.get((decision.axis, flip.prompt)),
            response_after=after.get((decision.axis, flip.prompt)),
        )
        for flip in decision.flips
    )
    return replace(decision, flips=flips)


def unchanged(run: GatedRun, variant: str) -> bool:
    """Whether all answers equal the baseline's, although it is not known to be the same model."""
    baseline, cases = run.baselines[variant], run.cases[variant]
    if isinstance(baseline, str) or isinstance(cases, str) or run.reference is not None:
        return False
    return same_answers(baseline, cases) and not _same_model(run, variant)


def identical(run: GatedRun, variant: str) -> bool:
    """Whether both sides are known to be one model, and all answers are the same, byte for byte.

    A baseline has to store its responses for that.
    """
    cases, baseline = run.cases[variant], run.baselines[variant]
    if isinstance(cases, str):
        return False
    if run.reference is not None:
        after = run.answers(variant)
        same = len(after) == len(cases) and after == run.answers(run.reference)
    else:
        same = not isinstance(baseline, str) and same_answers(baseline, cases)
    return same and _same_model(run, variant)


def same_answers(baseline: Baseline, cases: Sequence[Case]) -> bool:
    """Whether every answer equals the one that the baseline stores, byte for byte."""
    stored = [baseline.cases.get(case.prompt.axis, {}).get(case.prompt.id) for case in cases]
    return bool(stored) and all(
        before is not None
        and before.response is not None
        and case.response is not None
        and before.response == storable(case.response.text)
        for before, case in zip(stored, cases, strict=True)
    )


def _same_model(run: GatedRun, variant: str) -> bool:
    """Whether the other side is known to be the same model: by its content, not by a name."""
    model = run.study.policy(variant).baseline_model()
    if run.reference is not None:
        other = run.study.policy(run.reference).baseline_model()
    else:
        baseline = run.baselines[variant]
        other = {} if isinstance(baseline, str) else baseline.model
    return not model.keys().isdisjoint(_CONTENT) and model == other
