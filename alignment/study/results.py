"""From a study to what is reported: the judge's trial, summaries, agreement, provenance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from alignment.analysis import comparing, judging, rollup
from alignment.analysis.rates import CAS
from alignment.config.profile import Profile
from alignment.records import (
    Agreement,
    Case,
    Results,
    SelfDisagreement,
    VariantSummary,
)
from alignment.records.decisions import Findings, Gate
from alignment.study.invariance import noise_floor
from alignment.study.study import Study
from alignment.study.trial import second_opinions, try_judge, try_nulls


def collect(study: Study, run: Mapping[str, Any]) -> Results:
    """All that is known of a study now, without computing anything heavy."""
    cases = study.found()
    profile = study.profile
    axes = {name: axis.rate for name, axis in profile.axes.items()}
    trials = {axis: try_judge(study, axis, make=False) for axis in axes}
    nulls = {axis: try_nulls(study, axis, make=False) for axis in axes}
    tried = not study.judge().asks or all(
        trials[axis] is not None and nulls[axis] is not None
        for axis in axes
        if study.data.trials.get(axis)
    )
    opinions = second_opinions(study, make=False)
    tried = tried and opinions.keys() == profile.judges.keys()
    return Results(
        profile=profile.resolved(),
        complete=tried and len(cases) + len(study.unscored) == len(list(study.keys())),
        limit=study.limit,
        cases=tuple(cases),
        summaries=_summarised(study, cases),
        trials={axis: trial for axis, trial in trials.items() if trial is not None},
        nulls={axis: rates for axis, rates in nulls.items() if rates},
        opinions=opinions,
        noise=_noise(study),
        unscored=study.unscored,
        disagreements=_disagreements(profile, cases),
        agreements=_agreements(cases, profile.confidence),
        models=_models(study),
        run=run,
    )


def findings(
    results: Results,
    profile: Profile,
    gate: Gate | None,
    manifests: Mapping[str, Mapping[str, object]],
) -> Findings:
    """The variants compared with each other, and what that says of the profile's claims."""
    axes = {name: axis.rate for name, axis in profile.axes.items()}
    comparisons = comparing.compare_all(results.cases, axes, profile.confidence)
    names = [*axes.values(), CAS]
    claims = profile.claims or comparing.leaders(comparisons, names)
    judged = comparing.judge_claims(claims, comparisons, names, 1 - profile.confidence)
    return Findings(tuple(comparisons), tuple(judged), gate, manifests)


def _agreements(cases: Sequence[Case], confidence: float) -> dict[str, Agreement]:
    """The judge against the grammar's truth, where the truth is known."""
    from alignment.tiny import good  # noqa: PLC0415 - most profiles know no truth

    known: dict[str, list[Case]] = {}
    for case in cases:
        if case.truth is not None:
            known.setdefault(case.prompt.axis, []).append(case)
    return {
        axis: judging.agreement(
            axis,
            [(case.passed, good(axis, case.truth or "")) for case in own],
            confidence,
            # Every variant answers the same prompts.
            clusters=[case.prompt.cluster for case in own],
        )
        for axis, own in known.items()
    }


def _models(study: Study) -> dict[str, dict[str, Any]]:
    """What every variant and the judge are: content hashes, recipe keys, or the recorded file."""
    return {name: kind.description(failed=name in study.failures) for name, kind in study.kinds()}


def _noise(study: Study) -> dict[str, dict[str, Any]]:
    """Variant or judge -> what was measured of it by `check-invariance`, where it was."""
    measured = {}
    for name, kind in study.kinds():
        asked = kind.asks and name not in study.failures
        identity = kind.known_identity() if asked else None
        record = None if identity is None else noise_floor(study.store, identity)
        if record is not None:
            measured[name] = {key: value for key, value in record.items() if key != "model"}
    return measured


def _disagreements(profile: Profile, cases: Sequence[Case]) -> dict[str, SelfDisagreement]:
    """Axis -> how far the judge is from itself, where it was asked several times."""
    found = {}
    for name, axis in profile.axes.items():
        own = (case.score.repeats for case in cases if case.prompt.axis == name)
        repeats = [[each[axis.dimension] for each in one] for one in own]
        told = judging.self_disagreement(name, repeats, axis.criterion, profile.confidence)
        if told is not None:
            found[name] = told
    return found


def summary(study: Study, variant: str) -> VariantSummary:
    """The summary of one variant over all prompts of the profile, computed where it is missing."""
    names = dict.fromkeys((variant, study.profile.reference))
    return _summaries(study, [name for name in names if name in study.profile.variants])[variant]


def summaries(study: Study) -> dict[str, VariantSummary]:
    """The summaries of all variants over all prompts of the profile."""
    return _summaries(study, list(study.profile.variants))


def _summaries(study: Study, names: Sequence[str]) -> dict[str, VariantSummary]:
    return _summarised(study, [case for name in names for case in study.cases(name)])


def _summarised(study: Study, cases: Sequence[Case]) -> dict[str, VariantSummary]:
    """The summaries of the variants that have a case or an answer without a score."""
    axes = {name: axis.rate for name, axis in study.profile.axes.items()}
    found = rollup.summarise_variants(
        cases, axes, reference=study.profile.reference, confidence=study.profile.confidence
    )
    unscored: dict[str, Counter[str]] = {}
    for variant, axis, _ in study.unscored:
        unscored.setdefault(variant, Counter())[axis] += 1
    nothing = VariantSummary("", {}, {}, {})
    return {
        name: replace(found.get(name, nothing), name=name, unscored=dict(unscored.get(name, {})))
        for name in study.profile.variants
        if name in found or name in unscored
    }
