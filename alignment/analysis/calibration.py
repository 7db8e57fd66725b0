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

from alignment.analysis.clusters import by_cluster
from alignment.analysis.rates import share
from alignment.records import Interval, Rate

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
    %, with Wilson intervals); `area` is the area under the ROC curve, 0.5 for a judge that guesses.
    """

    rule: str
    threshold: float
    interval: Interval
    passes: Rate
    false_passes: Rate
    area: float


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
    threshold = choose(good, bad)
    return Proposal(
        rule=rule,
        threshold=threshold,
        interval=_interval(choose, pairs, confidence, resamples, seed),
        passes=share("passes", sum(s >= threshold for s in good), len(good), confidence),
        false_passes=share("false passes", sum(s >= threshold for s in bad), len(bad), confidence),
        area=area(good, bad),
    )


def area(good: Sequence[float], bad: Sequence[float]) -> float:
    """The area under the ROC curve (0 to 1): the share of preferred scores above rejected ones.

    Ties count half. Mann & Whitney (1947), Annals of Mathematical Statistics 18:50-60; Hanley &
    McNeil (1982), Radiology 143:29-36.
    """
    ordered = sorted(bad)
    below = sum(bisect_left(ordered, score) for score in good)
    ties = sum(bisect_right(ordered, score) - bisect_left(ordered, score) for score in good)
    return (below + ties / 2) / (len(good) * len(bad))


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
