"""From a study to its results: the judge's trial, summaries, agreement, provenance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from alignment.analysis import judging, rollup
from alignment.analysis.claims import judge_claims, leaders
from alignment.analysis.comparisons import compare_all
from alignment.analysis.rates import CAS
from alignment.config.profile import Profile
from alignment.records import (
    Agreement,
    Case,
    Results,
    SelfDisagreement,
    VariantSummary,
    Votes,
)
from alignment.records.decisions import Findings, GateResult
from alignment.study.invariance import noise_floor
from alignment.study.study import Study
from alignment.study.trial import second_opinions, try_judge, try_nulls


def collect(study: Study, run: Mapping[str, Any]) -> Results:
    """The results of a study as far as they are stored; runs no policy and no judge.

    `run` is what may differ between equal runs (see `Results`).
    """
    cases = study.found()
    profile = study.profile
    axes = {name: axis.rate for name, axis in profile.axes.items()}
    trials = {axis: try_judge(study, axis, make=False) for axis in axes}
    nulls = {axis: try_nulls(study, axis, make=False) for axis in axes}
    trials_done = not study.judge().asks or all(
        trials[axis] is not None and nulls[axis] is not None
        for axis in axes
        if study.data.trials.get(axis)
    )
    opinions = second_opinions(study, make=False)
    members = len(study.judge().members)
    trials_done = trials_done and opinions.keys() == profile.judges.keys()
    return Results(
        profile=profile.resolved(),
        complete=trials_done and len(cases) + len(study.unscored) == len(list(study.keys())),
        limit=study.limit,
        cases=tuple(cases),
        summaries=_summaries_of_cases(study, cases),
        trials={axis: trial for axis, trial in trials.items() if trial is not None},
        nulls={axis: rates for axis, rates in nulls.items() if rates},
        opinions=opinions,
        noise=_noise(study),
        unscored=study.unscored,
        disagreements={} if members else _disagreements(profile, cases),
        votes=_votes(profile, cases, members) if members else {},
        agreements=_agreements(cases, profile.confidence),
        models=_models(study),
        run=run,
    )


def findings(
    results: Results,
    profile: Profile,
    gate: GateResult | None,
    manifests: Mapping[str, Mapping[str, object]],
) -> Findings:
    """The comparisons of variants, the verdicts on the profile's claims, and the gate's result."""
    axes = {name: axis.rate for name, axis in profile.axes.items()}
    comparisons = compare_all(results.cases, axes, profile.confidence)
    names = [*axes.values(), CAS]
    claims = profile.claims or leaders(comparisons, names)
    judged = judge_claims(claims, comparisons, names, 1 - profile.confidence)
    return Findings(tuple(comparisons), tuple(judged), gate, manifests)


def _agreements(cases: Sequence[Case], confidence: float) -> dict[str, Agreement]:
    """Axis -> agreement of the judge with the truth, where the truth of cases is known."""
    from alignment.tiny import good  # noqa: PLC0415 - most profiles have no truth

    cases_with_truth: dict[str, list[Case]] = {}
    for case in cases:
        if case.truth is not None:
            cases_with_truth.setdefault(case.prompt.axis, []).append(case)
    return {
        axis: judging.agreement(
            axis,
            [(case.passed, good(axis, case.truth or "")) for case in axis_cases],
            confidence,
            # Every variant answers the same prompts.
            clusters=[case.prompt.cluster for case in axis_cases],
        )
        for axis, axis_cases in cases_with_truth.items()
    }


def _models(study: Study) -> dict[str, dict[str, Any]]:
    """Variant or judge -> its description: content hash, recipe key, or recorded file."""
    return {name: kind.description(failed=name in study.failures) for name, kind in study.kinds()}


def _noise(study: Study) -> dict[str, dict[str, Any]]:
    """Variant or judge -> its record of `check-invariance`, where it has one."""
    measured = {}
    for name, kind in study.kinds():
        can_be_measured = kind.asks and name not in study.failures
        identity = kind.known_identity() if can_be_measured else None
        record = None if identity is None else noise_floor(study.store, identity)
        if record is not None:
            measured[name] = {key: value for key, value in record.items() if key != "model"}
    return measured


def _disagreements(profile: Profile, cases: Sequence[Case]) -> dict[str, SelfDisagreement]:
    """Axis -> how far repeated scores of one response differ, where a judge repeats."""
    disagreements = {}
    for name, axis in profile.axes.items():
        by_case = (case.score.repeats for case in cases if case.prompt.axis == name)
        repeats = [[each[axis.dimension] for each in one] for one in by_case]
        disagreement = judging.self_disagreement(name, repeats, axis.criterion, profile.confidence)
        if disagreement is not None:
            disagreements[name] = disagreement
    return disagreements


def _votes(profile: Profile, cases: Sequence[Case], members: int) -> dict[str, dict[str, Votes]]:
    """Variant -> axis -> how the members of the panel voted."""
    by_variant: dict[str, dict[str, list[Case]]] = {}
    for case in cases:
        by_variant.setdefault(case.variant, {}).setdefault(case.prompt.axis, []).append(case)
    return {
        variant: {
            axis: judging.votes(
                [
                    [
                        profile.axes[axis].criterion.met_by(vote[case.prompt.axis])
                        for vote in case.score.repeats
                    ]
                    for case in by_axis[axis]
                ],
                members,
                profile.confidence,
                [case.prompt.cluster for case in by_axis[axis]],
            )
            for axis in profile.axes
            if axis in by_axis
        }
        for variant, by_axis in by_variant.items()
    }


def summary(study: Study, variant: str) -> VariantSummary:
    """The summary of one variant over all prompts of the profile, computed where it is missing."""
    names = dict.fromkeys((variant, study.profile.reference))
    known = [name for name in names if name in study.profile.variants]
    return _summaries_of_variants(study, known)[variant]


def summaries(study: Study) -> dict[str, VariantSummary]:
    """The summaries of all variants over all prompts of the profile."""
    return _summaries_of_variants(study, list(study.profile.variants))


def _summaries_of_variants(study: Study, names: Sequence[str]) -> dict[str, VariantSummary]:
    return _summaries_of_cases(study, [case for name in names for case in study.cases(name)])


def _summaries_of_cases(study: Study, cases: Sequence[Case]) -> dict[str, VariantSummary]:
    """The summaries of all variants that have a case or an unscored response."""
    axes = {name: axis.rate for name, axis in study.profile.axes.items()}
    summarised = rollup.summarise_variants(
        cases, axes, reference=study.profile.reference, confidence=study.profile.confidence
    )
    unscored: dict[str, Counter[str]] = {}
    for variant, axis, _ in study.unscored:
        unscored.setdefault(variant, Counter())[axis] += 1
    empty = VariantSummary("", {}, {}, {})
    return {
        name: replace(summarised.get(name, empty), name=name, unscored=dict(unscored.get(name, {})))
        for name in study.profile.variants
        if name in summarised or name in unscored
    }
