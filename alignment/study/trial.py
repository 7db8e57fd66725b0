"""Trying the judge: held-out preferences, degenerate responses, null policies, second judges."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

from alignment.analysis import judging
from alignment.analysis.rates import rate
from alignment.policies.null import KINDS, answer
from alignment.records import (
    Case,
    Criterion,
    JudgeTrial,
    Opinion,
    PreferencePair,
    Rate,
)
from alignment.study.study import Study
from alignment.training.context import second
from alignment.training.degenerate_examples import trial_kinds

DEGENERATE_PAIRS = 50
"""How many dialogues per axis get degenerate responses."""


def try_judge(study: Study, axis: str, *, make: bool = True) -> JudgeTrial | None:
    """The judge's trial on one axis, from held-out preferences and degenerate responses.

    None if the profile has no trial for the axis, if scores are recorded, or if `make` is false and
    scores are not stored yet.
    """
    settings = study.profile.axes[axis]
    if not study.judge().asks or not study.data.trials.get(axis):
        return None
    pairs = study.data.trials[axis]
    kinds = _degenerate(pairs, axis)
    texts_to_score = [(p.prompt, text) for p in pairs for text in (p.chosen, p.rejected)]
    texts_to_score += [
        (pairs[i].prompt, text) for texts in kinds.values() for i, text in enumerate(texts)
    ]
    scores = study.scores_of(texts_to_score, f"judge's trial ({axis})", make=make)
    if scores is None:
        return None
    values = [score.values.get(settings.dimension) for score in scores]
    return _trial(axis, pairs, kinds, values, settings.criterion, study.profile.confidence)


def try_nulls(study: Study, axis: str, *, make: bool = True) -> dict[str, Rate] | None:
    """What null policies would score on the profile's own prompts of an axis: kind -> rate.

    None if scores are recorded, or if `make` is false and scores are not stored yet. Rates are over
    the answers with a score; a kind without any is left out.
    """
    settings, prompts = study.profile.axes[axis], study.prompts[axis]
    texts_to_score = [(p.text, answer(kind, p.text)) for kind in KINDS for p in prompts]
    scores = study.scores_of(texts_to_score, f"null policies ({axis})", make=make)
    if scores is None:
        return None
    values = [score.values.get(settings.dimension) for score in scores]
    rates: dict[str, Rate] = {}
    for number, kind in enumerate(KINDS):
        kind_values = values[number * len(prompts) : (number + 1) * len(prompts)]
        passed = [settings.criterion.met_by(value) for value in kind_values if value is not None]
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
    """The trial from `values`: two per pair (chosen, rejected), then one per degenerate response.

    A value is None if there is no score; its pair or response is then left out.
    """
    preferences, rest = values[: 2 * len(pairs)], values[2 * len(pairs) :]
    scored = [
        (pair, chosen, rejected)
        for pair, chosen, rejected in zip(pairs, preferences[::2], preferences[1::2], strict=True)
        if chosen is not None and rejected is not None
    ]
    passes: dict[str, list[bool]] = {}
    for kind, texts in kinds.items():
        kind_values = rest[: len(texts)]
        passes[kind] = [criterion.met_by(value) for value in kind_values if value is not None]
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
        responses = trial_kinds(pair.prompt, pair.chosen, (other.prompt, other.chosen), rng)
        for kind, text in responses.items():
            kinds.setdefault(kind, []).append(text)
    return kinds


def second_opinions(study: Study, *, make: bool = True) -> dict[str, dict[str, Opinion]]:
    """The second judges' scores of the responses that are there: judge -> axis -> opinion.

    If `make` is false, a judge whose scores are not stored yet is left out.
    """
    opinions: dict[str, dict[str, Opinion]] = {}
    for name, judge in study.profile.judges.items():
        by_axis = {
            axis: _opinion(study, name, axis, bar.criterion, make=make)
            for axis, bar in judge.axes.items()
        }
        available = {axis: opinion for axis, opinion in by_axis.items() if opinion is not None}
        if available.keys() == by_axis.keys():
            opinions[name] = available
    return opinions


def _opinion(
    study: Study, judge: str, axis: str, criterion: Criterion, *, make: bool
) -> Opinion | None:
    """One judge's opinion on one axis; None if its scores are not there."""
    cases = [c for c in study.found() if c.prompt.axis == axis and c.response is not None]
    pairs = [(c.prompt.text, c.response.text) for c in cases if c.response is not None]
    stage = f"{judge} scores ({axis})"
    scores = study.scores_of(pairs, stage, make=make, name=second(judge)) if pairs else None
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
                [passed for _, passed in judged],
                confidence,
                [case.prompt.cluster for case, _ in judged],
            )
            for variant, judged in by_variant.items()
        },
        unscored=len(cases) - len(scored),
    )
