from math import ceil, floor

import pytest
from scipy.stats import binomtest

from alignment.analysis.rates import combined, rate, relative_change, share, wilson
from alignment.records import Interval, Rate

# Newcombe (1998a), "Two-sided confidence intervals for the single proportion: comparison of seven
# methods", Statistics in Medicine 17:857-872, Table I, method 3 (score, no correction).
NEWCOMBE_SINGLE = [
    (81, 263, 25.53, 36.62),
    (15, 148, 6.24, 16.05),
    (0, 20, 0.00, 16.11),
    (1, 29, 0.61, 17.18),
]
# Newcombe (1998b), "Interval estimation for the difference between independent proportions:
# comparison of eleven methods", Statistics in Medicine 17:873-890, Table II, method 10 (hybrid
# score), which Zou & Donner (2008) show to be MOVER for weights +1 and -1.
NEWCOMBE_DIFFERENCE = [
    ((56, 70), (48, 80), 0.0524, 0.3339),
    ((9, 10), (3, 10), 0.1705, 0.8090),
    ((6, 7), (2, 7), 0.0582, 0.8062),
    ((5, 56), (0, 29), -0.0381, 0.1926),
    ((0, 10), (0, 20), -0.1611, 0.2775),
    ((0, 10), (0, 10), -0.2775, 0.2775),
    ((10, 10), (0, 20), 0.6791, 1.0000),
    ((10, 10), (0, 10), 0.6075, 1.0000),
]


@pytest.mark.parametrize(("passed", "total", "low", "high"), NEWCOMBE_SINGLE)
def test_wilson_gives_the_published_examples(passed, total, low, high):
    found = wilson(passed, total, 0.95)
    assert (found.low, found.high) == (
        pytest.approx(low, abs=0.005),
        pytest.approx(high, abs=0.005),
    )


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize(
    ("passed", "total"), [(0, 1), (1, 1), (1, 3), (21, 50), (50, 50), (7, 999)]
)
def test_wilson_agrees_with_scipy(passed, total, confidence):
    reference = binomtest(passed, total).proportion_ci(confidence, method="wilson")
    found = wilson(passed, total, confidence)
    assert found.low == pytest.approx(100 * reference.low, abs=1e-9)
    assert found.high == pytest.approx(100 * reference.high, abs=1e-9)


@pytest.mark.parametrize(
    ("passed", "total", "confidence"),
    [(0, 0, 0.95), (-1, 5, 0.95), (6, 5, 0.95), (1, 2, 0.0), (1, 2, 1.0), (1, 2, float("nan"))],
)
def test_wilson_refuses_what_is_no_share(passed, total, confidence):
    with pytest.raises(ValueError):
        wilson(passed, total, confidence)


@pytest.mark.parametrize(("first", "second", "low", "high"), NEWCOMBE_DIFFERENCE)
def test_combined_gives_the_published_mover_examples(first, second, low, high):
    # (p1 + (1 - p2)) / 2 is the difference p1 - p2, moved and scaled: the same interval.
    passed, total = second
    mean = combined([share("a", *first, 0.95), share("b", total - passed, total, 0.95)])
    found = [(2 * end - 100) / 100 for end in (mean.interval.low, mean.interval.high)]
    assert found == [pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5)]


def test_combined_is_named_and_has_no_counts():
    found = combined([share("HmR", 24, 50, 0.95), share("HpR", 28, 50, 0.95)])
    assert (found.name, found.percent, found.passed, found.total) == ("CAS", 52.0, None, None)


def test_combined_of_one_rate_is_that_rate():
    only = share("HmR", 24, 50, 0.95)
    assert combined([only]).interval.low == pytest.approx(only.interval.low)
    assert combined([only]).interval.high == pytest.approx(only.interval.high)


def test_combined_covers_as_often_as_it_says():
    # Exact coverage by enumeration, for two axes of 50 prompts as in the paper: MOVER is
    # approximate, and for single true rates it oscillates around its confidence.
    from scipy.stats import binom

    n, truths = 50, [(0.42, 0.22), (0.48, 0.56), (0.36, 0.46), (0.44, 0.66)]
    rates = [share("r", k, n, 0.95) for k in range(n + 1)]
    coverages = []
    for p, q in truths:
        weights_p, weights_q = (binom.pmf(range(n + 1), n, x) for x in (p, q))
        mean, covered = 50 * (p + q), 0.0
        for i in range(n + 1):
            for j in range(n + 1):
                interval = combined([rates[i], rates[j]]).interval
                covered += (interval.low <= mean <= interval.high) * weights_p[i] * weights_q[j]
        coverages.append(covered)
    assert min(coverages) > 0.93
    assert max(coverages) < 0.97


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: rate("HmR", [], 0.95), "needs at least one verdict"),
        (lambda: combined([]), "there are no rates to combine"),
    ],
)
def test_a_rate_of_nothing_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_rate_counts_true_verdicts():
    found = rate("HmR", [True, False, True, True], 0.95)
    assert (found.percent, found.passed, found.total) == (75.0, 3, 4)


def test_half_counts_are_rounded_down_in_passed_only():
    found = share("accuracy", 2.5, 4, 0.95)
    assert found == Rate("accuracy", 62.5, wilson(2.5, 4, 0.95), 2, 4)
    assert wilson(floor(2.5), 4, 0.95).low < found.interval.low < wilson(ceil(2.5), 4, 0.95).low


def test_relative_change():
    assert relative_change(48, 42) == pytest.approx(14.29, abs=0.005)
    assert relative_change(42, 42) == 0
    assert relative_change(1, 0) is None


def test_an_interval_is_in_the_unit_of_its_rate():
    assert wilson(10, 10, 0.95).high == 100.0
    assert wilson(0, 10, 0.95) == Interval(0.0, 100 - wilson(10, 10, 0.95).low)
