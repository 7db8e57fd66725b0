"""Rates and changes corrected by people's labels, and the judge's errors that they show.

The estimates are those of `alignment.analysis.stratified`. Where every prompt has a label, a
corrected change is the ordinary change of people's verdicts (`paired.rate_change`). Shared
dialogues widen the intervals as they do there (`clusters.Sharing`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import hypot, sqrt
from statistics import NormalDist
from typing import NamedTuple

from alignment.analysis.clusters import Sharing, sharing_of
from alignment.analysis.paired import UNSEEN, rate_change, tango
from alignment.analysis.pairing import Judged
from alignment.analysis.pairing import pair as paired
from alignment.analysis.rates import wilson
from alignment.analysis.stratified import Shares, Stratum, Unit, estimate
from alignment.analysis.student import probability_beyond
from alignment.records import Interval, Rate
from alignment.records.corrections import CorrectedChange, JudgeErrors


class LabelledPair(NamedTuple):
    """One prompt before and after: the judge's verdicts, and people's where there are any.

    `cluster` is shared by prompts of one dialogue, which are not independent evidence. `stratum` is
    the stratum that the prompt was drawn from. If both answers are `identical`, people
    cannot judge them differently: the change is known without labels.
    """

    cluster: str
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
    name: str, pairs: Sequence[LabelledPair], confidence: float
) -> CorrectedChange | None:
    """The change of the rate `name` according to people; None with too few labels.

    Only prompts with labels of both responses count. `confidence` (between 0 and 1) is that of the
    intervals. `unresolved` of the result is 0: the caller knows it.
    """
    signs = [pair.sign for pair in pairs]
    shares = estimate([Unit(p.stratum, sign) for p, sign in zip(pairs, signs, strict=True)])
    if shares is None:
        return None
    interval, p_worse = _beyond(name, pairs, shares, confidence)
    errors = {
        "before": judge_errors([(p.stratum, p.judged_before, _known(p, "before")) for p in pairs]),
        "after": judge_errors([(p.stratum, p.judged_after, _known(p, "after")) for p in pairs]),
    }
    return CorrectedChange(
        name=name,
        total=shares.total,
        labelled=sum(pair.labelled for pair in pairs),
        before=_rate(name, pairs, "before", confidence),
        after=_rate(name, pairs, "after", confidence),
        lost=signs.count(-1),
        gained=signs.count(1),
        difference=100 * (shares.gained - shares.lost),
        interval=interval,
        here=_here(shares, confidence),
        p_worse=p_worse,
        errors=errors,
        unequal=differ(errors["before"], errors["after"]),
    )


def _known(pair: LabelledPair, side: str) -> bool | None:
    if not pair.labelled:
        return None
    return pair.before if side == "before" else pair.after


def _beyond(
    name: str, pairs: Sequence[LabelledPair], shares: Shares, confidence: float
) -> tuple[Interval, float]:
    """The interval of the change for prompts like these, and the one-sided p-value of a loss."""
    signs = [pair.sign for pair in pairs if pair.sign is not None]
    if len(signs) == len(pairs):
        people = [
            paired(str(place), pair.cluster, Judged(sign < 1, 0.0), Judged(sign > -1, 0.0))
            for place, (pair, sign) in enumerate(zip(pairs, signs, strict=True))
        ]
        change = rate_change(name, people, confidence)
        return change.interval, change.p_worse
    shared = _sharing(
        [pair.cluster for pair in pairs],
        [pair.judged_after - pair.judged_before for pair in pairs],
        [pair.sign for pair in pairs],
        UNSEEN,
    )
    lost, gained = shares.lost * shares.beyond, shares.gained * shares.beyond

    def interval_of(effect: float, quantile: float) -> Interval:
        return tango(lost / effect, gained / effect, shares.beyond / effect, confidence, quantile)

    def p_value_of(effect: float, degrees: int | None) -> float:
        return score_test(lost / effect, gained / effect, degrees)

    p_worse = p_value_of(shared.effect, shared.degrees)
    if shared.degrees is not None:  # as for the interval, each dialogue counts for one at least
        p_worse = min(p_worse, p_value_of(shared.full, None))
    return shared.interval(interval_of, confidence), p_worse


def _sharing(
    clusters: Sequence[str],
    judged: Sequence[float],
    known: Sequence[float | None],
    unseen: Sequence[float],
) -> Sharing:
    """How dialogues are shared, from people's values and, where some are not `known`, the judge's.

    The larger design effect and the fewer degrees of freedom count: a few labels hardly show how
    alike the prompts of a dialogue are. `unseen` is that of `clusters.design_effect`.
    """
    labelled = [
        (cluster, value)
        for cluster, value in zip(clusters, known, strict=True)
        if value is not None
    ]
    people = sharing_of([value for _, value in labelled], [name for name, _ in labelled], unseen)
    if len(labelled) == len(clusters):
        return people
    judge = sharing_of(judged, clusters, unseen)
    if judge.degrees is None:
        return judge
    degrees = judge.degrees if people.degrees is None else min(judge.degrees, people.degrees)
    return Sharing(max(judge.effect, people.effect), judge.full, degrees)


def _here(shares: Shares, confidence: float) -> Interval:
    difference = 100 * (shares.gained - shares.lost)
    if shares.here == float("inf"):
        return Interval(difference, difference)
    return tango(shares.lost * shares.here, shares.gained * shares.here, shares.here, confidence)


def _rate(name: str, pairs: Sequence[LabelledPair], side: str, confidence: float) -> Rate | None:
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
    judged = [pair.judged_before if side == "before" else pair.judged_after for pair in pairs]
    shared = _sharing([pair.cluster for pair in pairs], judged, labels, (False, True))
    share, total = min(1.0, shares.gained), shares.beyond

    def interval_of(effect: float, quantile: float) -> Interval:
        return wilson(share * total / effect, total / effect, confidence, quantile)

    return Rate(name, 100 * share, shared.interval(interval_of, confidence))


def score_test(lost: float, gained: float, degrees: int | None = None) -> float:
    """The one-sided p-value of McNemar's score test for a loss; counts may be effective ones.

    McNemar (1947), Psychometrika 12:153-157: (lost - gained) / sqrt(lost + gained) is a standard
    normal variable if nothing changed, or one of Student's with these `degrees` of freedom where
    the effective counts are estimated. 1/2 without any.
    """
    if lost + gained <= 0:
        return 0.5
    statistic = (gained - lost) / sqrt(lost + gained)
    if degrees is None:
        return NormalDist().cdf(statistic)
    tail = probability_beyond(statistic, degrees) / 2
    return tail if statistic < 0 else 1 - tail


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
