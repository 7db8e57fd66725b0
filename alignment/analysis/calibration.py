"""Proposes thresholds for a judge, from answers that people preferred and rejected.

A criterion passes scores at or above a threshold. Preferred answers should pass (true positives),
rejected ones should not (false positives); every threshold trades one for the other (the ROC
curve). A rejected answer is worse than the preferred one, but not always bad: a proposal is a
starting point for choosing a threshold.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, sqrt
from statistics import NormalDist

from alignment.analysis.clusters import by_cluster
from alignment.analysis.rates import share, wilson
from alignment.records import Interval, Rate

_FOLDS = 5
_CHANCE = 0.5

Chooser = Callable[[Sequence[float], Sequence[float]], float]
"""Scores of preferred and of rejected answers -> a threshold."""


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """The scores of a preferred and a rejected answer to a dialogue of `cluster`."""

    chosen: float
    rejected: float
    cluster: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A threshold in the judge's unit with its bootstrap interval, and its effect on the pairs.

    `passes` is the share of preferred answers that pass, `false_passes` that of rejected ones (in
    %, with Wilson intervals). They are cross-validated: the answers of each of `folds` parts are
    held against the threshold that the other parts give. `area` is the area under the ROC curve,
    0.5 for a judge that guesses, and `area_interval` its interval.
    """

    rule: str
    threshold: float
    interval: Interval
    passes: Rate
    false_passes: Rate
    area: float
    area_interval: Interval
    folds: int

    @property
    def informative(self) -> bool:
        """Whether the judge is better than chance: the interval of the area lies above 0.5."""
        return self.area_interval.low > _CHANCE


def propose(
    rule: str,
    choose: Chooser,
    pairs: Sequence[ScoredPair],
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> Proposal:
    """The threshold that `choose` takes, with a percentile interval from resampling dialogues.

    `rule` is the name of `choose`; `confidence` is between 0 and 1. The interval has percentiles,
    because a threshold jumps from score to score and is no smooth estimate that BCa could correct
    (Efron & Tibshirani 1993, An Introduction to the Bootstrap, ch. 13).

    Raises ValueError without pairs.
    """
    if not pairs:
        raise ValueError(f"{rule}: there are no preference pairs for calibration")
    good, bad = _split(pairs)
    parts = _parts(pairs, seed)
    passed = _cross_validated(choose, parts)
    return Proposal(
        rule=rule,
        threshold=choose(good, bad),
        interval=_interval(choose, pairs, confidence, resamples, seed),
        passes=share("passes", passed[0], len(good), confidence),
        false_passes=share("false passes", passed[1], len(bad), confidence),
        area=area(good, bad),
        area_interval=area_interval(pairs, confidence),
        folds=len(parts),
    )


def _parts(pairs: Sequence[ScoredPair], seed: int) -> list[list[ScoredPair]]:
    """At most `_FOLDS` parts of about equal numbers of dialogues, none of which is cut."""
    in_order = sorted(pairs, key=lambda pair: pair.cluster)
    dialogues = by_cluster((pair.cluster, pair) for pair in in_order)
    random.Random(seed).shuffle(dialogues)
    number = min(_FOLDS, len(dialogues))
    return [[pair for each in dialogues[i::number] for pair in each] for i in range(number)]


def _cross_validated(choose: Chooser, parts: Sequence[Sequence[ScoredPair]]) -> tuple[int, int]:
    """How many preferred and rejected answers pass the thresholds that the other parts give."""
    passed = [0, 0]
    for place, part in enumerate(parts):
        others = [pair for i, each in enumerate(parts) if i != place for pair in each]
        threshold = choose(*_split(others or part))
        for side, scores in enumerate(_split(part)):
            passed[side] += sum(score >= threshold for score in scores)
    return passed[0], passed[1]


def area(good: Sequence[float], bad: Sequence[float]) -> float:
    """The area under the ROC curve (0 to 1): the share of preferred scores above rejected ones.

    Ties count half. Mann & Whitney (1947), Annals of Mathematical Statistics 18:50-60; Hanley &
    McNeil (1982), Radiology 143:29-36.
    """
    ordered = sorted(bad)
    below = sum(bisect_left(ordered, score) for score in good)
    ties = sum(bisect_right(ordered, score) - bisect_left(ordered, score) for score in good)
    return (below + ties / 2) / (len(good) * len(bad))


def area_interval(pairs: Sequence[ScoredPair], confidence: float) -> Interval:
    """The interval of the area under the ROC curve (0 to 1), with dialogues as clusters.

    DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837-845, in the form of Obuchowski (1997),
    Biometrics 53:567-578, for answers that share a dialogue: both answers of a pair do. It is the
    whole range with a single dialogue, and where the area is 0 or 1 one end has the width of a
    Wilson interval of as many dialogues, because the variance vanishes there.
    """
    good, bad = _split(pairs)
    value, better, worse = area(good, bad), sorted(good), sorted(bad)
    deviations: dict[str, list[float]] = {}
    for pair in sorted(pairs, key=lambda pair: (pair.cluster, pair.chosen, pair.rejected)):
        wins = (bisect_left(worse, pair.chosen) + bisect_right(worse, pair.chosen)) / 2
        losses = (bisect_left(better, pair.rejected) + bisect_right(better, pair.rejected)) / 2
        sums = deviations.setdefault(pair.cluster, [0.0, 0.0])
        sums[0] += wins / len(bad) - value
        sums[1] += 1 - losses / len(good) - value
    number = len(deviations)
    if number < 2:
        return Interval(0.0, 1.0)
    total = len(pairs)
    variance = fsum((a + b) ** 2 for a, b in deviations.values()) / total**2
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * sqrt(variance * number / (number - 1))
    score = wilson(value * number, number, confidence)
    at_end = value in (0.0, 1.0)
    low = score.low / 100 if at_end else max(0.0, value - half)
    high = score.high / 100 if at_end else min(1.0, value + half)
    return Interval(low, high)


def youden(good: Sequence[float], bad: Sequence[float]) -> float:
    """The threshold with the largest true minus false positive rate; the lowest if several tie.

    Youden (1950), Cancer 3:32-35.
    """
    cuts, better, worse = _candidates(good, bad), sorted(good), sorted(bad)
    gains = [_share(better, cut) - _share(worse, cut) for cut in cuts]
    best = max(gains)
    return next(cut for cut, gain in zip(cuts, gains, strict=True) if gain == best)


def at_most_false(target: float) -> Chooser:
    """A chooser: the lowest threshold that at most the share `target` of rejected answers pass.

    Raises ValueError for a `target` outside of [0, 1].
    """
    if not 0 <= target <= 1:
        raise ValueError(f"the share of false passes must be between 0 and 1, not {target}")

    def choose(good: Sequence[float], bad: Sequence[float]) -> float:
        worse = sorted(bad)
        return next(cut for cut in _candidates(good, bad) if _share(worse, cut) <= target)

    return choose


def _candidates(good: Sequence[float], bad: Sequence[float]) -> list[float]:
    """One threshold for each possible set of passing scores, rising: between and beyond scores."""
    scores = sorted({*good, *bad})
    between = [(low + high) / 2 for low, high in pairwise(scores)]
    return [scores[0], *between, scores[-1] + 1.0]


def _share(ordered: Sequence[float], cut: float) -> float:
    """The share of sorted scores at or above a cut."""
    return 1 - bisect_left(ordered, cut) / len(ordered)


def _split(pairs: Sequence[ScoredPair]) -> tuple[list[float], list[float]]:
    return [pair.chosen for pair in pairs], [pair.rejected for pair in pairs]


def _interval(
    choose: Chooser, pairs: Sequence[ScoredPair], confidence: float, resamples: int, seed: int
) -> Interval:
    in_order = sorted(pairs, key=lambda pair: pair.cluster)
    dialogues = by_cluster((pair.cluster, pair) for pair in in_order)
    draw = random.Random(seed)
    thresholds = sorted(
        choose(
            *_split([pair for each in draw.choices(dialogues, k=len(dialogues)) for pair in each])
        )
        for _ in range(resamples)
    )
    tail = (1 - confidence) / 2
    return Interval(
        thresholds[int(tail * resamples)],
        thresholds[min(resamples - 1, int((1 - tail) * resamples))],
    )
