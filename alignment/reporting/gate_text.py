"""The gate as plain text: its decisions, their figures, and the flipped prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alignment.records.decisions import OUTCOMES
from alignment.reporting.collapse import degenerate, fooled
from alignment.reporting.columns import Column, tables
from alignment.reporting.corrections import basis, decisive, span
from alignment.reporting.corrections import sentences as on_labels
from alignment.reporting.numbers import NOTHING, probability
from alignment.reporting.score_changes import sentences as on_scores
from alignment.reporting.slices import clause, failing
from alignment.reporting.slices import sentences as on_slices
from alignment.reporting.text import safe, shorten, wrapped

MOST_FLIPS = 10
"""Most flipped prompts in an account; the JSON report has them all."""

_TEXT = 70


def worst_first(decisions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Decisions sorted by outcome, the worst first; equal ones keep their order."""
    return sorted(decisions, key=lambda each: -OUTCOMES.index(each["outcome"]))


def concerning(gate: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The decisions that are no clean pass, worst first; of equal `reasons` only the first."""
    selected, seen_reasons = [], set()
    for decision in worst_first(gate["decisions"] if gate else ()):
        reasons = tuple(decision["reasons"])
        clean = decision["outcome"] == "pass" and not only_identical(decision)
        clean = clean and not fooled([decision])
        if (clean and not _improved(decision)) or reasons in seen_reasons:
            continue
        if reasons:
            seen_reasons.add(reasons)
        selected.append(decision)
    return selected


# -- lines ---------------------------------------------------------------------------------------


def summary(gate: Mapping[str, Any], width: int) -> list[str]:
    """The gate's table: one row per variant and axis, then CAS and mean scores, then the plan."""
    decisions = gate["decisions"]
    if not decisions:
        return []
    deciders = [deciding(each) for each in decisions]
    changes = [None if each["change"] is None else decisive(each) for each in deciders]
    columns = [
        Column("outcome", [each["outcome"].upper() for each in decisions]),
        Column("change", [NOTHING if c is None else format_change(c) for c in changes]),
        Column(
            "lost/gained", [NOTHING if c is None else f"{c['lost']}/{c['gained']}" for c in changes]
        ),
        Column("p (Holm)", [probability(each["adjusted"]) for each in deciders]),
        Column("margin", [f"{each['margin']:g}" for each in decisions], optional=True),
    ]
    names = [
        f"{safe(each['variant'])} {safe(each['rate'])}{' since the anchor' * (decider is not each)}"
        for each, decider in zip(decisions, deciders, strict=True)
    ]
    heading = f"gate against {safe(gate['against'])}, change in percentage points"
    lines = ["", *wrapped(heading, width)]
    lines += tables(Column("gated", names), columns, width)
    for sentence in (
        *on_labels(gate, safe),
        *on_slices(decisions, safe),
        *on_scores(decisions, safe),
    ):
        lines += wrapped(f"{sentence}.", width)
    if any(gate["shifts"].values()):
        lines += ["", *_shifts(gate, width)]
    if gate["plan"]:
        lines += ["", *wrapped(f"plan: {safe(gate['plan'])}.", width)]
    return lines


def _shifts(gate: Mapping[str, Any], width: int) -> list[str]:
    """What is reported and not tested: CAS, mean scores, the change caused by the judge alone."""
    rows = {variant: shifts for variant, shifts in gate["shifts"].items() if shifts}
    names = [shift["name"] for shift in next(iter(rows.values()))]
    columns = [
        Column(
            "change of CAS" if place == 0 else f"mean {safe(name)}",
            [
                (format_change if place == 0 else format_shift)(shifts[place])
                for shifts in rows.values()
            ],
        )
        for place, name in enumerate(names)
    ]
    lines = tables(Column("reported, not tested", [safe(name) for name in rows]), columns, width)
    for variant, drifts in gate["drifts"].items():
        listed = ", ".join(f"{safe(name)} {format_change(shift)}" for name, shift in drifts.items())
        lines += wrapped(f"{safe(variant)}: change caused by the judge alone: {listed}", width)
    return lines


def comparisons(document: Mapping[str, Any], width: int) -> list[str]:
    """Every variant against every other: one row per pair and rate."""
    rows = [
        (f"{safe(each['before'])} to {safe(each['after'])} {safe(name)}", change)
        for each in document["comparisons"]
        for name, change in each["changes"].items()
    ]
    if not rows:
        return []
    columns = [
        Column("change", [format_change(change) for _, change in rows]),
        Column("lost/gained", [f"{change['lost']}/{change['gained']}" for _, change in rows]),
        Column("p (exact)", [probability(change["p_exact"]) for _, change in rows]),
        Column("p (Holm)", [probability(change["adjusted"]) for _, change in rows]),
    ]
    lines = ["", *tables(Column("paired comparison", [name for name, _ in rows]), columns, width)]
    combined = [each for each in document["comparisons"] if each["combined"] is not None]
    pairs = [f"{safe(each['before'])} to {safe(each['after'])} CAS" for each in combined]
    if combined:
        column = Column("change", [format_change(each["combined"]) for each in combined])
        lines += ["", *tables(Column("paired comparison", pairs), [column], width)]
    return lines


def concerns(gate: Mapping[str, Any], width: int) -> list[str]:
    """The accounts of every decision that is no clean pass, worst outcome first.

    A pass has only its headline. The advice to accept improved rates comes last.
    """
    advice = raising(gate)
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
    ] + (["", *wrapped(advice, width)] if advice else [])


def raising(gate: Mapping[str, Any] | None) -> str:
    """Advice to accept rates better than the baseline; empty if none is, or not all are passes."""
    decisions = gate["decisions"] if gate else ()
    improved = dict.fromkeys(safe(each["variant"]) for each in decisions if _improved(each))
    if not improved or any(each["outcome"] != "pass" for each in decisions):
        return ""
    return (
        f"To make the better rates of {', '.join(improved)} the new baseline, run again with "
        f"--snapshot-update."
    )


def headline(decision: Mapping[str, Any], name: Callable[[str], str] = safe) -> str:
    """One line: which variant and rate, the outcome, and why.

    `name` makes names and reasons safe for the format of the output.
    """
    gated = f"{name(decision['variant'])} {name(decision['rate'])}"
    return f"{gated}: {decision['outcome'].upper()}: {_explain(decision, name)}"


def account(decision: Mapping[str, Any], width: int = 100, most: int = MOST_FLIPS) -> list[str]:
    """The headline and at most `most` flipped prompts, in lines of about `width` characters."""
    return [*wrapped(headline(decision), width), *flips(decision, width, most)]


def flips(decision: Mapping[str, Any], width: int = 100, most: int = MOST_FLIPS) -> list[str]:
    """At most `most` flipped prompts of a decision: text, verdicts, scores and both responses."""
    flipped = deciding(decision)["flips"]
    lines = [line for flip in flipped[:most] for line in _flip_lines(flip, width)]
    if len(flipped) > most:
        lines.append(f"  and {len(flipped) - most} more in report.json")
    return lines


def deciding(decision: Mapping[str, Any]) -> Mapping[str, Any]:
    """The comparison that the outcome comes from: `decision` itself, or that with the anchor."""
    anchor: Mapping[str, Any] | None = decision["anchor"]
    if anchor is None or decision["own"] == decision["outcome"]:
        return decision
    return anchor


def format_change(change: Mapping[str, Any]) -> str:
    """A change with its interval, in points: `-19.0 [-28.1, -10.2]`."""
    low, high = change["interval"]
    return f"{change['difference']:+.1f} [{low:+.1f}, {high:+.1f}]"


def _explain(decision: Mapping[str, Any], name: Callable[[str], str]) -> str:
    if decision["reasons"]:
        return "; ".join(name(reason) for reason in decision["reasons"])
    change, margin = decisive(decision), f"{decision['margin']:g}"
    labelled = decision.get("corrected")
    figures = (
        f"{f'{basis(decision)}, ' if labelled else ''}{span(change)}{format_change(change)} points "
        f"against {name(decision['against'])}, {change['lost']} lost and {change['gained']} gained "
        f"of {labelled['labelled'] if labelled else change['total']}"
    )
    decider = deciding(decision)
    if decider is not decision:
        return f"since the anchor: {_explain(decider, name)}"
    if counts := decision.get("degenerate") or decision.get("spoiled"):
        return f"{figures}; {degenerate(counts, name)}"
    addition = "".join(f"; fell {clause(each, name)}" for each in failing(decision))
    addition += "".join(f"; {name(each['text'])}" for each in decision.get("cautions", ()))
    if only_by_slices(decision):
        return f"{figures}{addition}"
    return f"{figures}{_explain_outcome(decision, margin, name)}{addition}"


def _explain_outcome(decision: Mapping[str, Any], margin: str, name: Callable[[str], str]) -> str:
    outcome = decision["own"]
    if outcome == "fail":
        return (
            f", p = {probability(decision['adjusted'])} (Holm-corrected); significant and at least "
            f"the margin of {margin} points"
        )
    if outcome == "inconclusive":
        return f"; a loss of {margin} points is not ruled out, {_explain_needed(decision)}"
    if outcome == "uninformative":
        return f"; {why_uninformative(decision, name)}"
    if _improved(decision):
        return "; improved"
    if decision.get("identical"):
        other = "the baseline" if decision["against"] == "baseline" else name(decision["against"])
        return f"; the answers are identical to those of {other}, which is the same model"
    return ""


def only_by_slices(decision: Mapping[str, Any]) -> bool:
    """Whether a decision fails by a slice alone: the whole passes, or is open."""
    return (
        decision["own"] == "fail"
        and bool(failing(decision))
        and not decision.get("spoiled")
        and bool(decision["change"]["difference"] > -decision["margin"])
    )


def why_uninformative(decision: Mapping[str, Any], name: Callable[[str], str]) -> str:
    """Clause: the judge is no better than chance, or labels are required and missing."""
    axis = name(decision["axis"])
    if decision.get("uncorrected"):
        return f"people's labels are required on {axis}: {name(decision['uncorrected'])}"
    return f"the judge is no better than chance on {axis}"


def _explain_needed(decision: Mapping[str, Any]) -> str:
    """What would decide an inconclusive comparison: how many prompts, with a range, or labels."""
    if decision.get("corrected"):
        return "more labels can decide"
    needed, (low, high) = decision["needed"], decision.get("needed_range") or (None, None)
    if needed is None:
        best = "" if low is None else f" (at best {low} would)"
        return f"more prompts like these would not decide{best}"
    number = f"about {needed} prompts like these would decide with 80 % power"
    if low is None:
        return number
    most = f"(from {low}, without an upper limit)" if high is None else f"({low} to {high})"
    return f"{number} {most}"


def only_identical(decision: Mapping[str, Any]) -> bool:
    """Whether a decision passes only because one model gave the same answers twice.

    There are then too few prompts for the interval to rule out a loss of the margin.
    """
    return (
        decision["outcome"] == "pass"
        and bool(decision.get("identical"))
        and bool(decision["change"]["interval"][0] <= -decision["margin"])
    )


def _improved(decision: Mapping[str, Any]) -> bool:
    return bool(
        decision["outcome"] == "pass"
        and decision["against"] == "baseline"
        and decision["change"] is not None
        and decisive(decision)["interval"][0] > 0
    )


def _flip_lines(flip: Mapping[str, Any], width: int) -> list[str]:
    verdict = "lost  " if flip["before"] else "gained"
    question = flip["text"].rsplit("Human:", 1)[-1].strip()
    room = max(20, min(_TEXT, width - 60))
    scores = f"{flip['score_before']:+.2f} -> {flip['score_after']:+.2f}"
    lines = [f"  {verdict} {safe(flip['prompt'])}  {scores}  {safe(shorten(question, room))}"]
    for label in ("before", "after"):
        if flip[f"response_{label}"] is not None:
            response = safe(shorten(flip[f"response_{label}"], max(20, width - 18)))
            lines.append(f"         {label:>6}: {response}")
    return lines


def format_shift(shift: Mapping[str, Any]) -> str:
    """A shift of a mean score, in the judge's unit: `-0.31 [-0.52, -0.11]`."""
    low, high = shift["interval"]
    return f"{shift['difference']:+.2f} [{low:+.2f}, {high:+.2f}]"
