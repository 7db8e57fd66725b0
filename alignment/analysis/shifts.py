"""Changes that are reported and not tested: of CAS, and of mean scores."""

from __future__ import annotations

from collections.abc import Sequence

from alignment.analysis.paired import by_cluster
from alignment.analysis.rates import mover
from alignment.decisions import Change, PairedVerdict, Shift
from alignment.records import Interval


def combined_shift(changes: Sequence[Change], name: str) -> Shift:
    """The change of CAS, the mean of the axes' rates, in points, with its MOVER interval.

    Made of the axes' own intervals as `rates.combined` is of theirs, with the same sources: the
    prompts of different axes are different, and their changes independent.

    Raises ValueError without changes.
    """
    if not changes:
        raise ValueError(f"{name}: no changes to combine")
    mean, interval = mover([(each.difference, each.interval) for each in changes], lowest=-100.0)
    return Shift(name, mean, interval)


def mean_shift(
    name: str, pairs: Sequence[PairedVerdict], confidence: float, *, resamples: int, seed: int
) -> Shift:
    """The change of the mean score, in the judge's unit, with its BCa bootstrap interval.

    Pairs are drawn, or whole dialogues where prompts share one (a single dialogue is not drawn
    whole: it would have no spread). `scipy.stats.bootstrap`; Efron (1987), Journal of the American
    Statistical Association 82:171-185. Where every difference is the same there is nothing to
    draw, and the interval is that value.

    Raises ValueError without pairs.
    """
    if not pairs:
        raise ValueError(f"{name}: no prompts to compare")
    clusters = by_cluster(sorted(pairs, key=lambda pair: pair.prompt))  # draws go by position
    if len(clusters) == 1:  # nothing to draw from; its prompts are the best that there is
        clusters = [[pair] for pair in pairs]
    sums = [sum(pair.score_after - pair.score_before for pair in each) for each in clusters]
    counts = [len(each) for each in clusters]
    difference = sum(sums) / sum(counts)
    ratios = {total / count for total, count in zip(sums, counts, strict=True)}
    if len(ratios) == 1:
        return Shift(name, difference, Interval(difference, difference))
    low, high = _bca(sums, counts, confidence, resamples, seed)
    return Shift(name, difference, Interval(low, high))


def _bca(
    sums: Sequence[float], counts: Sequence[int], confidence: float, resamples: int, seed: int
) -> tuple[float, float]:
    import numpy as np  # noqa: PLC0415
    from scipy.stats import bootstrap  # noqa: PLC0415 - 1.1 s that a run without changes saves

    def mean(total: np.ndarray, count: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(total.sum(axis=axis) / count.sum(axis=axis))

    found = bootstrap(
        (np.asarray(sums), np.asarray(counts)),
        mean,
        paired=True,
        vectorized=True,
        confidence_level=confidence,
        n_resamples=resamples,
        batch=500,
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)
