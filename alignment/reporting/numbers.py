"""Formats numbers the same way in every rendering of a document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Document = Mapping[str, Any]
"""The result of `reporting.document.document`, or its JSON after reading."""

BASELINE = "its baseline"
"""Stands among variants for the responses of a baseline: no variant can have this name."""

NOTHING = "-"
"""Shown in place of a missing figure."""

_FULL = 99.95
"""From this percentage on `100.0` is written, one character wider than the others."""


def level(document: Document) -> str:
    """The confidence of all intervals: `95 %`."""
    return f"{100 * float(document['profile'].get('confidence', 0.95)):g} %"


def rate(entry: Mapping[str, Any] | None, digits: int = 0) -> str:
    """A rate and its interval in %: `48.0 [34.8, 61.5]`; `digits` is each number's least width."""
    if entry is None:
        return NOTHING
    low, high = entry["interval"]
    return f"{entry['percent']:{digits}.1f} [{low:{digits}.1f}, {high:{digits}.1f}]"


def rates(entries: Iterable[Mapping[str, Any] | None]) -> list[str]:
    """Rates as the cells of one column, with their decimal points aligned."""
    column = list(entries)
    highest = max((each["interval"][1] for each in column if each), default=0.0)
    return [rate(each, 5 if highest >= _FULL else 4) for each in column]


def mean(variant: Mapping[str, Any], axis: str) -> str:
    """A variant's mean score on an axis, in the judge's unit: `-3.52`."""
    scores = variant["scores"].get(axis)
    return NOTHING if scores is None else f"{scores['mean']:.2f}"


def change(variant: Mapping[str, Any], name: str) -> str:
    """The relative change of a rate over the reference variant: `+14.29 %`.

    Halves are rounded away from zero, as in the paper's Table 2 (28.125 is 28.13).
    """
    percent = variant["change"].get(name)
    if percent is None:
        return NOTHING
    return f"{Decimal(str(percent)).quantize(Decimal('0.01'), ROUND_HALF_UP):+} %"


def degenerate(variant: Mapping[str, Any]) -> str:
    """Degenerate responses of a variant out of all its responses: `7/100`."""
    if not variant["responses"]:
        return NOTHING
    return f"{sum(kinds(variant).values())}/{variant['responses']}"


def kinds(variant: Mapping[str, Any]) -> dict[str, int]:
    """How many responses of a variant are degenerate, by kind, over all axes."""
    counts: dict[str, int] = {}
    for by_kind in variant["degenerate"].values():
        for kind, count in by_kind.items():
            counts[kind] = counts.get(kind, 0) + count
    return counts


def kappa(agreement: Mapping[str, Any] | None) -> str:
    """Cohen's kappa of an agreement: `0.84`."""
    value = None if agreement is None else agreement["kappa"]
    return NOTHING if value is None else f"{value:.2f}"


def opinions(document: Document) -> list[tuple[str, str, Mapping[str, Any]]]:
    """(second judge, axis, opinion) for all second judges and axes."""
    return [
        (name, axis, opinion)
        for name, by_axis in document["judge"]["others"].items()
        for axis, opinion in by_axis.items()
    ]


def votes(document: Document) -> list[tuple[str, str, Mapping[str, Any]]]:
    """(variant, axis, votes) of a judge that is a panel; empty for other judges."""
    return [
        (variant, axis, votes)
        for variant, by_axis in document["judge"].get("votes", {}).items()
        for axis, votes in by_axis.items()
    ]


def agreement_rate(opinion: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The rate of equal verdicts of two judges; None where no response has both."""
    equal_verdicts: Mapping[str, Any] | None = opinion["agreement"] and opinion["agreement"]["rate"]
    return equal_verdicts


def noise(record: Mapping[str, Any]) -> str:
    """What `check-invariance` measured, in words."""
    where = f"{record['dtype']}, {record['device']}"
    if record["kind"] == "judge":
        return f"scores change by at most {record['score_drift']:.1g} in batches ({where})"
    interval = f"{record['percent']:.1f} [{record['low']:.1f}, {record['high']:.1f}] %"
    return (
        f"{record['differing']} of {record['total']} answers ({interval}) differ from answers "
        f"generated one prompt at a time, logits by at most {record['logit_drift']:.1g} ({where})"
    )


def passing(trial: Mapping[str, Any] | None) -> tuple[int, int]:
    """How many degenerate responses of a trial met the criterion, and of how many."""
    entries = [] if trial is None else list(trial["degenerate"].values())
    return sum(each["passed"] for each in entries), sum(each["total"] for each in entries)


def self_consistency(disagreement: Mapping[str, Any]) -> str:
    """How far repeated scores differ: `repeated scores differ by 0.42 on average, ...`."""
    return (
        f"repeated scores differ by {disagreement['difference']:.2g} on average, "
        f"{rate(disagreement['changed'])} % of {disagreement['responses']} verdicts are not always "
        f"the same"
    )


def same_answers(document: Document) -> dict[str, str]:
    """Variant -> the other whose answers it gives, byte for byte; `BASELINE` for its baseline."""
    gate = document["gate"] or {}
    unchanged = dict.fromkeys(gate.get("unchanged", ()), BASELINE)
    same_as = {name: each.get("same_as") for name, each in document["variants"].items()}
    return unchanged | {name: other for name, other in same_as.items() if other is not None}


def rate_names(document: Document) -> list[str]:
    """All rates of a document in order: those of the axes, then the combined ones."""
    names = [axis["rate"] for axis in document["axes"].values()]
    for variant in document["variants"].values():
        names.extend(name for name in variant["rates"] if name not in names)
    return names


def uninformative_rates(document: Document) -> set[str]:
    """The rates that are not meaningful, as the judge is no better than chance on their axis."""
    return {
        name
        for variant in document["variants"].values()
        for name, entry in variant["rates"].items()
        if entry["informative"] is False
    }


def sections(document: Document) -> Sequence[Mapping[str, str]]:
    """Sections that other plugins added to a report: `title` and `text`, both untrusted."""
    added: Sequence[Mapping[str, str]] = document.get("sections", ())
    return added


def probability(value: float | None) -> str:
    """A p-value: `0.0352`, `3e-06`."""
    if value is None:
        return NOTHING
    return f"{value:.0e}" if value < 0.0001 else f"{value:.4f}"
