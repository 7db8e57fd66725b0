"""Scores a baseline's responses again with this run's judge, where only the judge differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alignment.analysis.decision_rule import GateRule
from alignment.analysis.paired import rate_change
from alignment.analysis.pairing import Judged, pair
from alignment.gating.baseline import Baseline, BaselineCase
from alignment.gating.gated_run import GatedRun
from alignment.gating.other_side import OtherSide, incomparable, judged_baseline, kind_of
from alignment.records import Prompt
from alignment.records.decisions import ACCEPT, Shift


def rescore_baseline(run: GatedRun, variant: str, axis: str, baseline: Baseline) -> OtherSide:
    """A baseline's responses with verdicts by this run's judge, and the drift between the judges.

    Incomparable where the baseline stores no responses, or where scores are recorded.
    """
    stored = baseline.cases[axis]
    prompts = [prompt for prompt in run.prompts(variant, axis) if prompt.id in stored]
    answers = [
        (prompt.text, response)
        for prompt in prompts
        if (response := stored[prompt.id].response) is not None
    ]
    if len(answers) < len(prompts):
        return incomparable(
            f"the baseline of {variant!r} stores no responses that could be scored again; accept a "
            f"run of the earlier judge with {ACCEPT} --alignment-set gate.responses=true"
        )
    scores = run.study.scores_of(answers, f"baseline of {variant}, scored again")
    if scores is None:
        return incomparable("recorded scores cannot be computed again; name a judge")
    settings = run.profile.axes[axis]
    values = {
        prompt.id: score.values[settings.dimension]
        for prompt, score in zip(prompts, scores, strict=True)
        if score.unscored is None
    }
    now = {
        prompt.id: Judged(
            settings.criterion.met_by(values[prompt.id]),
            values[prompt.id],
            kind_of(stored[prompt.id], prompt.text),
        )
        for prompt in prompts
        if prompt.id in values
    }
    if not now:
        return OtherSide(now)  # reported as missing scores
    return OtherSide(now, drift=_drift(run.rules[axis], prompts, stored, now))


def _drift(
    rule: GateRule,
    prompts: Sequence[Prompt],
    stored: Mapping[str, BaselineCase],
    now: Mapping[str, Judged],
) -> Shift:
    """The change of the rate that the judge alone caused: the same responses, scored twice."""
    then = judged_baseline(stored, prompts)
    pairs = [
        pair(prompt.id, prompt.cluster, then[prompt.id], now[prompt.id])
        for prompt in prompts
        if prompt.id in now
    ]
    change = rate_change(rule.rate, pairs, rule.confidence)
    return Shift(rule.rate, change.difference, change.interval)
