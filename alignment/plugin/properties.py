"""What a case or a run is in figures: the properties in JUnit's XML and whatever reads like it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alignment.analysis.verdicts import NoVerdict, Verdict, Verdicts
from alignment.records import Prompt
from alignment.records.decisions import Decision
from alignment.reporting.merge_advice import advise
from alignment.reporting.text import safe

Properties = list[tuple[str, object]]


def of_case(
    variant: str, axis: str, prompt: Prompt | None, found: Verdict | NoVerdict | Verdicts | None
) -> Properties:
    """One case: `alignment.variant`, `.axis`, `.prompt`, `.score`, `.verdict`, `.degenerate`.

    The prompt is its id, the verdict `pass`, `fail` or `unscored`; what is not known is empty.
    Where a case stands for all prompts of an axis: `.passed`, `.total` and `.unscored`, counts.
    """
    told: Properties = [("variant", variant), ("axis", axis)]
    if isinstance(found, Verdicts):
        told += [
            ("passed", sum(each.passed for each in found.each)),
            ("total", len(found.each)),
            ("unscored", len(found.missing)),
        ]
        return _named(told)
    told.append(("prompt", prompt.id if prompt else ""))
    if not isinstance(found, Verdict):
        known = "unscored" if isinstance(found, NoVerdict) else ""
        return _named([*told, ("score", ""), ("verdict", known), ("degenerate", "")])
    case = found.case
    return _named(
        [
            *told,
            ("score", case.value),
            ("verdict", "pass" if case.passed else "fail"),
            ("degenerate", case.degenerate or ""),
        ]
    )


def of_gate(decision: Decision) -> Properties:
    """A gated rate: `alignment.variant`, `.axis`, `.rate`, `.outcome`, and how it changed.

    `.change`, `.low` and `.high` are points, `.p` is after Holm; empty where nothing was compared.
    """
    change = decision.change
    return _named(
        [
            ("variant", decision.variant),
            ("axis", decision.axis),
            ("rate", decision.rate),
            ("outcome", decision.outcome),
            ("change", "" if change is None else change.difference),
            ("low", "" if change is None else change.interval.low),
            ("high", "" if change is None else change.interval.high),
            ("p", "" if decision.adjusted is None else decision.adjusted),
        ]
    )


def of_run(document: Mapping[str, Any]) -> Properties:
    """A whole run: `alignment.outcome`, `.headline`, `.complete`, and every rate in %.

    A rate is `alignment.VARIANT.RATE`, with `.low` and `.high`; the outcome is empty where no gate
    was held.
    """
    advice = advise(document)
    told: Properties = [
        ("outcome", advice.outcome or ""),
        ("headline", advice.headline),
        ("complete", str(document["complete"] and document["limit"] is None).lower()),
    ]
    for variant, about in document["variants"].items():
        for rate, each in about["rates"].items():
            low, high = each["interval"]
            name = f"{variant}.{rate}"
            told += [(name, each["percent"]), (f"{name}.low", low), (f"{name}.high", high)]
    return _named(told)


def _named(told: Properties) -> Properties:
    return [(f"alignment.{safe(name)}", value) for name, value in told]
