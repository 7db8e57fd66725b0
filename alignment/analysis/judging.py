"""Evaluation of the judge: its accuracy on preferences, and its agreement with known labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from statistics import fmean

from alignment.analysis.rates import rate, share
from alignment.records import (
    Agreement,
    Criterion,
    Interval,
    JudgeTrial,
    Rate,
    SelfDisagreement,
    Votes,
)

_CHANCE = 50.0


def trial(
    axis: str,
    chosen_scores: Sequence[float],
    rejected_scores: Sequence[float],
    *,
    chosen_lengths: Sequence[int],
    rejected_lengths: Sequence[int],
    degenerate: Mapping[str, Sequence[bool]],
    confidence: float,
    unscored: int = 0,
) -> JudgeTrial:
    """Evaluates a judge on held-out preference pairs and on degenerate responses.

    The four sequences have one entry per pair: the scores of both answers, and their lengths in
    any one unit. Pairwise accuracy counts a tie as half. `longer` is the share of pairs in which
    the longer answer scores higher; a tie of scores or of lengths counts as half, so that 50 % is
    no length bias. `degenerate` has by kind whether each degenerate response met the criterion;
    kinds without responses are left out. `confidence` is between 0 and 1. `unscored` counts the
    responses that got no score; their pairs are not among these. A judge that gave no scores at all
    is not informative.

    Raises ValueError without pairs and without `unscored`, or when the sequences differ in length.
    """
    pairs = len(chosen_scores)
    if not pairs and unscored:
        nothing = Rate("accuracy", 0.0, Interval(0.0, 100.0), 0, 0)
        return JudgeTrial(axis, nothing, replace(nothing, name="longer"), {}, False, unscored)
    if not pairs:
        raise ValueError(f"{axis}: the evaluation of a judge needs at least one preference pair")
    if {len(rejected_scores), len(chosen_lengths), len(rejected_lengths)} != {pairs}:
        raise ValueError(f"{axis}: every pair needs two scores and two lengths")
    margins = [a - b for a, b in zip(chosen_scores, rejected_scores, strict=True)]
    longer_by = [a - b for a, b in zip(chosen_lengths, rejected_lengths, strict=True)]
    wins = sum(_win_share(margin) for margin in margins)
    longer = sum(
        _win_share(m) if by > 0 else _win_share(-m) if by < 0 else 0.5
        for m, by in zip(margins, longer_by, strict=True)
    )
    accuracy = share("accuracy", wins, pairs, confidence)
    return JudgeTrial(
        axis=axis,
        accuracy=accuracy,
        longer=share("longer", longer, pairs, confidence),
        degenerate={
            kind: rate(kind, passes, confidence) for kind, passes in degenerate.items() if passes
        },
        informative=informative(accuracy),
        unscored=unscored,
    )


def _win_share(margin: float) -> float:
    return 1.0 if margin > 0 else 0.0 if margin < 0 else 0.5


def informative(accuracy: Rate) -> bool:
    """Whether a pairwise accuracy (in %) is better than chance: its whole interval is above 50.

    An interval wholly below 50 (a judge that is reliably wrong) is not informative either.
    """
    return accuracy.interval.low > _CHANCE


def self_disagreement(
    axis: str, repeats: Iterable[Sequence[float]], criterion: Criterion, confidence: float
) -> SelfDisagreement | None:
    """How far the scores of a judge that scored each response several times differ.

    `repeats` has one sequence of scores per response; responses with fewer than two scores are left
    out, and the result is None if none has two. The difference is the mean absolute difference over
    all pairs of a response's scores, averaged over responses.
    """
    repeated = [scores for scores in repeats if len(scores) > 1]
    if not repeated:
        return None
    verdicts = [{criterion.met_by(score) for score in scores} for scores in repeated]
    return SelfDisagreement(
        axis,
        len(repeated),
        fmean(fmean(abs(a - b) for a, b in combinations(scores, 2)) for scores in repeated),
        rate("changed", [len(each) > 1 for each in verdicts], confidence),
    )


def votes(
    by_response: Sequence[Sequence[bool]],
    members: int,
    confidence: float,
    clusters: Sequence[str],
) -> Votes:
    """How a panel voted: `by_response` has, for each response, the votes of those who scored it.

    `members` is the number of judges of the panel, `clusters` the dialogue of each response (see
    `rates.rate`).
    """
    divisible = [
        (len(set(each)) > 1, cluster)
        for each, cluster in zip(by_response, clusters, strict=True)
        if len(each) > 1
    ]
    divided, dialogues = [each for each, _ in divisible], [cluster for _, cluster in divisible]
    return Votes(
        rate("divided", divided, confidence, dialogues) if divided else None,
        sum(len(each) < members for each in by_response),
    )


TRUTH = ("good", "bad")
JUDGES = ("pass", "fail")
"""The words for the second verdict of an agreement: the truth, or another judge's verdict."""


def agreement(
    axis: str,
    pairs: Iterable[tuple[bool, bool]],
    confidence: float,
    *,
    words: tuple[str, str] = TRUTH,
    clusters: Sequence[str] | None = None,
) -> Agreement:
    """A judge's verdicts against the truth about the same responses, or another judge's verdicts.

    `pairs` are (the judge passes it, it is good), `words` what the second one is called,
    `clusters` the dialogue of each response (see `rates.rate`). The rate is the share of
    equal verdicts, in %; kappa is Cohen's (1960, Educational and Psychological Measurement
    20:37-46), from -1 to 1, and None where all verdicts of either side are equal, as it is then not
    defined.

    Raises ValueError without pairs.
    """
    verdict_pairs = list(pairs)
    if not verdict_pairs:
        raise ValueError(f"{axis}: agreement needs at least one response with a known label")
    counts = Counter(verdict_pairs)
    good, bad = words
    return Agreement(
        axis,
        rate("agreement", [a == b for a, b in verdict_pairs], confidence, clusters),
        _kappa(counts),
        {
            f"pass/{good}": counts[True, True],
            f"pass/{bad}": counts[True, False],
            f"fail/{good}": counts[False, True],
            f"fail/{bad}": counts[False, False],
        },
    )


def _kappa(counts: Counter[tuple[bool, bool]]) -> float | None:
    """(observed - expected) / (1 - expected), with expected from the margins of the 2 x 2 table."""
    total = counts.total()
    passes = counts[True, True] + counts[True, False]
    good = counts[True, True] + counts[False, True]
    if passes in (0, total) or good in (0, total):
        return None
    observed = (counts[True, True] + counts[False, False]) / total
    expected = (passes * good + (total - passes) * (total - good)) / total**2
    return (observed - expected) / (1 - expected)
