"""Scores beside verdicts: a paired test of the mean score, and the change at other thresholds.

Verdicts throw away how far a score is from the threshold, so that scores can show a change where
verdicts cannot. Neither decides: a mean can move while no response becomes bad.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Literal

from alignment.analysis.clusters import by_cluster
from alignment.analysis.decision_rule import Key
from alignment.analysis.paired import holm
from alignment.analysis.student import probability_beyond
from alignment.records.decisions import PairedVerdict, ScoreChange

_QUANTILES = 9
"""Thresholds of a sweep: the deciles of all scores."""


def score_changes(
    pairs: Mapping[Key, Sequence[PairedVerdict]], comparisons: Mapping[str, Literal[">=", ">"]]
) -> dict[Key, ScoreChange]:
    """The change of the mean score of every comparison, with Holm's correction over all of them.

    `comparisons` has for each axis how its criterion compares a score with a threshold.
    """
    tests = {key: paired_t(each) for key, each in pairs.items()}
    adjusted = holm([p_value for _, p_value in tests.values()])
    return {
        key: ScoreChange(difference, p_value, corrected, sweep(pairs[key], comparisons[key[1]]))
        for (key, (difference, p_value)), corrected in zip(tests.items(), adjusted, strict=True)
    }


def paired_t(pairs: Sequence[PairedVerdict]) -> tuple[float, float]:
    """The mean difference of scores (after - before), and its two-sided p-value.

    Student's paired t-test, on dialogues where prompts share them: the ratio of their totals to
    their sizes, with as many degrees of freedom as dialogues but one (Cochran 1977, Sampling
    Techniques, ch. 2.11). The p-value is 1 with a single dialogue, and where no score differs.
    Raises ValueError without pairs.
    """
    if not pairs:
        raise ValueError("no prompts to compare")
    differences = [(pair.cluster, pair.score_after - pair.score_before) for pair in pairs]
    dialogues = by_cluster(differences)
    mean = sum(value for _, value in differences) / len(pairs)
    spread = sum((sum(each) - len(each) * mean) ** 2 for each in dialogues)
    degrees = len(dialogues) - 1
    if not degrees:
        return mean, 1.0
    error = sqrt(spread * len(dialogues) / degrees) / len(pairs)
    if error <= 1e-12 * abs(mean) or not error:
        return mean, 0.0 if mean else 1.0
    return mean, probability_beyond(mean / error, degrees)


def sweep(
    pairs: Sequence[PairedVerdict], comparison: Literal[">=", ">"]
) -> tuple[tuple[float, float], ...]:
    """(threshold, change of the rate in points) at the deciles of all scores, rising.

    Empty where there are fewer than three different scores: then there is only one threshold.
    """
    before = sorted(pair.score_before for pair in pairs)
    after = sorted(pair.score_after for pair in pairs)
    scores = sorted(before + after)
    if len(set(scores)) < 3:
        return ()
    places = [round(len(scores) * part / (_QUANTILES + 1)) for part in range(1, _QUANTILES + 1)]
    thresholds = sorted({scores[min(place, len(scores) - 1)] for place in places})
    failing = bisect_left if comparison == ">=" else bisect_right
    return tuple(
        (each, 100 * (failing(before, each) - failing(after, each)) / len(pairs))
        for each in thresholds
    )
