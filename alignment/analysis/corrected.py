"""Rates and changes corrected by people's labels, and the judge's errors that they show.

The estimates are those of `alignment.analysis.stratified`. Where every prompt has a label, a
corrected change is the ordinary change of people's verdicts (`paired.rate_change`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import hypot, sqrt
from statistics import NormalDist
from typing import NamedTuple

from alignment.analysis.paired import tango
from alignment.analysis.rates import wilson
from alignment.analysis.stratified import Shares, Stratum, Unit, estimate
from alignment.records import Interval, Rate
from alignment.records.corrections import CorrectedChange, JudgeErrors


class LabelledPair(NamedTuple):
    """One prompt before and after: the judge's verdicts, and people's where there are any.

    `stratum` is the stratum that the prompt was drawn from. If both answers are `identical`, people
    cannot judge them differently: the change is known without labels.
    """

    stratum: Stratum
    judged_before: bool
    judged_after: bool
    before: bool | None
    after: bool | None
    identical: bool = False

    @property
    def labelled(self) -> bool:
        """Whether both responses have a label."""
        return self.before is not None and self.after is not None

    @property
    def sign(self) -> int | None:
        """-1 for a lost verdict of people, 1 for a gained one, 0 for none; None if not known."""
        if self.identical:
            return 0
        if self.before is None or self.after is None:
            return None
        return int(self.after) - int(self.before)


def corrected_change(
    name: str, pairs: Sequence[LabelledPair], confidence: float, *, effect: float = 1.0
) -> CorrectedChange | None:
    """The change of the rate `name` according to people; None with too few labels.

    Only prompts with labels of both responses count. `effect` is the design effect of shared
    dialogues (see `clusters.design_effect`), `confidence` that of the intervals (between 0 and 1).
    `unresolved` of the result is 0: the caller knows it.
    """
    signs = [pair.sign for pair in pairs]
    shares = estimate([Unit(p.stratum, sign) for p, sign in zip(pairs, signs, strict=True)])
    if shares is None:
        return None
    beyond = shares.beyond / effect
    lost, gained = shares.lost * beyond, shares.gained * beyond
    errors = {
        "before": judge_errors([(p.stratum, p.judged_before, _known(p, "before")) for p in pairs]),
        "after": judge_errors([(p.stratum, p.judged_after, _known(p, "after")) for p in pairs]),
    }
    return CorrectedChange(
        name=name,
        total=shares.total,
        labelled=sum(pair.labelled for pair in pairs),
        before=_rate(name, pairs, "before", confidence, effect),
        after=_rate(name, pairs, "after", confidence, effect),
        lost=signs.count(-1),
        gained=signs.count(1),
        difference=100 * (shares.gained - shares.lost),
        interval=tango(lost, gained, beyond, confidence),
        here=_here(shares, confidence),
        p_worse=score_test(lost, gained),
        errors=errors,
        unequal=differ(errors["before"], errors["after"]),
    )


def _known(pair: LabelledPair, side: str) -> bool | None:
    if not pair.labelled:
        return None
    return pair.before if side == "before" else pair.after


def _here(shares: Shares, confidence: float) -> Interval:
    difference = 100 * (shares.gained - shares.lost)
    if shares.here == float("inf"):
        return Interval(difference, difference)
    return tango(shares.lost * shares.here, shares.gained * shares.here, shares.here, confidence)


def _rate(
    name: str, pairs: Sequence[LabelledPair], side: str, confidence: float, effect: float
) -> Rate | None:
    """The corrected rate of one side, from the prompts whose responses both have labels.

    None where prompts with identical answers are not labelled: the other labels do not speak of
    them.
    """
    known = {pair.identical for pair in pairs if pair.labelled}
    if known < {pair.identical for pair in pairs}:
        return None
    labels = [_known(pair, side) for pair in pairs]
    shares = estimate(
        [
            Unit(pair.stratum, None if label is None else int(label))
            for pair, label in zip(pairs, labels, strict=True)
        ]
    )
    if shares is None:
        return None
    total = shares.beyond / effect
    share = min(1.0, shares.gained)
    return Rate(name, 100 * share, wilson(share * total, total, confidence))


def score_test(lost: float, gained: float) -> float:
    """The one-sided p-value of McNemar's score test for a loss; counts may be effective ones.

    McNemar (1947), Psychometrika 12:153-157: (lost - gained) / sqrt(lost + gained) is a standard
    normal variable if nothing changed. 1/2 without any.
    """
    if lost + gained <= 0:
        return 0.5
    return NormalDist().cdf((gained - lost) / sqrt(lost + gained))


def judge_errors(
    verdicts: Sequence[tuple[Stratum, bool, bool | None]], confidence: float = 0.95
) -> JudgeErrors:
    """The judge's sensitivity and specificity from (stratum, judge passes, people pass or None).

    Each labelled response stands for all of its stratum (Horvitz & Thompson 1952). The interval is
    Wilson's with Kish's effective number of responses.
    """
    totals, labelled = Counter(s for s, _, _ in verdicts), Counter[Stratum]()
    for stratum, _, label in verdicts:
        labelled[stratum] += label is not None
    shares = {}
    for good in (True, False):
        weights = [
            (totals[stratum] / labelled[stratum], judged is good)
            for stratum, judged, label in verdicts
            if label is good
        ]
        shares[good] = _weighted_rate("sensitivity" if good else "specificity", weights, confidence)
    return JudgeErrors(shares[True], shares[False])


def _weighted_rate(
    name: str, weights: Sequence[tuple[float, bool]], confidence: float
) -> Rate | None:
    """The weighted share of true values, with its Wilson interval; None without any."""
    total = sum(weight for weight, _ in weights)
    if not total:
        return None
    share = min(1.0, sum(weight for weight, right in weights if right) / total)
    effective = total**2 / sum(weight**2 for weight, _ in weights)
    interval = wilson(share * effective, effective, confidence)
    return Rate(name, 100 * share, interval, sum(right for _, right in weights), len(weights))


def differ(before: JudgeErrors, after: JudgeErrors) -> bool:
    """Whether the judge's sensitivity or specificity differs significantly between two sides.

    The interval of the difference of two proportions excludes 0: Newcombe's hybrid score interval
    (1998, Statistics in Medicine 17:873-890, method 10), from the rates' own intervals.
    """
    pairs = (
        (before.sensitivity, after.sensitivity),
        (before.specificity, after.specificity),
    )
    return any(old and new and _apart(old, new) for old, new in pairs)


def _apart(old: Rate, new: Rate) -> bool:
    difference = new.percent - old.percent
    below = hypot(new.percent - new.interval.low, old.interval.high - old.percent)
    above = hypot(new.interval.high - new.percent, old.percent - old.interval.low)
    return difference - below > 0 or difference + above < 0
