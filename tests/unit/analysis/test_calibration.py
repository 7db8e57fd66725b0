"""Thresholds from preferences: areas, cuts and their intervals."""

import random
from statistics import fmean

import pytest
from scipy.stats import mannwhitneyu

from alignment.analysis.calibration import (
    ScoredPair,
    area,
    area_interval,
    at_most_false,
    propose,
    youden,
)

GOOD, BAD = [0.9, 0.8, 0.7, 0.55, 0.4], [0.6, 0.5, 0.35, 0.3, 0.1]


def pairs(good, bad):
    return [ScoredPair(g, b, f"c{i}") for i, (g, b) in enumerate(zip(good, bad, strict=True))]


def made(seed, size=200, apart=1.0):
    rng = random.Random(seed)
    return [rng.gauss(apart, 1) for _ in range(size)], [rng.gauss(0, 1) for _ in range(size)]


@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_that_of_scipys_rank_test(seed):
    good, bad = made(seed, 40)
    good, bad = [round(s, 1) for s in good], [round(s, 1) for s in bad]  # with ties
    statistic = mannwhitneyu(good, bad).statistic
    assert area(good, bad) == pytest.approx(statistic / (len(good) * len(bad)))


def test_a_judge_that_knows_nothing_has_half_the_area():
    assert area([1, 2], [1, 2]) == 0.5
    assert area([1, 1], [0, 0]) == 1.0


def test_youdens_threshold_is_best_of_all():
    cut = youden(GOOD, BAD)
    gain = sum(s >= cut for s in GOOD) / 5 - sum(s >= cut for s in BAD) / 5
    every = [
        sum(s >= at for s in GOOD) / 5 - sum(s >= at for s in BAD) / 5 for at in [*GOOD, *BAD, 2.0]
    ]
    assert gain == pytest.approx(max(every))


@pytest.mark.parametrize("target", [0.0, 0.2, 0.5, 1.0])
def test_no_more_than_the_target_pass_falsely_and_no_fewer_than_need_be(target):
    cut = at_most_false(target)(GOOD, BAD)
    assert sum(s >= cut for s in BAD) / 5 <= target
    lower = max((s for s in (*GOOD, *BAD) if s < cut), default=None)
    if lower is not None:
        assert sum(s >= lower for s in BAD) / 5 > target or lower in GOOD


@pytest.mark.parametrize("choose", [youden, at_most_false(0.1)])
def test_the_interval_holds_the_threshold_and_narrows_with_more_pairs(choose):
    widths = []
    for size in (50, 800):
        scored = pairs(*made(1, size))
        found = propose("x", choose, scored, confidence=0.95, resamples=200, seed=3)
        assert found.interval.low <= found.threshold <= found.interval.high
        widths.append(found.interval.high - found.interval.low)
    assert widths[1] < widths[0]


def test_the_same_seed_gives_the_same_proposal_in_any_order():
    scored = pairs(*made(2, 60))
    one = propose("x", youden, scored, confidence=0.9, resamples=99, seed=1)
    assert propose("x", youden, scored, confidence=0.9, resamples=99, seed=1) == one
    shuffled = random.Random(0).sample(scored, len(scored))
    assert propose("x", youden, shuffled, confidence=0.9, resamples=99, seed=1) == one


def test_shared_dialogues_widen_the_interval():
    good, bad = made(4, 40)
    apart = pairs(good * 4, bad * 4)
    shared = [ScoredPair(p.chosen, p.rejected, f"d{i % 40}") for i, p in enumerate(apart)]
    options = {"confidence": 0.95, "resamples": 300, "seed": 0}
    alone = propose("x", at_most_false(0.2), apart, **options).interval
    together = propose("x", at_most_false(0.2), shared, **options).interval
    assert together.high - together.low > alone.high - alone.low


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="must be between 0 and 1"):
        at_most_false(1.5)
    with pytest.raises(ValueError, match="no preference pairs"):
        propose("x", youden, [], confidence=0.95, resamples=10, seed=0)


# -- the interval of the area, and cross-validation --------------------------------------------


def test_the_variance_of_the_area_is_delongs():
    """Structural components by numpy, from their definition, with their covariance."""
    import numpy as np

    rng = np.random.default_rng(4)
    good = rng.normal(0.7, 1, 80)
    bad = rng.normal(0, 1, 80) + 0.5 * good
    wins = (good[:, None] > bad[None, :]).astype(float)
    covariance = np.cov(wins.mean(axis=1), wins.mean(axis=0))
    expected = np.sqrt((covariance[0, 0] + covariance[1, 1] + 2 * covariance[0, 1]) / 80)
    scored = [ScoredPair(a, b, str(i)) for i, (a, b) in enumerate(zip(good, bad, strict=True))]
    found = area_interval(scored, 0.95)
    assert (found.high - found.low) / 2 == pytest.approx(1.959964 * expected, rel=1e-6)
    assert (found.high + found.low) / 2 == pytest.approx(wins.mean())


def test_the_interval_of_the_area_covers_it_where_dialogues_are_shared():
    rng = random.Random(2)
    covered = 0
    for _ in range(400):
        scored = []
        for dialogue in range(40):
            shift = rng.gauss(0, 1)  # the same for all answers of a dialogue
            scored += [
                ScoredPair(shift + rng.gauss(1, 1), shift + rng.gauss(0, 1), str(dialogue))
                for _ in range(3)
            ]
        found = area_interval(scored, 0.95)
        covered += found.low <= 0.6915 <= found.high  # P(N(1, 2 + 2) > 0)
    assert 0.91 <= covered / 400 <= 0.985


@pytest.mark.parametrize("sign", [1, -1])
def test_a_perfect_judge_has_an_interval_too(sign):
    scored = [ScoredPair(sign * 1.0, -sign * 1.0, str(i)) for i in range(20)]
    found = area_interval(scored, 0.95)
    assert found.high - found.low == pytest.approx(0.161, abs=0.001)  # Wilson, 20 of 20


def test_one_dialogue_says_nothing_of_the_area():
    found = area_interval([ScoredPair(1, 0, "a"), ScoredPair(2, 0, "a")], 0.95)
    assert (found.low, found.high) == (0, 1)


def test_a_judge_that_guesses_is_not_informative_and_looks_no_better_than_it_is():
    """In-sample, Youden's threshold makes noise look like a judge; cross-validated it does not."""
    gains, informative = [], 0
    for seed in range(40):
        rng = random.Random(seed)
        scored = [ScoredPair(rng.gauss(0, 1), rng.gauss(0, 1), str(i)) for i in range(60)]
        found = propose("x", youden, scored, confidence=0.95, resamples=10, seed=seed)
        gains.append(found.passes.percent - found.false_passes.percent)
        informative += found.informative
    assert abs(fmean(gains)) < 3
    assert informative <= 4


def test_no_dialogue_is_in_two_parts():
    scored = [ScoredPair(i + 0.5, i, str(i % 7)) for i in range(70)]
    found = propose("x", youden, scored, confidence=0.95, resamples=10, seed=0)
    assert found.folds == 5
    two = [ScoredPair(i + 0.5, i, str(i % 2)) for i in range(10)]
    assert propose("x", youden, two, confidence=0.95, resamples=10, seed=0).folds == 2
