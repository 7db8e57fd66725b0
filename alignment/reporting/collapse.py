"""What makes a rate worth nothing, in words: answers that are none, and answers of another's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alignment.reporting import numbers
from alignment.reporting.numbers import Document


def doubt(
    document: Document, decisions: Sequence[Mapping[str, Any]], name: Callable[[str], str]
) -> str:
    """What makes a pass worth a look before anything is merged; empty for a plain one."""
    more = [each for each in decisions if each.get("spoiled")]
    return _same_answers(document, decisions, name) or (
        more_degenerate(more[0], name) if more else ""
    )


def more_degenerate(decision: Mapping[str, Any], name: Callable[[str], str]) -> str:
    """That more responses than before are degenerate: `45 (before: 2) of 100 responses of ...`."""
    found = decision["spoiled"]
    return (
        f"{found['after']} (before: {found['before']}) of {found['total']} responses of "
        f"{name(decision['variant'])} on {name(decision['axis'])} are degenerate"
    )


def _same_answers(
    document: Document, decisions: Sequence[Mapping[str, Any]], name: Callable[[str], str]
) -> str:
    """What a pass is worth nothing for: a variant that says what another one says."""
    found = numbers.same_answers(document)
    gated = [each["variant"] for each in decisions if each["variant"] in found]
    if not gated:
        return ""
    other = found[gated[0]]
    of = other if other == numbers.BASELINE else name(other)
    return f"all answers of {name(gated[0])} are identical to those of {of}"


def degenerate(broken: Mapping[str, Any], name: Callable[[str], str]) -> str:
    """How many responses are no answers, of which kinds, and what that often comes from."""
    kinds = ", ".join(f"{count} {name(kind)}" for kind, count in broken["kinds"].items())
    ran_on = 2 * broken["kinds"].get("runaway", 0) > broken["after"]
    advice = (
        "set generation.stop_at_human = true"
        if ran_on
        else "read them: is the model loaded completely, and does the prompt format match it?"
    )
    return (
        f"{broken['after']} (before: {broken['before']}) of {broken['total']} responses are "
        f"degenerate ({kinds}); {advice}"
    )
