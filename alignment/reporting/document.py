"""The report as one structure of plain values: what every other output is rendered from.

`docs/report.md` describes it key by key. Equal results give an equal document, in whatever order
their cases come; only `run` may differ between two equal runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from alignment.records import (
    Agreement,
    Case,
    Criterion,
    JudgeTrial,
    Opinion,
    Rate,
    Results,
    ScoreSummary,
    SelfDisagreement,
    Votes,
)
from alignment.records.decisions import Findings
from alignment.reporting.plain import plain_comparison, plain_gate

_NOTHING = Findings()

SCHEMA = 1
"""Increased when a key changes its meaning or is removed, not for new keys."""


def document(results: Results, findings: Findings = _NOTHING) -> dict[str, Any]:
    """The JSON report of `results`: dicts, lists, strings, numbers, booleans and None only.

    `findings` are the comparisons of variants, the claims and the gate.

    Raises ValueError when a case is on an axis that the profile does not have, or when the profile
    is not a resolved one (`Profile.resolved()`).
    """
    settings = _axes(results.profile)
    order = {axis: place for place, axis in enumerate(settings)}
    cases = _sort_cases(results, order)
    informative = {axis: _informative(results.trials.get(axis)) for axis in settings}
    return {
        "schema": SCHEMA,
        "complete": results.complete,
        "limit": results.limit,
        "profile": plain(results.profile),
        "axes": {
            axis: {
                "rate": setting["rate"],
                "criterion": str(_criterion(setting)),
                "prompts": len(
                    {c.prompt.id for c in cases if c.prompt.axis == axis and not c.prompt.sample}
                ),
                "informative": informative[axis],
            }
            for axis, setting in settings.items()
        },
        "judge": {
            "identity": _sort_keys(results.models.get("judge")),
            "trials": {
                axis: _trial(results.trials[axis]) for axis in order if axis in results.trials
            },
            "agreement": {
                axis: _agreement(results.agreements[axis])
                for axis in order
                if axis in results.agreements
            },
            "nulls": {
                axis: {kind: _rate(rate) for kind, rate in results.nulls[axis].items()}
                for axis in order
                if axis in results.nulls
            },
            "others": {
                name: {axis: _opinion(opinions[axis]) for axis in order if axis in opinions}
                for name, opinions in results.opinions.items()
            },
            "disagreements": {
                axis: _disagreement(results.disagreements[axis])
                for axis in order
                if axis in results.disagreements
            },
            "votes": {
                name: {axis: _votes(votes[axis]) for axis in order if axis in votes}
                for name, votes in results.votes.items()
            },
        },
        "noise": _sort_keys(results.noise),
        "variants": _variants(
            results, {settings[axis]["rate"]: informative[axis] for axis in settings}
        ),
        "comparisons": [plain_comparison(each) for each in findings.comparisons],
        "claims": [asdict(each) for each in findings.claims],
        "manifests": _sort_keys(findings.manifests),
        "gate": None if findings.gate is None else plain_gate(findings.gate),
        "prompts": _prompts(cases),
        "cases": [_case(case) for case in cases],
        "unscored": [
            {"variant": variant, "axis": axis, "prompt": prompt, "reason": reason}
            for (variant, axis, prompt), reason in sorted(results.unscored.items())
        ],
        "run": _sort_keys(results.run),
    }


def _axes(profile: Mapping[str, object]) -> Mapping[str, Any]:
    axes = profile.get("axes")
    if not isinstance(axes, Mapping):
        raise ValueError("a report needs a resolved profile with `axes`")  # noqa: TRY004
    return axes


def _sort_cases(results: Results, order: Mapping[str, int]) -> list[Case]:
    """The cases by variant (as summarised), axis (as in the profile) and prompt id."""
    for case in results.cases:
        if case.prompt.axis not in order:
            raise ValueError(f"axis {case.prompt.axis!r} is not in the profile's `axes`")
    places = {name: place for place, name in enumerate(results.summaries)}
    return sorted(
        results.cases,
        key=lambda case: (
            places.get(case.variant, len(places)),
            case.variant,
            order[case.prompt.axis],
            case.prompt.id,
        ),
    )


def _informative(trial: JudgeTrial | None) -> bool | None:
    """Whether the judge is informative on an axis; None where it was not evaluated."""
    return None if trial is None else trial.informative


def _criterion(setting: Mapping[str, Any]) -> Criterion:
    return Criterion(setting["dimension"], setting["comparison"], setting["threshold"])


def _variants(results: Results, by_rate: Mapping[str, bool | None]) -> dict[str, Any]:
    answered = Counter(case.variant for case in results.cases if case.response is not None)
    # CAS is the mean over all axes, so it is as informative as the least informative of them.
    known = set(by_rate.values())
    combined = False if False in known else None if None in known else True
    responses = _responses(results)
    return {
        name: {
            "same_as": _same_as(name, responses, results),
            "rates": {
                key: _rate(rate) | {"informative": by_rate.get(key, combined)}
                for key, rate in summary.rates.items()
            },
            "scores": {axis: _scores(scores) for axis, scores in summary.scores.items()},
            "change": dict(summary.change),
            "degenerate": {axis: dict(counts) for axis, counts in summary.degenerate.items()},
            "unscored": dict(summary.unscored),
            "responses": answered[name],
            "model": _sort_keys(results.models.get(name)),
        }
        for name, summary in results.summaries.items()
    }


def _responses(results: Results) -> dict[str, dict[tuple[str, str], str | None]]:
    """Variant -> (axis, prompt id) -> the text of its response."""
    texts: dict[str, dict[tuple[str, str], str | None]] = {name: {} for name in results.summaries}
    for case in results.cases:
        text = None if case.response is None else case.response.text
        texts.setdefault(case.variant, {})[case.prompt.axis, case.prompt.id] = text
    return texts


def _same_as(
    name: str, responses: Mapping[str, Mapping[tuple[str, str], str | None]], results: Results
) -> str | None:
    """The first other variant that gives the same responses, or None.

    Candidates in order: the variants that it is compared with, its parent, and those listed before
    it. Null policies are left out, as their answers are fixed on purpose.
    """
    profile: Mapping[str, Any] = results.profile
    variants = profile.get("variants", {})
    against = str(profile.get("gate", {}).get("against", "")).removeprefix("variant:")
    bases = [against, str(profile.get("reference")), str(variants.get(name, {}).get("parent"))]
    order = [each for each in dict.fromkeys((*bases, *responses)) if each in responses]
    for other in order[: order.index(name)]:
        is_null = any(variants.get(each, {}).get("null") for each in (name, other))
        if not is_null and _have_equal_responses(responses[other], responses[name]):
            return other
    return None


def _have_equal_responses(
    one: Mapping[tuple[str, str], str | None], other: Mapping[tuple[str, str], str | None]
) -> bool:
    """Whether both variants give equal, known responses to all prompts that both were asked."""
    shared = one.keys() & other.keys()
    return bool(shared) and all(
        one[key] is not None and one[key] == other[key] for key in sorted(shared)
    )


def _rate(rate: Rate) -> dict[str, Any]:
    values: dict[str, Any] = {
        "percent": rate.percent,
        "interval": [rate.interval.low, rate.interval.high],
    }
    if rate.total is not None:
        values |= {"passed": rate.passed, "total": rate.total}
    if rate.effect != 1.0:
        values |= {"effect": rate.effect}
    return values


def _scores(scores: ScoreSummary) -> dict[str, float]:
    return {
        "mean": scores.mean,
        "sd": scores.sd,
        "median": scores.median,
        "q1": scores.q1,
        "q3": scores.q3,
    }


def _trial(trial: JudgeTrial) -> dict[str, Any]:
    return {
        "accuracy": _rate(trial.accuracy),
        "longer": _rate(trial.longer),
        "degenerate": {kind: _rate(rate) for kind, rate in trial.degenerate.items()},
        "informative": trial.informative,
        "unscored": trial.unscored,
    }


def _disagreement(disagreement: SelfDisagreement) -> dict[str, Any]:
    return {
        "responses": disagreement.responses,
        "difference": disagreement.difference,
        "changed": _rate(disagreement.changed),
    }


def _votes(votes: Votes) -> dict[str, Any]:
    divided = None if votes.divided is None else _rate(votes.divided)
    return {"divided": divided, "incomplete": votes.incomplete}


def _agreement(agreement: Agreement) -> dict[str, Any]:
    return {
        "rate": _rate(agreement.rate),
        "kappa": agreement.kappa,
        "table": dict(agreement.table),
    }


def _opinion(opinion: Opinion) -> dict[str, Any]:
    return {
        "criterion": str(opinion.criterion),
        "agreement": None if opinion.agreement is None else _agreement(opinion.agreement),
        "rates": {variant: _rate(rate) for variant, rate in opinion.rates.items()},
        "unscored": opinion.unscored,
    }


def _prompts(cases: list[Case]) -> dict[str, Any]:
    prompts = {case.prompt.id: case.prompt for case in cases}
    return {
        key: {
            "axis": prompt.axis,
            "text": prompt.text,
            "cluster": prompt.cluster,
            "source": prompt.source,
            "language": prompt.language,
            **({"columns": dict(prompt.columns)} if prompt.columns else {}),
        }
        for key, prompt in sorted(prompts.items())
    }


def _case(case: Case) -> dict[str, Any]:
    response = case.response
    return {
        "variant": case.variant,
        "axis": case.prompt.axis,
        "prompt": case.prompt.id,
        "score": case.value,
        "dimensions": _sort_keys(case.score.values),
        "passed": case.passed,
        "response": None if response is None else response.text,
        "stop": None if response is None else response.stop,
        "tokens": None if response is None else response.tokens,
        "degenerate": case.degenerate,
        "truth": case.truth,
    }


def plain(value: object) -> Any:
    """`value` with mappings as dicts and tuples as lists; anything else as it is."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def _sort_keys(value: object) -> Any:
    """Like `plain`, with the keys of every mapping sorted, for mappings without an order."""
    if isinstance(value, Mapping):
        return {str(key): _sort_keys(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [_sort_keys(each) for each in value]
    return value
