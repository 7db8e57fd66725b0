"""Sentences on what people's labels say, and on decisions that are by the judge alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Decision = Mapping[str, Any]

ALONE = "by the judge alone: its error is in no interval"


def basis(decision: Decision) -> str:
    """What a decision is made by: `by 60 labels and the judge`, or by the judge alone."""
    corrected = decision.get("corrected")
    if corrected is None:
        return ALONE
    if corrected["labelled"] == corrected["total"]:
        return f"by labels of all {corrected['total']} prompts"
    return f"by {corrected['labelled']} labels and the judge"


def decisive(decision: Decision) -> Mapping[str, Any]:
    """The change that a decision is made by: people's where there is one, else the judge's.

    `before` and `after` are rates in %, None where people's are not known.
    """
    corrected = decision.get("corrected")
    if corrected is None:
        change: Mapping[str, Any] = decision["change"]
        return change
    rates = {
        side: None if corrected[side] is None else corrected[side]["percent"]
        for side in ("before", "after")
    }
    return {**corrected, **rates}


def span(change: Mapping[str, Any]) -> str:
    """The rates before and after: `100.0 to 96.5 %, `; empty where they are not known."""
    if change["before"] is None or change["after"] is None:
        return ""
    return f"{change['before']:.1f} to {change['after']:.1f} %, "


def sentences(gate: Mapping[str, Any], name: Callable[[str], str]) -> list[str]:
    """What the decisions are made by, the judge's own outcomes, its errors, and who labelled.

    One sentence for all of a run without labels.
    """
    decisions: Sequence[Decision] = gate["decisions"]
    if not any(each.get("corrected") or each.get("uncorrected") for each in decisions):
        return [f"Decided {ALONE}"] if decisions else []
    return [sentence for each in decisions for sentence in _sentences(each, name)] + [
        _people(name(axis), people) for axis, people in gate.get("people", {}).items()
    ]


def _people(axis: str, people: Mapping[str, Any]) -> str:
    """Sentence: how many answers people labelled, and who agrees with them."""
    number, judge = people["annotators"], people["judge"]
    who = "1 person" if number == 1 else f"{number} people"
    sentence = f"{axis}: {people['answers']} answers have labels of {who}"
    if people["alpha"] is not None:
        sentence += f" (Krippendorff's alpha {people['alpha']:.2f})"
    if judge is not None:
        kappa = "" if judge["kappa"] is None else f", kappa {judge['kappa']:.2f}"
        sentence += f"; the judge agrees with {judge['rate']['percent']:.0f} % of them{kappa}"
    return sentence


def _sentences(decision: Decision, name: Callable[[str], str]) -> list[str]:
    gated = f"{name(decision['variant'])} {name(decision['rate'])}"
    corrected = decision.get("corrected")
    if corrected is None:
        why = f" ({name(decision['uncorrected'])})" if decision.get("uncorrected") else ""
        return [f"{gated}: decided {ALONE}{why}"]
    low, high = corrected["here"]
    change, judged = decisive(decision), decision["change"]
    unresolved = corrected["unresolved"]
    left_out = f", {unresolved} without a verdict left out" if unresolved else ""
    people = (
        f"{gated}: {basis(decision)}{left_out}: {span(change)}{change['difference']:+.1f} points, "
        f"on these prompts between {low:+.1f} and {high:+.1f}"
    )
    judge = f"{decision['by_judge'].upper()} ({span(judged)}{judged['difference']:+.1f})"
    lines = [f"{people}; the judge alone would say {judge}"]
    errors = _errors(corrected)
    if corrected["unequal"] and errors:
        lines.append(
            f"{gated}: the judge's errors differ between the two sides, so its own comparison is "
            f"wrong: {errors}"
        )
    return lines


def _errors(corrected: Mapping[str, Any]) -> str:
    """Clause: how often the judge agrees with people, before and after."""
    clauses = []
    for key, what in (
        ("sensitivity", "it passes {} of what people pass"),
        ("specificity", "it fails {} of what people fail"),
    ):
        rates = [corrected["errors"][side][key] for side in ("before", "after")]
        if None not in rates:
            shares = " before and ".join(f"{each['percent']:.0f} %" for each in rates) + " now"
            clauses.append(what.format(shares))
    return ", and ".join(clauses)
