"""The probe set: null answers by whose scores another judge is told from the baseline's."""

from __future__ import annotations

from statistics import fmean

from alignment.gating.baseline import Baseline, ProbeScore
from alignment.policies.null import answer
from alignment.study.study import Study

PROBES = 5
"""Prompts per axis whose null answers every judge of a baseline must score alike."""


def probe_set(study: Study) -> tuple[ProbeScore, ...]:
    """Null answers to the first prompts of every axis: what null policies say, scored anyway.

    Empty where scores are recorded; those that the judge gives no score are left out.
    """
    asked = [
        (prompt, answer(kind, prompt.text))
        for prompts in study.prompts.values()
        for prompt in sorted(prompts, key=lambda prompt: prompt.id)[:PROBES]
        for kind in ("refuse", "other")
    ]
    scores = study.scores_of([(prompt.text, text) for prompt, text in asked], "probe set")
    if scores is None:
        return ()
    axes = study.profile.axes
    return tuple(
        ProbeScore(prompt=prompt.id, response=text, score=score.values[axes[prompt.axis].dimension])
        for (prompt, text), score in zip(asked, scores, strict=True)
        if score.unscored is None
    )


def probe_error(study: Study, baseline: Baseline) -> float:
    """How far this run's judge is from the scores of a baseline's probe set.

    The mean absolute difference, in the judge's unit; 0 where nothing of it can be scored. A judge
    that scores none of the set is found by what it leaves unscored.
    """
    prompts = {prompt.id: prompt for asked in study.prompts.values() for prompt in asked}
    probes = [probe for probe in baseline.probe if probe.prompt in prompts]
    asked = [(prompts[probe.prompt].text, probe.response) for probe in probes]
    scores = study.scores_of(asked, "baseline's probe set") if asked else None
    if not scores:
        return 0.0
    axes = [study.profile.axes[prompts[probe.prompt].axis] for probe in probes]
    errors = [
        abs(score.values[axis.dimension] - probe.score)
        for score, axis, probe in zip(scores, axes, probes, strict=True)
        if score.unscored is None
    ]
    return fmean(errors) if errors else 0.0
