"""The properties of cases, gated rates and runs in JUnit's XML and similar reports."""

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
    variant: str, axis: str, prompt: Prompt | None, verdict: Verdict | NoVerdict | Verdicts | None
) -> Properties:
    """One case: `alignment.variant`, `.axis`, `.prompt`, `.score`, `.verdict`, `.degenerate`.

    The prompt is its id, the verdict `pass`, `fail` or `unscored`; what is not known is empty.
    Where a case stands for all prompts of an axis: `.passed`, `.total` and `.unscored`, counts.
    """
    properties: Properties = [("variant", variant), ("axis", axis)]
    if isinstance(verdict, Verdicts):
        properties += [
            ("passed", sum(each.passed for each in verdict.each)),
            ("total", len(verdict.each)),
            ("unscored", len(verdict.missing)),
        ]
        return _prefix(properties)
    properties.append(("prompt", prompt.id if prompt else ""))
    if not isinstance(verdict, Verdict):
        word = "unscored" if isinstance(verdict, NoVerdict) else ""
        return _prefix([*properties, ("score", ""), ("verdict", word), ("degenerate", "")])
    case = verdict.case
    return _prefix(
        [
            *properties,
            ("score", case.value),
            ("verdict", "pass" if case.passed else "fail"),
            ("degenerate", case.degenerate or ""),
        ]
    )


def of_gate(decision: Decision) -> Properties:
    """A gated rate: `alignment.variant`, `.axis`, `.rate`, `.outcome`, and how it changed.

    `.change` and its interval `.low`, `.high` are in percentage points; `.p` is Holm-corrected. All
    are empty where nothing was compared.
    """
    change = decision.change
    return _prefix(
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

    A rate is `alignment.VARIANT.RATE`, with `.low` and `.high`; the outcome is empty without a
    gate.
    """
    advice = advise(document)
    properties: Properties = [
        ("outcome", advice.outcome or ""),
        ("headline", advice.headline),
        ("complete", str(document["complete"] and document["limit"] is None).lower()),
    ]
    for variant, results in document["variants"].items():
        for rate, each in results["rates"].items():
            low, high = each["interval"]
            name = f"{variant}.{rate}"
            properties += [(name, each["percent"]), (f"{name}.low", low), (f"{name}.high", high)]
    return _prefix(properties)


def _prefix(properties: Properties) -> Properties:
    return [(f"alignment.{safe(name)}", value) for name, value in properties]
