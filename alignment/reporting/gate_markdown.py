"""The gate, the claims and the flipped prompts as GitHub Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alignment.reporting import gate_text, score_changes, slices
from alignment.reporting.corrections import decisive, sentences
from alignment.reporting.lowest import quoted
from alignment.reporting.markup import code, folded, table
from alignment.reporting.numbers import NOTHING, Document, probability

_TABLE = 8_000
_FLIPS = 30
_RESPONSES = 20_000
_SHOWN = 120


def decisions(document: Document) -> str:
    """The gate's decisions, why, and the changes of CAS and mean scores; empty without a gate."""
    gate = document["gate"]
    if gate is None or not gate["decisions"]:
        return ""
    rows = (
        [
            f"{code(each['variant'])} {code(each['rate'])}"
            + (" since the anchor" if gate_text.deciding(each) is not each else ""),
            f"**{each['outcome']}**",
            *_figures(gate_text.deciding(each)),
        ]
        for each in gate["decisions"]
    )
    heading = ["gated", "outcome", "change in points", "lost", "gained", "p (Holm)", "margin"]
    parts = [
        f"### The gate against {code(gate['against'])}",
        table(heading, rows, _TABLE),
        *_reasons(gate),
        *(f"{sentence}." for sentence in sentences(gate, code)),
        *(f"{sentence}." for sentence in slices.sentences(gate["decisions"], code)),
        _shifts(gate),
        _scores(gate),
        f"Plan: {gate['plan']}." if gate["plan"] else "",
    ]
    return "\n\n".join(part for part in parts if part)


def flipped(document: Document) -> str:
    """The flipped prompts of all decisions that are not a pass, worst first."""
    gate = document["gate"]
    rows = [
        [
            code(flip["prompt"]),
            f"{code(each['variant'])} {code(each['rate'])}",
            "lost" if flip["before"] else "gained",
            f"{flip['score_before']:.2f}",
            f"{flip['score_after']:.2f}",
            code(flip["text"].rsplit("Human:", 1)[-1].strip(), _SHOWN) if flip["text"] else NOTHING,
        ]
        for each in (gate["decisions"] if gate else [])
        if each["outcome"] != "pass"
        for flip in gate_text.deciding(each)["flips"][:_FLIPS]
    ]
    if not rows:
        return ""
    heading = ["prompt", "gated", "verdict", "score before", "score after", "text"]
    return f"### Flipped prompts\n\n{table(heading, rows, _TABLE)}"


def responses(document: Document) -> str:
    """The responses to flipped prompts, before and after, folded; worst first."""
    entries = (
        _answers(each, flip)
        for each in gate_text.concerning(document["gate"])
        for flip in gate_text.deciding(each)["flips"][:_FLIPS]
        if (flip["response_before"], flip["response_after"]) != (None, None)
    )
    return folded("Flipped prompts: prompts and responses", entries, _RESPONSES)


def _answers(decision: Mapping[str, Any], flip: Mapping[str, Any]) -> str:
    verdict = "lost" if flip["before"] else "gained"
    scores = f"{flip['score_before']:.2f} to {flip['score_after']:.2f}"
    gated = f"**{code(decision['variant'])} {code(decision['rate'])}**: {verdict}, {scores}"
    parts = [f"{gated}, prompt {code(flip['prompt'])}", *quoted(flip["text"])]
    for label in ("before", "after"):
        if flip[f"response_{label}"] is not None:
            parts += [f"{label.capitalize()}:", *quoted("", flip[f"response_{label}"])]
    return "\n\n".join(parts)


def claims(document: Document) -> str:
    """Whether the data support the claims about the order of variants; empty without claims."""
    rows = [
        [code(each["text"], _SHOWN), each["support"], code(each["reason"], 2 * _SHOWN)]
        for each in document["claims"]
    ]
    return f"### Claims\n\n{table(['claim', 'support', 'why'], rows, _TABLE)}" if rows else ""


def comparisons(document: Document) -> str:
    """Every variant against every other on the same prompts; empty without comparisons."""
    rows = []
    for each in document["comparisons"]:
        for name, change in each["changes"].items():
            rows.append(
                [
                    f"{code(each['before'])} to {code(each['after'])}",
                    code(name),
                    gate_text.format_change(change),
                    str(change["lost"]),
                    str(change["gained"]),
                    probability(change["p_exact"]),
                    probability(change["adjusted"]),
                ]
            )
        if each["combined"] is not None:
            combined = [code(each["combined"]["name"]), gate_text.format_change(each["combined"])]
            pair = f"{code(each['before'])} to {code(each['after'])}"
            rows.append([pair, *combined, *[NOTHING] * 4])
    if not rows:
        return ""
    heading = ["pair", "rate", "change in points", "lost", "gained", "p (exact)", "p (Holm)"]
    return f"### Paired comparisons\n\n{table(heading, rows, _TABLE)}"


def nulls(document: Document) -> str:
    """The rates that null policies would get from the judge; empty where they were not scored."""
    nulls_by_axis = document["judge"]["nulls"]
    kinds = list(dict.fromkeys(kind for rates in nulls_by_axis.values() for kind in rates))
    if not kinds:
        return ""
    rows = (
        [
            code(axis),
            *(f"{rates[kind]['percent']:.1f}" if kind in rates else NOTHING for kind in kinds),
        ]
        for axis, rates in nulls_by_axis.items()
    )
    note = "The rates that useless policies would get from this judge, in %."
    return f"### Null policies\n\n{table(['axis', *map(code, kinds)], rows, _TABLE)}\n\n{note}"


def _figures(decision: Mapping[str, Any]) -> list[str]:
    if decision["change"] is None:
        return [NOTHING, NOTHING, NOTHING, NOTHING, f"{decision['margin']:g}"]
    change = decisive(decision)
    return [
        gate_text.format_change(change),
        str(change["lost"]),
        str(change["gained"]),
        probability(decision["adjusted"]),
        f"{decision['margin']:g}",
    ]


def _reasons(gate: Mapping[str, Any]) -> list[str]:
    pairs = dict.fromkeys(
        (each["variant"], reason) for each in gate["decisions"] for reason in each["reasons"]
    )
    return [f"{code(variant)} cannot be compared: {code(reason, 400)}" for variant, reason in pairs]


def _shifts(gate: Mapping[str, Any]) -> str:
    rows = [
        [code(variant), code(shift["name"]), _shift(shift)]
        for variant, shifts in gate["shifts"].items()
        for shift in shifts
    ]
    rows += [
        [code(variant), f"{code(name)}, caused by the judge alone", gate_text.format_change(shift)]
        for variant, drifts in gate["drifts"].items()
        for name, shift in drifts.items()
    ]
    return table(["variant", "reported, not tested", "change"], rows, _TABLE) if rows else ""


def _scores(gate: Mapping[str, Any]) -> str:
    """The paired tests of mean scores, and the change of the rate at other thresholds."""
    rows = [
        [f"{code(each['variant'])} {code(each['rate'])}", score_changes.clause(each["scores"])]
        for each in gate["decisions"]
        if each.get("scores")
    ]
    return table(["gated", "by scores, not gated"], rows, _TABLE) if rows else ""


def _shift(shift: Mapping[str, Any]) -> str:
    """CAS is in points, a mean score in the judge's unit."""
    return (
        gate_text.format_change(shift) if shift["name"] == "CAS" else gate_text.format_shift(shift)
    )
