"""Design effects, and the rates that they widen."""

import random
from statistics import fmean, variance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignment.analysis.clusters import by_cluster, design_effect
from alignment.analysis.rates import rate, wilson


def test_values_are_grouped_in_order_of_appearance():
    assert by_cluster([("b", 1), ("a", 2), ("b", 3)]) == [[1, 3], [2]]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_copies_count_once(size):
    verdicts = [True, False, False, True, True, False, True]
    clusters = [f"{n}" for n in range(7) for _ in range(size)]
    found = rate("HmR", [v for v in verdicts for _ in range(size)], 0.95, clusters)
    alone = wilson(4 * 7 / 7, 7, 0.95)
    # n / (n - 1) more: the variance between clusters is estimated from them.
    if size == 1:
        assert found.interval == alone
        assert found.effect == 1.0
    else:
        assert found.effect == pytest.approx(size * 7 / 6)
        assert found.interval.low < alone.low
        assert found.interval.high > alone.high
    assert (found.passed, found.total) == (4 * size, 7 * size)


def test_it_is_the_ratio_of_the_variances_that_it_says():
    """Against the textbook variance of a mean of equal clusters: s^2 of their means over n."""
    rng = random.Random(3)
    clusters = [
        [float(rng.random() < p) for _ in range(4)] for p in (0.1, 0.9, 0.5, 0.2, 0.95, 0.4)
    ]
    means = [fmean(each) for each in clusters]
    values = [value for each in clusters for value in each]
    mean = fmean(values)
    expected = (variance(means) / len(means)) / (mean * (1 - mean) / len(values))
    assert design_effect(clusters) == pytest.approx(expected)
    assert expected > 1


def test_where_all_passed_the_samples_of_a_prompt_count_as_one():
    found = rate("HmR", [True] * 12, 0.95, [f"{n // 4}" for n in range(12)])
    assert found.percent == 100
    assert found.interval == wilson(3, 3, 0.95)


def test_values_are_required():
    with pytest.raises(ValueError, match="at least one value"):
        design_effect([])


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.booleans()), min_size=1, max_size=40))
def test_an_interval_never_gets_narrower_and_holds_its_rate(told):
    verdicts = [passed for _, passed in told]
    plain = rate("x", verdicts, 0.95)
    found = rate("x", verdicts, 0.95, [cluster for cluster, _ in told])
    assert found.effect >= 1
    assert found.percent == plain.percent
    assert found.interval.low <= plain.interval.low + 1e-9
    assert found.interval.high >= plain.interval.high - 1e-9
