"""The gate in words: what it decided, on which figures, and which prompts flipped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alignment.decisions import OUTCOMES
from alignment.reporting import numbers
from alignment.reporting.columns import Column, tables
from alignment.reporting.numbers import NOTHING, Document
from alignment.reporting.text import safe, shorten, wrapped

MOST = 10
"""Flipped prompts that an account lists; the JSON report has them all."""

_TEXT = 70


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to merge, in words for someone who has never seen a report.

    `outcome` is the gate's worst, `accepted` where this run became the baseline that it was held
    against, None where no gate was held; `headline` is one sentence; `details` are a sentence for
    every decision that is no clean pass, worst first.
    """

    outcome: str | None
    headline: str
    details: tuple[str, ...]


def verdict(document: Document, name: Callable[[str], str] = safe) -> Verdict:
    """What a report says about a merge. `name` makes names and reasons safe for where it goes."""
    gate, accepted = document["gate"], document["run"].get("accepted", [])
    decisions = worst_first(gate["decisions"] if gate else ())
    if not decisions:
        return Verdict(None, _undecided(document), ())
    open_ = [each for each in decisions if each["variant"] not in accepted]
    if not open_:
        names = ", ".join(map(name, accepted))
        return Verdict("accepted", f"Accepted: this run is now the baseline of {names}.", ())
    details = tuple(headline(each, name) for each in concerning(gate))
    return _judged(document, open_, details, name)


def _judged(
    document: Document,
    decisions: Sequence[Mapping[str, Any]],
    details: tuple[str, ...],
    name: Callable[[str], str],
) -> Verdict:
    """The verdict on decisions that stand, worst first."""
    outcomes = Counter(each["outcome"] for each in decisions)
    first = decisions[0]
    blocked = [each for each in decisions if not _let_through(document, each)]
    same = _same(document, decisions, name)
    lead = (
        "Do not merge"
        if outcomes["fail"]
        else "Do not merge yet"
        if blocked
        else "Look before you merge"
        if first["outcome"] != "pass" or same
        else "May be merged"
    )
    said = same if same and first["outcome"] == "pass" else _found(decisions, name)
    outcomes[first["outcome"]] -= 1
    others = [
        f"{n} more {kind}" if kind == first["outcome"] else f"{n} {kind}"
        for kind, n in outcomes.items()
        if n and kind != "pass"
    ]
    rest = f" Also {', '.join(others)} of {len(decisions)} gated rates." if others else ""
    return Verdict(first["outcome"], f"{lead}: {said}.{rest}", details)


def _undecided(document: Document) -> str:
    if document["limit"] is not None:
        return (
            f"Not decided: {document['limit']} prompts per axis are a quick look, without a gate."
        )
    if not document["complete"]:
        return "Not decided: the run is incomplete, so no gate was held."
    return "Not decided: nothing was gated, so this run says nothing about a merge."


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
            f"degenerate, so {rate} says nothing"
        )
    other, margin = _other(first, name), f"{first['margin']:g} points"
    if first["outcome"] == "invalid":
        return f"{variant} cannot be compared with {other}: {name('; '.join(first['reasons']))}"
    if first["outcome"] == "uninformative":
        return f"the judge is no better than chance on {axis}, so {rate} says nothing"
    if first["outcome"] == "inconclusive":
        since = "" if deciding(first) is first else " since the anchor"
        return f"a loss of {margin} of {axis} ({rate}){since} is not ruled out for {variant}"
    if first["outcome"] == "fail":
        by = deciding(first)
        since = f"against {other}" if by is first else "since the anchor"
        fall = f"from {by['change']['before']:.1f} to {by['change']['after']:.1f} %"
        return f"{axis} ({rate}) of {variant} fell {fall} {since}"
    least = margin if len({each["margin"] for each in decisions}) == 1 else "its margin"
    return f"no gated rate (of {len(decisions)}) fell by {least} or more against {other}"


def _same(
    document: Document, decisions: Sequence[Mapping[str, Any]], name: Callable[[str], str]
) -> str:
    """What a pass is worth nothing for: a variant that says what another one says."""
    found = numbers.same_answers(document)
    gated = [each["variant"] for each in decisions if each["variant"] in found]
    if not gated:
        return ""
    other = found[gated[0]]
    of = other if other == numbers.BASELINE else name(other)
    return f"every answer of {name(gated[0])} equals that of {of}, byte for byte"


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
        if (decision["outcome"] == "pass" and not _improved(decision)) or reasons in told:
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
    lines = ["", *wrapped(f"gate against {safe(gate['against'])}, points of change", width)]
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
        lines += wrapped(f"{safe(variant)}: what the judge alone did: {told}", width)
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
    ]


def headline(decision: Mapping[str, Any], name: Callable[[str], str] = safe) -> str:
    """One line: which variant and rate, the outcome, and why; `name` as for `verdict`."""
    which = f"{name(decision['variant'])} {name(decision['rate'])}"
    return f"{which}: {decision['outcome'].upper()}: {_why(decision, name)}"


def account(decision: Mapping[str, Any], width: int = 100, most: int = MOST) -> list[str]:
    """The headline, and the flipped prompts: what they asked, verdicts, scores, both responses."""
    lines = wrapped(headline(decision), width)
    flips = deciding(decision)["flips"]
    for flip in flips[:most]:
        lines += _flip(flip, width)
    if len(flips) > most:
        lines.append(f"  and {len(flips) - most} more in report.json")
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
    return f"{figures}{_meaning(decision, margin, name)}"


def _meaning(decision: Mapping[str, Any], margin: str, name: Callable[[str], str]) -> str:
    own, broken = decision["own"], decision.get("degenerate")
    if broken is not None:
        return f"; {_degenerate(broken, name)}"
    if own == "fail":
        return (
            f", p {probability(decision['adjusted'])} after Holm; a loss of {margin} points blocks"
        )
    if own == "inconclusive":
        needed = decision["needed"]
        more = "no number of such prompts" if needed is None else f"about {needed} such prompts"
        return f"; a loss of {margin} points is not ruled out, {more} would decide"
    if own == "uninformative":
        return f"; the judge is no better than chance on {name(decision['axis'])}"
    if _improved(decision):
        return "; improved: the baseline can be raised with --snapshot-update"
    return ""


def _degenerate(broken: Mapping[str, Any], name: Callable[[str], str]) -> str:
    """How many responses are no answers, of which kinds, and what that often comes from."""
    kinds = ", ".join(f"{count} {name(kind)}" for kind, count in broken["kinds"].items())
    ran_on = 2 * broken["kinds"].get("runaway", 0) > broken["after"]
    advice = (
        "set generation.stop_at_human = true"
        if ran_on
        else "read them: is the model loaded whole, and asked in its own format?"
    )
    return (
        f"{broken['after']} of {broken['total']} responses are degenerate ({kinds}), "
        f"{broken['before']} were before; {advice}"
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
