"""The gate: a paired comparison of every gated variant and axis, decided together.

For a margin m (points): `pass` if the interval of the change lies above -m, or if both sides are
known to be one model with the same answers; `fail` if the loss is significant after Holm's
correction over all comparisons **and** the observed change is at or below -m; else `inconclusive`.
What cannot be compared is `invalid`; an axis on which the judge is no better than chance is
`uninformative` and never passes.

An axis on which most responses are degenerate never passes either, whatever their scores. It is a
`fail` if they are at least m points more than before, and significantly: the model broke. If not,
it is `uninformative`, or `inconclusive` where most of them only continue with a turn of the human
after an answer (`runaway`).

If not most responses are degenerate, but at least m points more than before, and significantly, it
is a `fail` too, and the decision has the counts in `spoiled`: degenerate answers are a rate of
their own, whatever the judge thinks of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil

from alignment.analysis.degenerate import RUNAWAY
from alignment.analysis.paired import holm, rate_change, tango
from alignment.analysis.sample_size import to_fail, to_pass
from alignment.records.corrections import CorrectedChange
from alignment.records.decisions import (
    Change,
    Decision,
    Degenerate,
    Flip,
    Outcome,
    PairedVerdict,
    worst,
)

Key = tuple[str, str]
"""(variant, axis)."""

Comparisons = Mapping[Key, "Evidence"]

MOST_PROMPTS = 100_000
"""More prompts than these are as good as none: no number decides."""
POWER = 0.8
"""The probability with which `needed` prompts decide."""
_RANGE = 0.8
"""The confidence of the interval of the change that `needed_range` is made from."""


@dataclass(frozen=True, slots=True)
class GateRule:
    """How an axis is gated: the margin in points, and the confidence of its interval and test."""

    rate: str
    margin: float = 10.0
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class Evidence:
    """The data of one comparison: paired verdicts, or sentences on why there are none (`invalid`).

    `informative` is false where the judge is no better than chance on this axis. `identical` is
    true where both sides are known to be the same model and all answers are the same, byte for
    byte: then there is nothing that more prompts could find.

    `corrected` is the change according to people's labels, which then decides; `uncorrected` says
    why there is none although there are labels. Without it the comparison is `uninformative` if
    `labels_required`.
    """

    pairs: Sequence[PairedVerdict] = ()
    invalid: tuple[str, ...] = ()
    informative: bool = True
    identical: bool = False
    corrected: CorrectedChange | None = None
    uncorrected: str = ""
    labels_required: bool = False


def decide(
    evidence: Comparisons, rules: Mapping[str, GateRule], against: str
) -> dict[Key, Decision]:
    """One decision for every (variant, axis), with Holm's correction over all comparisons.

    `rules` is by axis; `against` names the other side. The order of variants, axes and pairs does
    not matter. Raises ValueError for evidence that is not `invalid` and has no pairs.
    """
    return decide_together({against: evidence}, rules)[against]


def decide_together(
    sides: Mapping[str, Comparisons], rules: Mapping[str, GateRule]
) -> dict[str, dict[Key, Decision]]:
    """`decide` for comparisons with several other sides, all in one family of Holm's correction.

    `sides` has the evidence by the name of the other side, and so has the result its decisions.
    """
    changes = {
        (against, key): rate_change(rules[key[1]].rate, each.pairs, rules[key[1]].confidence)
        for against, evidence in sides.items()
        for key, each in evidence.items()
        if not each.invalid
    }
    decisive: dict[tuple[str, Key], Change | CorrectedChange] = {
        (against, key): sides[against][key].corrected or change
        for (against, key), change in changes.items()
    }
    tests = {place: _Test(changes[place], decisive[place]) for place in changes}
    for name, each in (("judge", changes), ("decisive", decisive)):
        adjusted = holm([change.p_worse for change in each.values()])
        for place, p_value in zip(each, adjusted, strict=True):
            tests[place].adjusted[name] = p_value

    def decision(against: str, key: Key, each: Evidence) -> Decision:
        test = tests.get((against, key))
        return _decide_one(key, each, rules[key[1]], against, test, len(changes))

    return {
        against: {key: decision(against, key, each) for key, each in evidence.items()}
        for against, evidence in sides.items()
    }


@dataclass(frozen=True, slots=True)
class _Test:
    """The change of a comparison by the judge, and the one that decides.

    `adjusted` has the p-values of both after Holm's correction, `judge` and `decisive`.
    """

    judge: Change
    decisive: Change | CorrectedChange
    adjusted: dict[str, float] = field(default_factory=dict)


def _decide_one(
    key: Key, evidence: Evidence, rule: GateRule, against: str, test: _Test | None, family: int
) -> Decision:
    variant, axis = key
    if test is None:
        return Decision(
            variant, axis, rule.rate, against, "invalid", rule.margin, reasons=evidence.invalid
        )
    change, corrected = test.judge, evidence.corrected
    identical = evidence.identical and not change.lost and not change.gained
    by_judge = _outcome_by_judge(evidence, test, rule, identical=identical)
    outcome = by_judge
    if corrected is not None and not identical:
        outcome = outcome_of(corrected, test.adjusted["decisive"], rule)
    elif evidence.labels_required and not identical:
        outcome = worst(outcome, "uninformative")
    counts = count_degenerate(evidence.pairs)
    broken = counts if 2 * counts.after > counts.total else None
    more = spoiled(counts, evidence.pairs, rule, family)
    if broken is not None:
        outcome = worst(outcome, outcome_of_collapse(broken, more=more))
    elif more:
        outcome = worst(outcome, "fail")
    undecided = outcome == "inconclusive" and broken is None and corrected is None
    return Decision(
        variant=variant,
        axis=axis,
        rate=rule.rate,
        against=against,
        own=outcome,
        margin=rule.margin,
        change=change,
        adjusted=test.adjusted["decisive"],
        needed=needed(change, rule, family) if undecided else None,
        needed_range=needed_range(change, rule, family) if undecided else None,
        flips=flips_of(evidence.pairs),
        degenerate=broken,
        spoiled=counts if broken is None and more else None,
        identical=identical,
        corrected=corrected,
        by_judge=by_judge if corrected is not None else None,
        uncorrected=evidence.uncorrected,
    )


def _outcome_by_judge(
    evidence: Evidence, test: _Test, rule: GateRule, *, identical: bool
) -> Outcome:
    """The outcome without people's labels."""
    if not evidence.informative:
        return "uninformative"
    return "pass" if identical else outcome_of(test.judge, test.adjusted["judge"], rule)


def outcome_of(change: Change | CorrectedChange, adjusted: float, rule: GateRule) -> Outcome:
    """`pass`, `fail` or `inconclusive`, from a change and its Holm-adjusted p-value (0 to 1)."""
    if change.interval.low > -rule.margin:
        return "pass"
    if adjusted <= 1 - rule.confidence and change.difference <= -rule.margin:
        return "fail"
    return "inconclusive"


def count_degenerate(pairs: Sequence[PairedVerdict]) -> Degenerate:
    """The counts of degenerate responses of a run, and of the other side."""
    kinds = Counter(pair.degenerate_after for pair in pairs if pair.degenerate_after is not None)
    before = sum(pair.degenerate_before is not None for pair in pairs)
    return Degenerate(before, kinds.total(), len(pairs), dict(sorted(kinds.items())))


def spoiled(
    counts: Degenerate, pairs: Sequence[PairedVerdict], rule: GateRule, family: int
) -> bool:
    """Whether degenerate responses rose by the margin or more, and significantly.

    The level is that of `rule`, divided by `family` comparisons (Bonferroni).
    """
    if 100 * (counts.after - counts.before) / counts.total < rule.margin:
        return False
    answered = [
        replace(pair, before=pair.degenerate_before is None, after=pair.degenerate_after is None)
        for pair in pairs
    ]
    p_worse = rate_change(rule.rate, answered, rule.confidence).p_worse
    return family * p_worse <= 1 - rule.confidence


def outcome_of_collapse(counts: Degenerate, *, more: bool) -> Outcome:
    """The best outcome that a comparison can have if most responses are degenerate.

    `more` says that they are more than before (see `spoiled`).
    """
    if more:
        return "fail"
    without_answer = counts.after - counts.kinds.get(RUNAWAY, 0)
    return "uninformative" if 2 * without_answer > counts.total else "inconclusive"


def flips_of(pairs: Sequence[PairedVerdict]) -> tuple[Flip, ...]:
    """The flipped prompts: losses first, among them the largest change of score first."""
    changed = [pair for pair in pairs if pair.flip]
    changed.sort(key=lambda p: (p.flip, p.flip * (p.score_before - p.score_after), p.prompt))
    return tuple(
        Flip(pair.prompt, pair.before, pair.after, pair.score_before, pair.score_after)
        for pair in changed
    )


def needed(change: Change, rule: GateRule, family: int) -> int | None:
    """About how many prompts would decide a comparison with 80 % power, if it is as observed.

    That is: if the true change and the true share of flips are the observed ones, so many prompts
    give a `pass` (where the observed change is above -margin) or a `fail` (with Holm's correction
    over `family` tests, this one first) in 80 % of runs. At least the prompts that there are; None
    where more than `MOST_PROMPTS` would be needed.
    """
    return _needed_at(change.difference, change, rule, family)


def needed_range(change: Change, rule: GateRule, family: int) -> tuple[int | None, int | None]:
    """The least and the largest `needed` over the 80 % interval of the true change.

    The largest is None where the interval has the margin in it (no number of prompts decides a
    change of exactly the margin), or one of its ends needs more than `MOST_PROMPTS`; the
    least is None where every end does.
    """
    lost, gained, total = (
        each / change.effect for each in (change.lost, change.gained, change.total)
    )
    interval = tango(lost, gained, total, _RANGE)
    at_ends = [_needed_at(end, change, rule, family) for end in (interval.low, interval.high)]
    numbers = [each for each in (*at_ends, needed(change, rule, family)) if each is not None]
    bounded = None not in at_ends and not interval.low <= -rule.margin <= interval.high
    return min(numbers, default=None), max(numbers) if bounded else None


def _needed_at(true: float, change: Change, rule: GateRule, family: int) -> int | None:
    """`needed` if the true change is `true` points, with as many flips as observed or it takes."""
    share, margin = true / 100, rule.margin / 100
    flips = max((change.lost + change.gained) / change.total, abs(share))
    if true > -rule.margin:
        number = to_pass(flips, share, margin=margin, confidence=rule.confidence, power=POWER)
    else:
        level = (1 - rule.confidence) / family
        number = to_fail(flips, share, margin=margin, level=level, power=POWER)
    # A prompt that shares its dialogue is worth less than one of its own.
    prompts = number * change.effect
    return max(change.total, ceil(prompts)) if prompts <= MOST_PROMPTS else None
