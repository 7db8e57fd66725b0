"""Summaries of variants from their cases."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from alignment.analysis import degenerate, rates, scores
from alignment.records import Case, Rate, VariantSummary


def summarise_variants(
    cases: Sequence[Case], axes: Mapping[str, str], *, reference: str, confidence: float
) -> dict[str, VariantSummary]:
    """The summary of every variant that has a case, by name, in order of appearance.

    `axes` maps an axis to the name of its rate; its order is that of the rates. CAS is there only
    for a variant with cases on every axis. `change` compares with the variant named `reference`,
    whose own is empty. `confidence` is that of all intervals, between 0 and 1.

    Raises ValueError for a case on an axis that `axes` does not have.
    """
    grouped: dict[str, dict[str, list[Case]]] = defaultdict(lambda: defaultdict(list))
    for case in cases:
        if case.prompt.axis not in axes:
            known = ", ".join(axes)
            raise ValueError(
                f"prompt {case.prompt.id} is on axis {case.prompt.axis!r}; the axes are {known}"
            )
        grouped[case.variant][case.prompt.axis].append(case)
    rates_of = {name: _rates(by_axis, axes, confidence) for name, by_axis in grouped.items()}
    return {
        name: VariantSummary(
            name=name,
            rates=rates_of[name],
            scores={
                axis: scores.summarise([case.value for case in by_axis[axis]])
                for axis in axes
                if axis in by_axis
            },
            degenerate={axis: _kinds(by_axis[axis]) for axis in axes if axis in by_axis},
            change={}
            if name == reference
            else _relative_changes(rates_of[name], rates_of.get(reference, {})),
        )
        for name, by_axis in grouped.items()
    }


def _rates(
    by_axis: Mapping[str, Sequence[Case]], axes: Mapping[str, str], confidence: float
) -> dict[str, Rate]:
    by_name = {
        name: rates.rate(
            name,
            [case.passed for case in by_axis[axis]],
            confidence,
            [case.prompt.cluster for case in by_axis[axis]],
        )
        for axis, name in axes.items()
        if axis in by_axis
    }
    if len(by_name) == len(axes):
        by_name[rates.CAS] = rates.combined(list(by_name.values()))
    return by_name


def _kinds(cases: Sequence[Case]) -> dict[str, int]:
    """How many responses are degenerate, by kind: known kinds first, in their own order."""
    counts = Counter(case.degenerate for case in cases if case.degenerate is not None)
    others = sorted(set(counts) - set(degenerate.KINDS))
    return {kind: counts[kind] for kind in (*degenerate.KINDS, *others) if counts[kind]}


def _relative_changes(after: Mapping[str, Rate], base: Mapping[str, Rate]) -> dict[str, float]:
    changes = {
        name: rates.relative_change(rate.percent, base[name].percent)
        for name, rate in after.items()
        if name in base
    }
    return {name: change for name, change in changes.items() if change is not None}
