"""What a reader must know before believing a number, one sentence each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from alignment.reporting import numbers
from alignment.reporting.numbers import Document

_CHANCE = 50.0


def remarks(document: Document, name: Callable[[str], str]) -> list[tuple[str, str]]:
    """(label, sentence) for all that makes a run less than what it seems: most serious first.

    `name` makes the names of axes and rates safe for where the sentences go. Labels are
    `INCOMPLETE`, `LIMITED`, `UNSCORED` and `UNINFORMATIVE`; no remark for a run that is none of
    these.
    """
    found = []
    if not document["complete"]:
        found.append(
            (
                "INCOMPLETE",
                "verdicts or the judge's trial are missing; the figures cover what is there.",
            )
        )
    if (limit := document["limit"]) is not None:
        found.append(
            (
                "LIMITED",
                f"a quick look at {limit} prompts per axis, which decides nothing about the rest.",
            )
        )
    found.extend(
        ("UNSCORED", _unscored(variant, about["unscored"], name))
        for variant, about in document["variants"].items()
        if about.get("unscored")
    )
    found.extend(
        ("UNINFORMATIVE", _uninformative(document, axis, name))
        for axis, about in document["axes"].items()
        if about["informative"] is False
    )
    return found


def _unscored(variant: str, counts: Mapping[str, int], name: Callable[[str], str]) -> str:
    told = " and ".join(f"{count} on {name(axis)}" for axis, count in counts.items())
    return (
        f"responses of {name(variant)} have no score: {told}. The judge gave none, or there was no "
        f"answer. They are in no figure; the gate takes at most 5 %."
    )


def _uninformative(document: Document, axis: str, name: Callable[[str], str]) -> str:
    own = document["axes"][axis]["rate"]
    axes_rates = {about["rate"] for about in document["axes"].values()}
    built = [rate for rate in numbers.rate_names(document) if rate not in axes_rates]
    affected = " and ".join(name(rate) for rate in (own, *built))
    verb = "say" if built else "says"
    accuracy = document["judge"]["trials"][axis]["accuracy"]
    verdict = "worse than chance" if accuracy["interval"][1] < _CHANCE else "no better than chance"
    return (
        f"{affected} {verb} nothing: on {name(axis)} the judge is right in "
        f"{numbers.rate(accuracy)} % of {accuracy['total']} held-out pairs, {verdict}."
    )
