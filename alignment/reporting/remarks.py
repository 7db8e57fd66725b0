"""Warnings that a reader needs before trusting a number, one sentence each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from alignment.reporting import numbers
from alignment.reporting.collapse import more_degenerate
from alignment.reporting.numbers import Document

_CHANCE = 50.0


def remarks(document: Document, name: Callable[[str], str]) -> list[tuple[str, str]]:
    """(label, sentence) for everything that limits the results of a run, most serious first.

    `name` makes names safe for the format of the output. Labels are `DEGENERATE`, `SAME ANSWERS`,
    `INCOMPLETE`, `LIMITED`, `UNSCORED` and `UNINFORMATIVE`. Empty for a run without such limits.
    """
    entries = [
        *_first_ones(_degenerate(document, name)),
        *_first_ones(_same_answers(document, name)),
    ]
    if not document["complete"]:
        entries.append(
            (
                "INCOMPLETE",
                "verdicts or the judge's evaluation are missing; numbers use what is there.",
            )
        )
    if (limit := document["limit"]) is not None:
        entries.append(
            (
                "LIMITED",
                f"only the first {limit} prompts per axis were used; not enough to decide.",
            )
        )
    entries.extend(
        ("UNSCORED", _unscored(variant, about["unscored"], name))
        for variant, about in document["variants"].items()
        if about.get("unscored")
    )
    entries.extend(
        ("UNINFORMATIVE", _uninformative(document, axis, name))
        for axis, about in document["axes"].items()
        if about["informative"] is False
    )
    return entries


FIRST = {"DEGENERATE", "SAME ANSWERS"}
"""Labels of remarks on what makes a model look better than it is: shown before all figures."""


_MOST = 10
"""Most remarks of one label: a run of many variants can have many."""


def _first_ones(remarks: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The first `_MOST` remarks, and one on how many more there are."""
    yield from islice(remarks, _MOST)
    rest = list(remarks)
    if rest:
        yield rest[0][0], f"and {len(rest)} more of this kind, in report.json."


def _degenerate(document: Document, name: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Remarks on axes where most responses, or more than before, are degenerate."""
    kinds: dict[tuple[str, str], Counter[str | None]] = {}
    for case in document["cases"]:
        if case["response"] is not None:
            key = case["variant"], case["axis"]
            kinds.setdefault(key, Counter())[case["degenerate"]] += 1
    for (variant, axis), counts in kinds.items():
        total, bad = counts.total(), {kind: n for kind, n in counts.items() if kind is not None}
        count = sum(bad.values())
        if 2 * count > total:
            listed = ", ".join(f"{number} {name(kind)}" for kind, number in sorted(bad.items()))
            sentence = (
                f"{count} of {total} responses of {name(variant)} on {name(axis)} are degenerate "
                f"({listed}): this rate is not meaningful, whatever scores the judge gives."
            )
            yield "DEGENERATE", sentence
    for decision in document["gate"]["decisions"] if document["gate"] else ():
        if decision.get("spoiled"):
            listed = more_degenerate(decision, name)
            yield "DEGENERATE", f"{listed}: read them before you trust {name(decision['rate'])}."


def _same_answers(document: Document, name: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Remarks on variants whose answers are all those of another, or of their baseline."""
    totals = Counter(case["variant"] for case in document["cases"])
    for variant, other in numbers.same_answers(document).items():
        whose = other if other == numbers.BASELINE else name(other)
        sentence = (
            f"all {totals[variant]} answers of {name(variant)} are identical to those of {whose}: "
            f"is it really a different model, and is its adapter applied?"
        )
        yield "SAME ANSWERS", sentence


def _unscored(variant: str, counts: Mapping[str, int], name: Callable[[str], str]) -> str:
    listed = " and ".join(f"{count} on {name(axis)}" for axis, count in counts.items())
    return (
        f"responses of {name(variant)} have no score: {listed}. Either the judge gave no score or "
        f"there was no answer. They are left out of all numbers; the gate allows at most 5 %."
    )


def _uninformative(document: Document, axis: str, name: Callable[[str], str]) -> str:
    axis_rate = document["axes"][axis]["rate"]
    axes_rates = {about["rate"] for about in document["axes"].values()}
    combined = [rate for rate in numbers.rate_names(document) if rate not in axes_rates]
    affected = " and ".join(name(rate) for rate in (axis_rate, *combined))
    verb = "are" if combined else "is"
    accuracy = document["judge"]["trials"][axis]["accuracy"]
    verdict = "worse than chance" if accuracy["interval"][1] < _CHANCE else "no better than chance"
    return (
        f"{affected} {verb} not meaningful: on {name(axis)} the judge's accuracy on "
        f"{accuracy['total']} held-out pairs is {numbers.rate(accuracy)} %, {verdict}."
    )
