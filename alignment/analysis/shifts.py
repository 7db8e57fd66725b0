"""Changes that are reported and not tested: of CAS, and of mean scores."""

from __future__ import annotations

from collections.abc import Sequence

from alignment.analysis.clusters import by_cluster
from alignment.analysis.rates import mover
from alignment.records import Interval
from alignment.records.decisions import Change, PairedVerdict, Shift

_DRAWN = 1_000_000
"""Clusters drawn at a time, which bounds the memory."""


def combined_shift(changes: Sequence[Change], name: str) -> Shift:
    """The change of CAS, the mean of the axes' rates, in points, with its MOVER interval.

    It combines the intervals of the axes as `rates.combined` does, by the same sources: the prompts
    of different axes are different, so their changes are independent.

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

    Pairs are resampled, or whole dialogues where prompts share one (unless there is only a single
    dialogue, which would have no spread). Efron (1987), Journal of the American Statistical
    Association 82:171-185. Where all differences are equal, the interval is that value.
    `confidence` is between 0 and 1.

    Raises ValueError without pairs.
    """
    if not pairs:
        raise ValueError(f"{name}: no prompts to compare")
    in_order = sorted(pairs, key=lambda pair: pair.prompt)  # draws depend on the order
    clusters = by_cluster((pair.cluster, pair) for pair in in_order)
    if len(clusters) == 1:  # resample its prompts instead
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
    """The ends of the BCa interval of the mean of all values, given sums and counts of clusters.

    Equal to `scipy.stats.bootstrap` on the same draws, but the jackknife for the acceleration takes
    two subtractions for each left-out cluster instead of a mean of the others. Draws are made in
    blocks, so that memory does not grow with their number.
    """
    import numpy as np  # noqa: PLC0415
    from scipy.special import ndtr, ndtri  # noqa: PLC0415

    total, count = np.asarray(sums, dtype=float), np.asarray(counts, dtype=float)
    clusters, rng = len(total), np.random.default_rng(seed)
    means = np.empty(resamples)
    rows = max(1, _DRAWN // clusters)
    for start in range(0, resamples, rows):
        drawn = rng.integers(0, clusters, (min(rows, resamples - start), clusters))
        means[start : start + rows] = total[drawn].sum(axis=1) / count[drawn].sum(axis=1)
    estimate = total.sum() / count.sum()
    left_out = (total.sum() - total) / (count.sum() - count)
    pull = (clusters - 1) * (left_out.mean() - left_out)
    spread = (pull**2).sum() / clusters**2
    acceleration = (pull**3).sum() / clusters**3 / spread**1.5 / 6 if spread > 0 else 0.0
    bias = ndtri(((means < estimate).sum() + (means <= estimate).sum()) / (2 * resamples))
    tails = bias + ndtri([(1 - confidence) / 2, (1 + confidence) / 2])
    shares = ndtr(bias + tails / (1 - acceleration * tails))
    low, high = np.percentile(means, 100 * shares)
    return float(low), float(high)
