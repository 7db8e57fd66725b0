"""Paired comparisons of every variant with every other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

from alignment.analysis.paired import holm, rate_change
from alignment.analysis.pairing import judged, pair
from alignment.analysis.rates import CAS
from alignment.analysis.shifts import combined_shift
from alignment.records import Case
from alignment.records.decisions import Change, Comparison


def compare_all(
    cases: Iterable[Case], axes: Mapping[str, str], confidence: float
) -> list[Comparison]:
    """Comparisons of all pairs of variants, the earlier as `before`, with Holm's correction.

    `axes` maps an axis to the name of its rate. Prompts that only one of two variants answered are
    left out; a pair without a common prompt on an axis has no change there.
    """
    by_variant: dict[str, dict[str, dict[str, Case]]] = {}
    for case in cases:
        axis = by_variant.setdefault(case.variant, {}).setdefault(case.prompt.axis, {})
        axis[case.prompt.id] = case
    compared = {
        (before, after): _compare_pair(by_variant[before], by_variant[after], axes, confidence)
        for before, after in combinations(by_variant, 2)
    }
    adjusted = iter(holm([each.p_exact for changes in compared.values() for each in changes]))
    return [
        Comparison(
            before,
            after,
            tuple(changes),
            tuple(next(adjusted) for _ in changes),
            combined_shift(changes, CAS) if len(changes) == len(axes) else None,
        )
        for (before, after), changes in compared.items()
    ]


def _compare_pair(
    before: Mapping[str, Mapping[str, Case]],
    after: Mapping[str, Mapping[str, Case]],
    axes: Mapping[str, str],
    confidence: float,
) -> list[Change]:
    changes = []
    for axis, rate in axes.items():
        old, new = before.get(axis, {}), after.get(axis, {})
        pairs = [
            pair(id_, case.prompt.cluster, judged(case), judged(new[id_]))
            for id_, case in old.items()
            if id_ in new
        ]
        if pairs:
            changes.append(rate_change(rate, pairs, confidence))
    return changes
