"""Every variant against every other, in pairs, and what that says of claims of order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from alignment.analysis.paired import change, holm
from alignment.analysis.rates import CAS
from alignment.analysis.shifts import combined_shift
from alignment.records import Case
from alignment.records.decisions import (
    ABOVE,
    BEST,
    Change,
    Claim,
    Comparison,
    PairedVerdict,
    Shift,
    Support,
)

_ALL = "all metrics"


def compare_all(
    cases: Iterable[Case], axes: Mapping[str, str], confidence: float
) -> list[Comparison]:
    """Every pair of variants, the earlier as `before`, corrected for each other.

    `axes` maps an axis to the name of its rate. Prompts that only one of two variants answered are
    left out; a pair without a common prompt on an axis has no change there.
    """
    by_variant: dict[str, dict[str, dict[str, Case]]] = {}
    for case in cases:
        axis = by_variant.setdefault(case.variant, {}).setdefault(case.prompt.axis, {})
        axis[case.prompt.id] = case
    raw = {
        (before, after): _changes(by_variant[before], by_variant[after], axes, confidence)
        for before, after in combinations(by_variant, 2)
    }
    adjusted = iter(holm([each.p_exact for found in raw.values() for each in found]))
    return [
        Comparison(
            before,
            after,
            tuple(found),
            tuple(next(adjusted) for _ in found),
            combined_shift(found, CAS) if len(found) == len(axes) else None,
        )
        for (before, after), found in raw.items()
    ]


def _changes(
    before: Mapping[str, Mapping[str, Case]],
    after: Mapping[str, Mapping[str, Case]],
    axes: Mapping[str, str],
    confidence: float,
) -> list[Change]:
    found = []
    for axis, rate in axes.items():
        old, new = before.get(axis, {}), after.get(axis, {})
        pairs = [paired(old[id_], new[id_]) for id_ in old if id_ in new]
        if pairs:
            found.append(change(rate, pairs, confidence))
    return found


def paired(before: Case, after: Case) -> PairedVerdict:
    """Two cases of one prompt as a pair."""
    return PairedVerdict(
        before.prompt.id,
        before.prompt.cluster,
        before.passed,
        after.passed,
        before.value,
        after.value,
    )


# -- claims --------------------------------------------------------------------------------------


def leaders(comparisons: Sequence[Comparison], names: Sequence[str]) -> list[str]:
    """For every rate the claim that the variant with the highest figure is best."""
    variants = _variants(comparisons)
    claims = []
    for name in names:
        steps = _steps(comparisons, name)
        wins = {v: sum(steps.get((u, v), (0.0,))[0] > 0 for u in variants) for v in variants}
        if variants and all(pair in steps for pair in combinations(variants, 2)):
            claims.append(f"{max(variants, key=wins.__getitem__)} is best on {name}")
    return claims


def judge_claims(
    claims: Iterable[str], comparisons: Sequence[Comparison], names: Sequence[str], level: float
) -> list[Claim]:
    """Whether the data support each claim, leave it open, or contradict it.

    `supported`: on every rate and against every other variant the difference is in the claim's
    direction and significant (rates: exact McNemar after Holm at `level`; CAS: its interval lies on
    that side of 0). `contradicted`: the figures themselves are the other way round somewhere.
    `open`: the figures are as claimed (or equal), and chance could have made them so.
    """
    return [_judged(text, comparisons, names, level) for text in claims]


def _judged(
    text: str, comparisons: Sequence[Comparison], names: Sequence[str], level: float
) -> Claim:
    found = BEST.fullmatch(text) or ABOVE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a claim about the order of variants")
    variant, named = found["variant"], found["rate"]
    others = [found["other"]] if "other" in found.groupdict() else _variants(comparisons)
    support: Support = "supported"
    reasons = []
    for name in names if named == _ALL else [named]:
        steps = _steps(comparisons, name)
        for other in others:
            if other == variant:
                continue
            step = steps.get((other, variant))
            own, told = _step(step, variant, other, name, level)
            if own != "supported":
                reasons.append((own, told))
            support = max(support, own, key=("supported", "open", "contradicted").index)
    if not [other for other in others if other != variant]:
        return Claim(text, "open", "there is no other variant to compare with")
    worst = [told for own, told in reasons if own == support]
    return Claim(text, support, "; ".join(worst))


def _step(
    step: tuple[float, float] | None, variant: str, other: str, name: str, level: float
) -> tuple[Support, str]:
    if step is None:
        return "open", f"{variant} and {other} were not compared on {name}"
    difference, p = step
    told = f"{name} of {variant} minus that of {other} is {difference:+.1f} points"
    if difference < 0:
        return "contradicted", told
    return ("supported", told) if difference > 0 and p <= level else ("open", told)


def _steps(
    comparisons: Sequence[Comparison], name: str
) -> dict[tuple[str, str], tuple[float, float]]:
    """(from, to) -> (difference in points, p-value; for CAS 0 or 1: whether its interval has 0)."""
    steps: dict[tuple[str, str], tuple[float, float]] = {}
    for each in comparisons:
        found = _difference(each, name)
        if found is not None:
            steps[each.before, each.after] = found
            steps[each.after, each.before] = (0.0 - found[0], found[1])
    return steps


def _difference(comparison: Comparison, name: str) -> tuple[float, float] | None:
    if name == CAS:
        shift: Shift | None = comparison.combined
        if shift is None:
            return None
        return shift.difference, float(shift.interval.low <= 0 <= shift.interval.high)
    for own, adjusted in zip(comparison.changes, comparison.adjusted, strict=True):
        if own.name == name:
            return own.difference, adjusted
    return None


def _variants(comparisons: Iterable[Comparison]) -> list[str]:
    return list(dict.fromkeys(name for each in comparisons for name in (each.before, each.after)))
