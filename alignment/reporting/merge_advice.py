"""Whether to merge, in words: the first line of a report, and the last of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alignment.reporting.collapse import doubt, limits, more_degenerate
from alignment.reporting.corrections import basis, decisive
from alignment.reporting.gate_text import (
    concerning,
    deciding,
    headline,
    only_by_slices,
    only_identical,
    why_uninformative,
    worst_first,
)
from alignment.reporting.numbers import Document
from alignment.reporting.slices import clause, failing
from alignment.reporting.text import safe


@dataclass(frozen=True, slots=True)
class MergeAdvice:
    """Whether to merge, in words for someone who has never seen a report.

    `outcome` is the gate's worst outcome, `accepted` if this run became a baseline, None if the
    gate did not run. `headline` is one sentence, which allows a merge only if the exit code does.
    `details` has a sentence for every decision that is no clean pass, worst first. `unready` says
    why a passing gate does not allow a merge: `look` or `stopped` (see `title`), or empty.
    """

    outcome: str | None
    headline: str
    details: tuple[str, ...]
    unready: str = ""

    @property
    def title(self) -> str | None:
        """The outcome, or `unready` where the gate passes but the headline does not allow a merge.

        `unready` is `look` (check before merging) or `stopped` (the run failed, for any reason).
        """
        return self.unready or self.outcome


def advise(document: Document, name: Callable[[str], str] = safe) -> MergeAdvice:
    """The advice of a report. `name` makes names and reasons safe for the format of the output."""
    gate, accepted = document["gate"], document["run"].get("accepted", [])
    decisions = worst_first(gate["decisions"] if gate else ())
    if not decisions:
        return MergeAdvice(None, _explain_undecided(document), ())
    remaining = [each for each in concerning(gate) if each["variant"] not in accepted]
    details = tuple(headline(each, name) for each in remaining)
    if accepted:
        others = dict.fromkeys(each["variant"] for each in decisions)
        rest = ", ".join(name(each) for each in others if each not in accepted)
        lead = f"Accepted: this run is now the baseline of {', '.join(map(name, accepted))}."
        return MergeAdvice(
            "accepted", lead + (f" No baseline was accepted for {rest}." if rest else ""), details
        )
    return _advise_on(document, decisions, details, name)


def blocking(document: Document) -> bool:
    """Whether the gate forbids a merge: some decision is neither a pass nor only a warning."""
    gate = document["gate"]
    decisions = gate["decisions"] if gate and not document["run"].get("accepted") else ()
    return any(not _allowed(document, each) for each in decisions)


def _advise_on(
    document: Document,
    decisions: Sequence[Mapping[str, Any]],
    details: tuple[str, ...],
    name: Callable[[str], str],
) -> MergeAdvice:
    """The advice on decisions (worst first) of a run that was not accepted."""
    outcomes = Counter(each["outcome"] for each in decisions)
    first, exit_code = decisions[0], document["run"].get("exit_status", 0)
    blocked, doubtful = blocking(document), doubt(document, decisions, name)
    passed = first["outcome"] == "pass"
    lead = (
        "Do not merge"
        if outcomes["fail"]
        else "Do not merge yet"
        if blocked or exit_code
        else "Check before you merge"
        if doubtful or not passed
        else "May be merged"
    )
    reason = doubtful if doubtful and passed else _reason(decisions, name)
    if exit_code and not blocked:
        reason = f"the run ended with exit code {exit_code}; {reason}"
    outcomes[first["outcome"]] -= 1
    others = [
        f"{n} more {kind}" if kind == first["outcome"] else f"{n} {kind}"
        for kind, n in outcomes.items()
        if n and kind != "pass"
    ]
    rest = f" Also {', '.join(others)} of {len(decisions)} gated rates." if others else ""
    unready = ("stopped" if exit_code else "look" if doubtful else "") if passed else ""
    return MergeAdvice(first["outcome"], f"{lead}: {reason}.{rest}", details, unready)


def _explain_undecided(document: Document) -> str:
    if document["limit"] is not None:
        return (
            f"Not decided: only {document['limit']} prompts per axis were used, and the gate did "
            f"not run."
        )
    if not document["complete"]:
        return "Not decided: the run is incomplete, so the gate did not run."
    return "Not decided: no rate was gated, so this run cannot decide about a merge."


def _allowed(document: Document, decision: Mapping[str, Any]) -> bool:
    """Whether a run passes with this decision: a pass, or `warn` in the profile for its outcome."""
    settings = document["profile"]["axes"][decision["axis"]].get("gate", {})
    return decision["outcome"] == "pass" or bool(settings.get(decision["outcome"]) == "warn")


def _reason(decisions: Sequence[Mapping[str, Any]], name: Callable[[str], str]) -> str:
    """The reason of the worst decision; for a run of passes, a sentence on all of them."""
    first = decisions[0]
    variant, axis, rate = (name(first[key]) for key in ("variant", "axis", "rate"))
    if deciding(first).get("degenerate") or deciding(first).get("spoiled"):
        return _of_degenerate(deciding(first), name)
    other, margin = _other_side(first, name), f"{first['margin']:g} points"
    if first["outcome"] == "invalid":
        return f"{variant} cannot be compared with {other}: {name('; '.join(first['reasons']))}"
    if first["outcome"] == "uninformative":
        return f"{why_uninformative(first, name)}, so {rate} is not meaningful"
    if first["outcome"] == "inconclusive":
        since = "" if deciding(first) is first else " since the anchor"
        return f"a loss of {margin} of {axis} ({rate}){since} is not ruled out for {variant}"
    if first["outcome"] == "fail":
        return _of_loss(first, name)
    least = margin if len({each["margin"] for each in decisions}) == 1 else "its margin"
    few = sum(map(only_identical, decisions))
    known = "this is only known because the same model gave identical answers"
    identical = f"; for {few} of them {known}" if few else ""
    fell = f"no gated rate (of {len(decisions)}) fell by {least} or more against {other}"
    return f"{fell}{identical}{limits(decisions, name)}"


def _of_degenerate(decision: Mapping[str, Any], name: Callable[[str], str]) -> str:
    counts = decision.get("degenerate")
    if counts is None:
        return more_degenerate(decision, name)
    axis, rate = name(decision["axis"]), name(decision["rate"])
    return (
        f"{counts['after']} of {counts['total']} responses of {name(decision['variant'])} on "
        f"{axis} are degenerate, so {rate} is not meaningful"
    )


def _of_loss(decision: Mapping[str, Any], name: Callable[[str], str]) -> str:
    variant, axis, rate = (name(decision[key]) for key in ("variant", "axis", "rate"))
    decider = deciding(decision)
    if only_by_slices(decider):
        return f"{axis} ({rate}) of {variant} fell {clause(failing(decider)[0], name)}"
    other = _other_side(decision, name)
    since = f"against {other}" if decider is decision else "since the anchor"
    return f"{axis} ({rate}) of {variant} fell {_fall(decider)} {since}"


def _fall(decision: Mapping[str, Any]) -> str:
    """`from 85.0 to 33.0 %`, and who says so where people do."""
    change = decisive(decision)
    who = f", {basis(decision)}," if decision.get("corrected") else ""
    if change["before"] is None or change["after"] is None:
        return f"by {-change['difference']:.1f} points{who}"
    return f"from {change['before']:.1f} to {change['after']:.1f} %{who}"


def _other_side(decision: Mapping[str, Any], name: Callable[[str], str]) -> str:
    """The other side of a decision in words: `the baseline`, or a variant."""
    against = decision["against"]
    return "the baseline" if against == "baseline" else name(against)
