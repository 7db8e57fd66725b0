"""Slices of the gate's comparisons in words: those that fail, and how many were tested."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Decision = Mapping[str, Any]


def failing(decision: Decision) -> list[Mapping[str, Any]]:
    """The slices in which a rate fell significantly by the margin or more, the worst first."""
    failed = [each for each in decision.get("slices", ()) if each["outcome"] == "fail"]
    return sorted(failed, key=lambda each: each["change"]["difference"])


def clause(each: Mapping[str, Any], name: Callable[[str], str]) -> str:
    """`from 90.0 to 60.0 % on language=th (50 prompts)`."""
    change = each["change"]
    return (
        f"from {change['before']:.1f} to {change['after']:.1f} % on {name(each['column'])}="
        f"{name(each['value'])} ({change['total']} prompts)"
    )


def sentences(decisions: Sequence[Decision], name: Callable[[str], str]) -> list[str]:
    """For each decision with slices: how many were tested, and where the rate fell."""
    lines = []
    for decision in decisions:
        slices = decision.get("slices", ())
        if not slices:
            continue
        tested = sum(each["outcome"] is not None for each in slices)
        gated = f"{name(decision['variant'])} {name(decision['rate'])}"
        failed = failing(decision)
        losses = "; ".join(f"fell {clause(each, name)}" for each in failed) or "no significant loss"
        lines.append(f"{gated}: {tested} of {len(slices)} slices tested: {losses}")
    return lines


def rows(gate: Mapping[str, Any]) -> list[tuple[Decision, Mapping[str, Any]]]:
    """(decision, slice) of all slices, the largest loss first."""
    pairs = [(each, part) for each in gate["decisions"] for part in each.get("slices", ())]
    return sorted(pairs, key=lambda pair: pair[1]["change"]["difference"])
