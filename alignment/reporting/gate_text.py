"""The gate in words: what it decided, on which figures, and which prompts flipped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alignment.records.decisions import OUTCOMES
from alignment.reporting.collapse import degenerate, doubt
from alignment.reporting.columns import Column, tables
from alignment.reporting.numbers import NOTHING, Document
from alignment.reporting.text import safe, shorten, wrapped

MOST = 10
"""Flipped prompts that an account lists; the JSON report has them all."""

_TEXT = 70


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to merge, in words for someone who has never seen a report.

    `outcome` is the gate's worst, `accepted` where this run became a baseline, None where no gate
    was held; `headline` is one sentence, which speaks for a merge only where the exit code does;
    `details` are a sentence for every decision that is no clean pass, worst first.
    """

    outcome: str | None
    headline: str
    details: tuple[str, ...]
    unready: str = ""

    @property
    def title(self) -> str | None:
        """The outcome; where the gate passes and the headline speaks for no merge, `unready`.

        That is `look` (before merging) or `stopped` (the run failed, for whatever reason).
        """
        return self.unready or self.outcome


def verdict(document: Document, name: Callable[[str], str] = safe) -> Verdict:
    """What a report says about a merge. `name` makes names and reasons safe for where it goes."""
    gate, accepted = document["gate"], document["run"].get("accepted", [])
    decisions = worst_first(gate["decisions"] if gate else ())
    if not decisions:
        return Verdict(None, _undecided(document), ())
    left = [each for each in concerning(gate) if each["variant"] not in accepted]
    details = tuple(headline(each, name) for each in left)
    if accepted:
        others = dict.fromkeys(each["variant"] for each in decisions)
        rest = ", ".join(name(each) for each in others if each not in accepted)
        said = f"Accepted: this run is now the baseline of {', '.join(map(name, accepted))}."
        return Verdict(
            "accepted", said + (f" No baseline was accepted for {rest}." if rest else ""), details
        )
    return _judged(document, decisions, details, name)


def blocking(document: Document) -> bool:
    """Whether the gate forbids a merge: some decision is neither a pass nor let through."""
    gate = document["gate"]
    decisions = gate["decisions"] if gate and not document["run"].get("accepted") else ()
    return any(not _let_through(document, each) for each in decisions)


def _judged(
    document: Document,
    decisions: Sequence[Mapping[str, Any]],
    details: tuple[str, ...],
    name: Callable[[str], str],
) -> Verdict:
    """The verdict on decisions that stand, worst first."""
    outcomes = Counter(each["outcome"] for each in decisions)
    first, code = decisions[0], document["run"].get("exit_status", 0)
    blocked, doubtful = blocking(document), doubt(document, decisions, name)
    passed = first["outcome"] == "pass"
    lead = (
        "Do not merge"
        if outcomes["fail"]
        else "Do not merge yet"
        if blocked or code
        else "Check before you merge"
        if doubtful or not passed
        else "May be merged"
    )
    said = doubtful if doubtful and passed else _found(decisions, name)
    if code and not blocked:
        said = f"the run ended with exit code {code}; {said}"
    outcomes[first["outcome"]] -= 1
    others = [
        f"{n} more {kind}" if kind == first["outcome"] else f"{n} {kind}"
        for kind, n in outcomes.items()
        if n and kind != "pass"
    ]
    rest = f" Also {', '.join(others)} of {len(decisions)} gated rates." if others else ""
    unready = ("stopped" if code else "look" if doubtful else "") if passed else ""
    return Verdict(first["outcome"], f"{lead}: {said}.{rest}", details, unready)


def _undecided(document: Document) -> str:
    if document["limit"] is not None:
        return (
            f"Not decided: only {document['limit']} prompts per axis were used, and the gate did "
            f"not run."
        )
    if not document["complete"]:
        return "Not decided: the run is incomplete, so the gate did not run."
    return "Not decided: no rate was gated, so this run cannot decide about a merge."


def _let_through(document: Document, decision: Mapping[str, Any]) -> bool:
    """Whether a run passes with this decision, by the profile's word on what is not decided."""
    settings = document["profile"]["axes"][decision["axis"]].get("gate", {})
    return decision["outcome"] == "pass" or bool(settings.get(decision["outcome"]) == "warn")


def _found(decisions: Sequence[Mapping[str, Any]], name: Callable[[str], str]) -> str:
    """What the worst decision found; for a clean run what all of them did."""
    first = decisions[0]
    variant, axis, rate = (name(first[key]) for key in ("variant", "axis", "rate"))
    broken = deciding(first).get("degenerate")
    if broken is not None:
        return (
            f"{broken['after']} of {broken['total']} responses of {variant} on {axis} are "
            f"degenerate, so {rate} is not meaningful"
        )
    other, margin = _other(first, name), f"{first['margin']:g} points"
    if first["outcome"] == "invalid":
        return f"{variant} cannot be compared with {other}: {name('; '.join(first['reasons']))}"
    if first["outcome"] == "uninformative":
        return f"the judge is no better than chance on {axis}, so {rate} is not meaningful"
    if first["outcome"] == "inconclusive":
        since = "" if deciding(first) is first else " since the anchor"
        return f"a loss of {margin} of {axis} ({rate}){since} is not ruled out for {variant}"
    if first["outcome"] == "fail":
        by = deciding(first)
        since = f"against {other}" if by is first else "since the anchor"
        fall = f"from {by['change']['before']:.1f} to {by['change']['after']:.1f} %"
        return f"{axis} ({rate}) of {variant} fell {fall} {since}"
    least = margin if len({each["margin"] for each in decisions}) == 1 else "its margin"
    few = sum(map(unresolved, decisions))
    though = f", but for {few} of them there are too few prompts to rule that out" if few else ""
    return f"no gated rate (of {len(decisions)}) fell by {least} or more against {other}{though}"


def _other(decision: Mapping[str, Any], name: Callable[[str], str]) -> str:
    """The other side of a decision: `the baseline`, or a variant."""
    against = decision["against"]
    return "the baseline" if against == "baseline" else name(against)


def worst_first(decisions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Decisions by their outcome, the worst first, else in their order."""
    return sorted(decisions, key=lambda each: -OUTCOMES.index(each["outcome"]))


def concerning(gate: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The decisions that are no clean pass, worst first; what concerns a variant is told once."""
    found, told = [], set()
    for decision in worst_first(gate["decisions"] if gate else ()):
        reasons = tuple(decision["reasons"])
        clean = decision["outcome"] == "pass" and not unresolved(decision)
        clean = clean and not decision.get("spoiled")
        if (clean and not _improved(decision)) or reasons in told:
            continue
        if reasons:
            told.add(reasons)
        found.append(decision)
    return found


# -- lines ---------------------------------------------------------------------------------------


def summary(gate: Mapping[str, Any], width: int) -> list[str]:
    """The gate's table: one row per variant and axis, then CAS and mean scores, then the plan."""
    decisions = gate["decisions"]
    if not decisions:
        return []
    told = [deciding(each) for each in decisions]
    changes = [each["change"] for each in told]
    columns = [
        Column("outcome", [each["outcome"].upper() for each in decisions]),
        Column("change", [NOTHING if c is None else moved(c) for c in changes]),
        Column(
            "lost/gained", [NOTHING if c is None else f"{c['lost']}/{c['gained']}" for c in changes]
        ),
        Column("p (Holm)", [probability(each["adjusted"]) for each in told]),
        Column("margin", [f"{each['margin']:g}" for each in decisions], optional=True),
    ]
    names = [
        f"{safe(each['variant'])} {safe(each['rate'])}{' since the anchor' * (by is not each)}"
        for each, by in zip(decisions, told, strict=True)
    ]
    heading = f"gate against {safe(gate['against'])}, change in percentage points"
    lines = ["", *wrapped(heading, width)]
    lines += tables(Column("gated", names), columns, width)
    if any(gate["shifts"].values()):
        lines += ["", *_shifts(gate, width)]
    if gate["plan"]:
        lines += ["", *wrapped(f"plan: {safe(gate['plan'])}.", width)]
    return lines


def _shifts(gate: Mapping[str, Any], width: int) -> list[str]:
    """What is reported and not tested: CAS, mean scores, and what the judge alone did."""
    rows = {variant: found for variant, found in gate["shifts"].items() if found}
    names = [shift["name"] for shift in next(iter(rows.values()))]
    columns = [
        Column(
            "change of CAS" if place == 0 else f"mean {safe(name)}",
            [(moved if place == 0 else shifted)(found[place]) for found in rows.values()],
        )
        for place, name in enumerate(names)
    ]
    lines = tables(Column("reported, not tested", [safe(name) for name in rows]), columns, width)
    for variant, drifts in gate["drifts"].items():
        told = ", ".join(f"{safe(name)} {moved(shift)}" for name, shift in drifts.items())
        lines += wrapped(f"{safe(variant)}: change caused by the judge alone: {told}", width)
    return lines


def comparisons(document: Mapping[str, Any], width: int) -> list[str]:
    """Every variant against every other: one row per pair and rate."""
    rows = [
        (f"{safe(each['before'])} to {safe(each['after'])} {safe(name)}", found)
        for each in document["comparisons"]
        for name, found in each["changes"].items()
    ]
    if not rows:
        return []
    columns = [
        Column("change", [moved(found) for _, found in rows]),
        Column("lost/gained", [f"{found['lost']}/{found['gained']}" for _, found in rows]),
        Column("p (exact)", [probability(found["p_exact"]) for _, found in rows]),
        Column("p (Holm)", [probability(found["adjusted"]) for _, found in rows]),
    ]
    lines = ["", *tables(Column("paired comparison", [name for name, _ in rows]), columns, width)]
    combined = [each for each in document["comparisons"] if each["combined"] is not None]
    pairs = [f"{safe(each['before'])} to {safe(each['after'])} CAS" for each in combined]
    if combined:
        column = Column("change", [moved(each["combined"]) for each in combined])
        lines += ["", *tables(Column("paired comparison", pairs), [column], width)]
    return lines


def concerns(gate: Mapping[str, Any], width: int) -> list[str]:
    """The accounts of every decision that is no clean pass, worst outcome first.

    Of a rate that improved only the headline: its flips are no reason to stop and read.
    """
    raised = raising(gate)
    return [
        line
        for decision in concerning(gate)
        for line in (
            "",
            *(
                wrapped(headline(decision), width)
                if decision["outcome"] == "pass"
                else account(decision, width)
            ),
        )
    ] + (["", *wrapped(raised, width)] if raised else [])


def raising(gate: Mapping[str, Any] | None) -> str:
    """What to do with a run that is better than its baseline; empty where it is not."""
    decisions = gate["decisions"] if gate else ()
    better = dict.fromkeys(safe(each["variant"]) for each in decisions if _improved(each))
    if not better or any(each["outcome"] != "pass" or each.get("spoiled") for each in decisions):
        return ""
    return (
        f"To make the better rates of {', '.join(better)} the new baseline, run again with "
        f"--snapshot-update."
    )


def headline(decision: Mapping[str, Any], name: Callable[[str], str] = safe) -> str:
    """One line: which variant and rate, the outcome, and why; `name` as for `verdict`."""
    which = f"{name(decision['variant'])} {name(decision['rate'])}"
    return f"{which}: {decision['outcome'].upper()}: {_why(decision, name)}"


def account(decision: Mapping[str, Any], width: int = 100, most: int = MOST) -> list[str]:
    """The headline, and the flipped prompts: what they asked, verdicts, scores, both responses."""
    return [*wrapped(headline(decision), width), *flips(decision, width, most)]


def flips(decision: Mapping[str, Any], width: int = 100, most: int = MOST) -> list[str]:
    """The flipped prompts of whatever decided: what they asked, verdicts, scores, responses."""
    found = deciding(decision)["flips"]
    lines = [line for flip in found[:most] for line in _flip(flip, width)]
    if len(found) > most:
        lines.append(f"  and {len(found) - most} more in report.json")
    return lines


def deciding(decision: Mapping[str, Any]) -> Mapping[str, Any]:
    """The comparison that the outcome comes from: with the other side, or with the anchor."""
    anchor: Mapping[str, Any] | None = decision["anchor"]
    if anchor is None or decision["own"] == decision["outcome"]:
        return decision
    return anchor


def moved(change: Mapping[str, Any]) -> str:
    """A change with its interval, in points: `-19.0 [-28.1, -10.2]`."""
    low, high = change["interval"]
    return f"{change['difference']:+.1f} [{low:+.1f}, {high:+.1f}]"


def _why(decision: Mapping[str, Any], name: Callable[[str], str]) -> str:
    if decision["reasons"]:
        return "; ".join(name(reason) for reason in decision["reasons"])
    change, margin = decision["change"], f"{decision['margin']:g}"
    figures = (
        f"{change['before']:.1f} to {change['after']:.1f} %, {moved(change)} points against "
        f"{name(decision['against'])}, {change['lost']} lost and {change['gained']} gained of "
        f"{change['total']}"
    )
    by = deciding(decision)
    if by is not decision:
        return f"since the anchor: {_why(by, name)}"
    if broken := decision.get("degenerate"):
        return f"{figures}; {degenerate(broken, name)}"
    more = decision.get("spoiled")
    also = f"; {degenerate(more, name)}" if more else ""
    return f"{figures}{_meaning(decision, margin, name)}{also}"


def _meaning(decision: Mapping[str, Any], margin: str, name: Callable[[str], str]) -> str:
    own = decision["own"]
    if own == "fail":
        return (
            f", p = {probability(decision['adjusted'])} (Holm-corrected); significant and at least "
            f"the margin of {margin} points"
        )
    if own == "inconclusive":
        needed = decision["needed"]
        more = (
            "more prompts like these would not decide"
            if needed is None
            else f"about {needed} prompts like these would decide"
        )
        return f"; a loss of {margin} points is not ruled out, {more}"
    if own == "uninformative":
        return f"; the judge is no better than chance on {name(decision['axis'])}"
    if _improved(decision):
        return "; improved"
    if unresolved(decision):
        return f"; there are too few prompts to rule out a loss of {margin} points"
    return ""


def unresolved(decision: Mapping[str, Any]) -> bool:
    """Whether a pass is only that no verdict differs: the interval reaches the margin."""
    compared = (each for each in (decision, decision["anchor"]) if each is not None)
    return decision["outcome"] == "pass" and any(
        each["change"] is not None and each["change"]["interval"][0] <= -each["margin"]
        for each in compared
    )


def _improved(decision: Mapping[str, Any]) -> bool:
    change = decision["change"]
    return bool(
        decision["outcome"] == "pass"
        and decision["against"] == "baseline"
        and change is not None
        and change["interval"][0] > 0
    )


def _flip(flip: Mapping[str, Any], width: int) -> list[str]:
    went = "lost  " if flip["before"] else "gained"
    last = flip["text"].rsplit("Human:", 1)[-1].strip()
    room = max(20, min(_TEXT, width - 60))
    scores = f"{flip['score_before']:+.2f} -> {flip['score_after']:+.2f}"
    lines = [f"  {went} {safe(flip['prompt'])}  {scores}  {safe(shorten(last, room))}"]
    for label in ("before", "after"):
        if flip[f"response_{label}"] is not None:
            response = safe(shorten(flip[f"response_{label}"], max(20, width - 18)))
            lines.append(f"         {label:>6}: {response}")
    return lines


def shifted(shift: Mapping[str, Any]) -> str:
    """A shift of a mean score, in the judge's unit: `-0.31 [-0.52, -0.11]`."""
    low, high = shift["interval"]
    return f"{shift['difference']:+.2f} [{low:+.2f}, {high:+.2f}]"


def probability(value: float | None) -> str:
    """A p-value: `0.0352`, `3e-06`."""
    if value is None:
        return NOTHING
    return f"{value:.0e}" if value < 0.0001 else f"{value:.4f}"
