"""The probe set: null answers whose scores show whether the judge is the baseline's."""

from __future__ import annotations

from statistics import fmean

from alignment.gating.baseline import Baseline, ProbeScore
from alignment.policies.null import answer
from alignment.study.study import Study

PROBES = 5
"""Prompts per axis in the probe set; each has two null answers."""


def probe_set(study: Study) -> tuple[ProbeScore, ...]:
    """Answers of null policies to the first prompts of every axis, with the judge's scores.

    Empty where scores are recorded; answers to which the judge gives no score are left out.
    """
    answers = [
        (prompt, answer(kind, prompt.text))
        for prompts in study.prompts.values()
        for prompt in sorted(prompts, key=lambda prompt: prompt.id)[:PROBES]
        for kind in ("refuse", "other")
    ]
    scores = study.scores_of([(prompt.text, text) for prompt, text in answers], "probe set")
    if scores is None:
        return ()
    axes = study.profile.axes
    return tuple(
        ProbeScore(prompt=prompt.id, response=text, score=score.values[axes[prompt.axis].dimension])
        for (prompt, text), score in zip(answers, scores, strict=True)
        if score.unscored is None
    )


def probe_error(study: Study, baseline: Baseline) -> float:
    """How far this run's judge is from the scores of a baseline's probe set.

    The mean absolute difference, in the judge's unit; 0 where nothing of the set can be scored. A
    judge that gives none of it a score is noticed by the unscored responses of the run.
    """
    prompts = {prompt.id: prompt for of_axis in study.prompts.values() for prompt in of_axis}
    probes = [probe for probe in baseline.probe if probe.prompt in prompts]
    answers = [(prompts[probe.prompt].text, probe.response) for probe in probes]
    scores = study.scores_of(answers, "baseline's probe set") if answers else None
    if not scores:
        return 0.0
    axes = [study.profile.axes[prompts[probe.prompt].axis] for probe in probes]
    errors = [
        abs(score.values[axis.dimension] - probe.score)
        for score, axis, probe in zip(scores, axes, probes, strict=True)
        if score.unscored is None
    ]
    return fmean(errors) if errors else 0.0
