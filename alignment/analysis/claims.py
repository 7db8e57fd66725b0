"""Claims of order between variants, and whether the data support them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from alignment.analysis.rates import CAS
from alignment.records.decisions import ABOVE, BEST, Claim, Comparison, Shift, Support

_ALL = "all metrics"


def leaders(comparisons: Sequence[Comparison], names: Sequence[str]) -> list[str]:
    """For each rate of `names`, the claim that the variant with the highest figure is best."""
    variants = _variants(comparisons)
    claims = []
    for name in names:
        steps = _differences(comparisons, name)
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
    that side of 0). `contradicted`: at least one difference has the other direction and is
    significant by the same test. `open`: the data leave it open.

    Raises ValueError for a text that is not a claim (`records.decisions.BEST`, `ABOVE`).
    """
    return [_judge_claim(text, comparisons, names, level) for text in claims]


def _judge_claim(
    text: str, comparisons: Sequence[Comparison], names: Sequence[str], level: float
) -> Claim:
    match = BEST.fullmatch(text) or ABOVE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a claim about the order of variants")
    variant, rate = match["variant"], match["rate"]
    others = [match["other"]] if "other" in match.groupdict() else _variants(comparisons)
    support: Support = "supported"
    reasons = []
    for name in names if rate == _ALL else [rate]:
        steps = _differences(comparisons, name)
        for other in others:
            if other == variant:
                continue
            step = steps.get((other, variant))
            step_support, sentence = _judge_step(step, variant, other, name, level)
            if step_support != "supported":
                reasons.append((step_support, sentence))
            support = max(support, step_support, key=("supported", "open", "contradicted").index)
    if not [other for other in others if other != variant]:
        return Claim(text, "open", "there is no other variant to compare with")
    worst = [sentence for step_support, sentence in reasons if step_support == support]
    return Claim(text, support, "; ".join(worst))


def _judge_step(
    step: tuple[float, float] | None, variant: str, other: str, name: str, level: float
) -> tuple[Support, str]:
    if step is None:
        return "open", f"{variant} and {other} were not compared on {name}"
    difference, p = step
    sentence = f"{name} of {variant} minus that of {other} is {difference:+.1f} points"
    if difference == 0 or p > level:
        return "open", sentence
    return ("supported" if difference > 0 else "contradicted"), sentence


def _differences(
    comparisons: Sequence[Comparison], name: str
) -> dict[tuple[str, str], tuple[float, float]]:
    """(from, to) -> (difference in points, p-value; for CAS 0 or 1: whether its interval has 0)."""
    steps: dict[tuple[str, str], tuple[float, float]] = {}
    for each in comparisons:
        step = _difference(each, name)
        if step is not None:
            steps[each.before, each.after] = step
            steps[each.after, each.before] = (0.0 - step[0], step[1])
    return steps


def _difference(comparison: Comparison, name: str) -> tuple[float, float] | None:
    if name == CAS:
        shift: Shift | None = comparison.combined
        if shift is None:
            return None
        return shift.difference, float(shift.interval.low <= 0 <= shift.interval.high)
    for change, adjusted in zip(comparison.changes, comparison.adjusted, strict=True):
        if change.name == name:
            return change.difference, adjusted
    return None


def _variants(comparisons: Iterable[Comparison]) -> list[str]:
    return list(dict.fromkeys(name for each in comparisons for name in (each.before, each.after)))
