"""Work grows with the number of prompts and not faster: counted in calls and bytes, not in time."""

import cProfile
import pstats
import random
import tracemalloc

import numpy as np
import pytest
from scipy.stats import bootstrap

from alignment.analysis.paired import mcnemar, sign_flip
from alignment.analysis.shifts import _bca
from support import scale


def work(folder, prompts, against):
    """How many functions are called from reading the files to both reports."""
    scale.write(folder, prompts, against=against)
    profiler = cProfile.Profile()
    profiler.enable()
    scale.report(scale.session(folder))
    profiler.disable()
    return pstats.Stats(profiler).total_calls


@pytest.mark.parametrize("against", ["variant:base", "baseline"])
def test_twice_the_prompts_are_twice_the_work(tmp_path, against):
    work(tmp_path / "first", 30, against)  # what is imported and remembered once
    sizes = [300, 600, 1200]
    small, middle, large = (work(tmp_path / str(size), size, against) for size in sizes)
    assert large - middle < 2.3 * (middle - small)  # 2 is linear, 4 the square


def test_a_bootstrap_takes_memory_for_its_pairs_and_not_for_their_square():
    rng = random.Random(1)
    peaks = []
    for clusters in (1_000, 100_000):
        sums, counts = [rng.gauss(0, 1) for _ in range(clusters)], [1] * clusters
        _bca(sums, counts, 0.95, 20, 0)  # imports
        tracemalloc.start()
        _bca(sums, counts, 0.95, 20, 0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 60 * 1024**2


@pytest.mark.parametrize("clusters", [12, 700, 3000])
def test_the_interval_is_that_of_scipy(clusters):
    """The same draws, cut into pieces otherwise; the jackknife in closed form."""
    rng = np.random.default_rng(clusters)
    counts = rng.integers(1, 5, clusters)
    sums = rng.gamma(2, 1, clusters) * counts

    def mean(total, count, axis):
        return total.sum(axis=axis) / count.sum(axis=axis)

    expected = bootstrap(
        (sums, counts),
        mean,
        paired=True,
        vectorized=True,
        n_resamples=999,
        batch=500,
        method="BCa",
        rng=np.random.default_rng(3),
    ).confidence_interval
    found = _bca(sums.tolist(), counts.tolist(), 0.95, 999, 3)
    assert found == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_sign_flips_of_many_clusters_are_exact():
    """Against the convolution of every net in turn, with numpy's dense arrays."""
    rng = random.Random(2)
    nets = [rng.choice([-3, -2, -2, -1, -1, -1, 0, 1, 1, 2]) for _ in range(1500)]
    reach = sum(map(abs, nets))
    chance = np.ones(1)
    for size in (abs(net) for net in nets if net):
        step = np.zeros(2 * size + 1)
        step[[0, -1]] = 0.5
        chance = np.convolve(chance, step)
    place = sum(nets) + reach
    worse, better = chance[: place + 1].sum(), chance[place:].sum()
    assert sign_flip(nets) == pytest.approx((worse, better), rel=1e-9)
    half = chance[place] / 2
    assert sign_flip(nets, midp=True) == pytest.approx((worse - half, better - half), rel=1e-9)


def test_a_hundred_thousand_flips_are_still_counted_exactly():
    nets = [-1] * 50_100 + [1] * 49_900
    assert sign_flip(nets) == pytest.approx(mcnemar(50_100, 49_900), rel=1e-9)
    worse, better = sign_flip([*nets, *[2] * 5_000, *[-2] * 5_100, *[3] * 50, *[-3] * 48])
    assert 0 < worse < 0.5 < better < 1
