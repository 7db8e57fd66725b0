"""Sentences on what makes a rate meaningless: degenerate answers, and equal ones of two models."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from alignment.reporting import numbers
from alignment.reporting.numbers import Document

_FOOLED = ("null", "length", "off topic")
"""Cautions on a judge that is fooled: a pass should be checked before a merge."""
_LIMITS = ("overruled", "untried", "floor", "wide")
"""Cautions on what a pass could not show: the headline says so."""
_MOST = 3


def doubt(
    document: Document, decisions: Sequence[Mapping[str, Any]], name: Callable[[str], str]
) -> str:
    """Why a pass should be checked before a merge; empty if there is no reason."""
    first = next(iter(fooled(decisions)), "")
    return _same_answers(document, decisions, name) or (name(first) if first else "")


def fooled(decisions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Clauses on how the judge of these decisions is fooled, each once."""
    return _cautions(decisions, _FOOLED)


def limits(decisions: Sequence[Mapping[str, Any]], name: Callable[[str], str]) -> str:
    """Clauses on what a pass could not show, each after a semicolon; empty if there is none."""
    clauses = _cautions(decisions, _LIMITS)
    return "".join(f"; {name(clause)}" for clause in clauses[:_MOST]) + (
        f"; and {len(clauses) - _MOST} more such limits" if len(clauses) > _MOST else ""
    )


def _cautions(decisions: Sequence[Mapping[str, Any]], kinds: Collection[str]) -> list[str]:
    """The cautions of some kinds on decisions, each once."""
    return list(
        dict.fromkeys(
            caution["text"]
            for each in decisions
            for caution in each.get("cautions", ())
            if caution["kind"] in kinds
        )
    )


def more_degenerate(decision: Mapping[str, Any], name: Callable[[str], str]) -> str:
    """Clause: `45 (before: 2) of 100 responses of dpo on harmlessness are degenerate`."""
    counts = decision["spoiled"]
    return (
        f"{counts['after']} (before: {counts['before']}) of {counts['total']} responses of "
        f"{name(decision['variant'])} on {name(decision['axis'])} are degenerate"
    )


def _same_answers(
    document: Document, decisions: Sequence[Mapping[str, Any]], name: Callable[[str], str]
) -> str:
    """Clause on the first gated variant whose answers are all those of another; else empty."""
    same = numbers.same_answers(document)
    gated = [each["variant"] for each in decisions if each["variant"] in same]
    if not gated:
        return ""
    other = same[gated[0]]
    other_name = other if other == numbers.BASELINE else name(other)
    return f"all answers of {name(gated[0])} are identical to those of {other_name}"


def degenerate(counts: Mapping[str, Any], name: Callable[[str], str]) -> str:
    """Clause: how many responses are degenerate, of which kinds, and what to do about it."""
    kinds = ", ".join(f"{count} {name(kind)}" for kind, count in counts["kinds"].items())
    ran_on = 2 * counts["kinds"].get("runaway", 0) > counts["after"]
    advice = (
        "set generation.stop_at_human = true"
        if ran_on
        else "read them: is the model loaded completely, and does the prompt format match it?"
    )
    return (
        f"{counts['after']} (before: {counts['before']}) of {counts['total']} responses are "
        f"degenerate ({kinds}); {advice}"
    )
