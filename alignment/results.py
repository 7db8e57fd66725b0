"""From a study to what is reported: the judge's trial, summaries, agreement, provenance."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from alignment import opening, serving
from alignment.analysis import comparing, judging, rollup
from alignment.analysis.rates import CAS, rate
from alignment.decisions import Findings, Gate
from alignment.judges.degenerate import trial_kinds
from alignment.pipeline import Study
from alignment.policies.null import KINDS, answer
from alignment.profile import Profile
from alignment.recipes import Endpoint, Judge, Variant
from alignment.records import (
    Agreement,
    Case,
    Criterion,
    JudgeTrial,
    Opinion,
    PreferencePair,
    Rate,
    Results,
    SelfDisagreement,
    VariantSummary,
)
from alignment.training import models

DEGENERATE_PAIRS = 50
"""Dialogues that degenerate responses are tried on, per axis."""


def try_judge(study: Study, axis: str, *, make: bool = True) -> JudgeTrial | None:
    """The judge's trial on one axis, from held-out preferences and degenerate responses.

    None where the profile has no trial for the axis or the scores are recorded, and, without
    `make`, where the scores are not there yet.
    """
    settings = study.profile.axes[axis]
    if study.profile.judge.recorded or not study.questions.trials.get(axis):
        return None
    pairs = study.questions.trials[axis]
    kinds = _degenerate(pairs, axis)
    asked = [(p.prompt, text) for p in pairs for text in (p.chosen, p.rejected)]
    asked += [(pairs[i].prompt, text) for texts in kinds.values() for i, text in enumerate(texts)]
    found = study.scores_of(asked, f"judge's trial ({axis})", make=make)
    if found is None:
        return None
    values = [score.values.get(settings.dimension) for score in found]
    return _trial(axis, pairs, kinds, values, settings.criterion, study.profile.confidence)


def try_nulls(study: Study, axis: str, *, make: bool = True) -> dict[str, Rate] | None:
    """What null policies would score on the profile's own prompts of an axis: kind -> rate.

    None where scores are recorded and, without `make`, where they are not there yet. Rates are of
    the answers that got a score; a kind without any is left out.
    """
    settings, prompts = study.profile.axes[axis], study.prompts[axis]
    asked = [(p.text, answer(kind, p.text)) for kind in KINDS for p in prompts]
    found = study.scores_of(asked, f"null policies ({axis})", make=make)
    if found is None:
        return None
    values = [score.values.get(settings.dimension) for score in found]
    rates: dict[str, Rate] = {}
    for number, kind in enumerate(KINDS):
        own = values[number * len(prompts) : (number + 1) * len(prompts)]
        passed = [settings.criterion.met_by(value) for value in own if value is not None]
        if passed:
            rates[kind] = rate(kind, passed, study.profile.confidence)
    return rates


def _trial(
    axis: str,
    pairs: Sequence[PreferencePair],
    kinds: Mapping[str, Sequence[str]],
    values: Sequence[float | None],
    criterion: Criterion,
    confidence: float,
) -> JudgeTrial:
    """`values` are None where there is no score: such a pair, or response, is left out."""
    preferences, rest = values[: 2 * len(pairs)], values[2 * len(pairs) :]
    scored = [
        (pair, chosen, rejected)
        for pair, chosen, rejected in zip(pairs, preferences[::2], preferences[1::2], strict=True)
        if chosen is not None and rejected is not None
    ]
    passes: dict[str, list[bool]] = {}
    for kind, texts in kinds.items():
        own = rest[: len(texts)]
        passes[kind] = [criterion.met_by(value) for value in own if value is not None]
        rest = rest[len(texts) :]
    return judging.trial(
        axis,
        [chosen for _, chosen, _ in scored],
        [rejected for _, _, rejected in scored],
        chosen_lengths=[len(pair.chosen) for pair, _, _ in scored],
        rejected_lengths=[len(pair.rejected) for pair, _, _ in scored],
        degenerate=passes,
        confidence=confidence,
        unscored=sum(value is None for value in values),
    )


def _degenerate(pairs: Sequence[PreferencePair], axis: str) -> dict[str, list[str]]:
    """Kind -> a degenerate response to each of the first trial dialogues."""
    rng = random.Random(f"degenerate/{axis}")
    kinds: dict[str, list[str]] = {}
    for number, pair in enumerate(pairs[:DEGENERATE_PAIRS]):
        other = pairs[(number + 1) % len(pairs)]
        made = trial_kinds(pair.prompt, pair.chosen, (other.prompt, other.chosen), rng)
        for kind, text in made.items():
            kinds.setdefault(kind, []).append(text)
    return kinds


def second_opinions(study: Study, *, make: bool = True) -> dict[str, dict[str, Opinion]]:
    """What the second judges say of the responses that are there: judge -> axis -> opinion.

    Without `make`, a judge whose scores are not there yet is left out.
    """
    found: dict[str, dict[str, Opinion]] = {}
    for name, judge in study.profile.judges.items():
        own = {
            axis: _opinion(study, name, axis, bar.criterion, make=make)
            for axis, bar in judge.axes.items()
        }
        told = {axis: opinion for axis, opinion in own.items() if opinion is not None}
        if told.keys() == own.keys():
            found[name] = told
    return found


def _opinion(
    study: Study, judge: str, axis: str, criterion: Criterion, *, make: bool
) -> Opinion | None:
    """One judge's opinion on one axis; None where its scores are not there."""
    cases = [c for c in study.found() if c.prompt.axis == axis and c.response is not None]
    asked = [(c.prompt.text, c.response.text) for c in cases if c.response is not None]
    what = f"{judge} scores ({axis})"
    scores = study.scores_of(asked, what, make=make, name=models.second(judge)) if asked else None
    if scores is None:
        return None
    scored = [
        (case, criterion.met_by(score.values[criterion.dimension]))
        for case, score in zip(cases, scores, strict=True)
        if score.unscored is None
    ]
    confidence, by_variant = (
        study.profile.confidence,
        defaultdict[str, list[tuple[Case, bool]]](list),
    )
    for case, passed in scored:
        by_variant[case.variant].append((case, passed))
    rate_name = study.profile.axes[axis].rate
    return Opinion(
        criterion=criterion,
        agreement=judging.agreement(
            axis,
            [(case.passed, passed) for case, passed in scored],
            confidence,
            words=judging.JUDGES,
            clusters=[case.prompt.cluster for case, _ in scored],
        )
        if scored
        else None,
        rates={
            variant: rate(
                rate_name,
                [passed for _, passed in own],
                confidence,
                [case.prompt.cluster for case, _ in own],
            )
            for variant, own in by_variant.items()
        },
        unscored=len(cases) - len(scored),
    )


def collect(study: Study, run: Mapping[str, Any]) -> Results:
    """All that is known of a study now, without computing anything heavy."""
    cases = study.found()
    profile = study.profile
    axes = {name: axis.rate for name, axis in profile.axes.items()}
    trials = {axis: try_judge(study, axis, make=False) for axis in axes}
    nulls = {axis: try_nulls(study, axis, make=False) for axis in axes}
    tried = study.profile.judge.recorded or all(
        trials[axis] is not None and nulls[axis] is not None
        for axis in axes
        if study.questions.trials.get(axis)
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
    described: dict[str, dict[str, Any]] = {}
    for name in models.names(study.profile):
        recipe = models.recipe_of(study.profile, name)
        if recipe.recorded:
            described[name] = {"recorded": recipe.recorded}
            continue
        if isinstance(recipe, Variant) and recipe.null:
            described[name] = {"null": recipe.null}
            continue
        if isinstance(recipe, Judge) and recipe.keywords:
            described[name] = {"keywords": list(recipe.keywords)}
            continue
        if recipe.endpoint is not None:
            described[name] = _served(study, name, recipe.endpoint)
            continue
        checkpoint = None if name in study.failures else models.find(study.shop, name)
        described[name] = {"identity": checkpoint.identity if checkpoint else None}
        if recipe.stages:
            described[name]["recipe"] = models.recipe_key(study.shop, name)
    return described


def _served(study: Study, name: str, asked: Endpoint) -> dict[str, Any]:
    """A served model: the name it was asked by, and what the servers said of their answers."""
    judge = models.is_judge(name)
    identity = (opening.judge_identity if judge else opening.policy_identity)(study.shop, name)
    return {
        "endpoint": asked.url,
        "model": asked.model,
        "revision": models.recipe_of(study.profile, name).revision,
        "served": serving.said(study.store, identity),
    }


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
