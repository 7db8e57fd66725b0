"""Slices: the gate's comparison within each language, category, or value of any column.

A loss in one slice of twenty can be hidden in the whole. All slices of a run are one family of
tests, apart from that of the gate's main decisions: each family has its own error rate, so that
slices cost the main decisions no power. Within the family Holm's procedure (1979, Scandinavian
Journal of Statistics 6:65-70) holds the probability of any false block, whatever the dependence
between slices that overlap. A slice fails as an axis does: its loss is significant after the
correction, and at least the margin.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from alignment.analysis.decision_rule import GateRule, Key, outcome_of
from alignment.analysis.paired import holm, rate_change
from alignment.records.decisions import Change, PairedVerdict, SliceDecision

LEAST = 10
"""Fewer prompts of a slice are reported and not tested."""


class Slice(NamedTuple):
    """The column of the prompts and the value that all prompts of a slice have."""

    column: str
    value: str


def sliced(
    pairs: Sequence[PairedVerdict], columns: Mapping[str, Mapping[str, str]]
) -> dict[Slice, list[PairedVerdict]]:
    """The pairs by slice; `columns` has the value of each prompt id by column.

    Prompts without a value are in no slice of that column; a column with a single value has none.
    """
    slices: dict[Slice, list[PairedVerdict]] = defaultdict(list)
    for column, values in columns.items():
        if len({values.get(pair.prompt) for pair in pairs}) < 2:
            continue
        for pair in pairs:
            value = values.get(pair.prompt)
            if value:
                slices[Slice(column, value)].append(pair)
    return dict(sorted(slices.items()))


def decide_slices(
    slices: Mapping[Key, Mapping[Slice, Sequence[PairedVerdict]]], rules: Mapping[str, GateRule]
) -> dict[Key, tuple[SliceDecision, ...]]:
    """The decision on every slice of every comparison, corrected over all slices together."""
    changes: dict[tuple[Key, Slice], Change] = {
        (key, each): rate_change(rules[key[1]].rate, pairs, rules[key[1]].confidence)
        for key, by_slice in slices.items()
        for each, pairs in by_slice.items()
    }
    tested = [place for place, change in changes.items() if change.total >= LEAST]
    adjusted = dict(zip(tested, holm([changes[each].p_worse for each in tested]), strict=True))
    return {
        key: tuple(
            _decide(each, changes[key, each], adjusted.get((key, each)), rules[key[1]])
            for each in by_slice
        )
        for key, by_slice in slices.items()
    }


def _decide(each: Slice, change: Change, adjusted: float | None, rule: GateRule) -> SliceDecision:
    outcome = None if adjusted is None else outcome_of(change, adjusted, rule)
    return SliceDecision(each.column, each.value, change, adjusted, outcome)
