"""Design effects, and the rates that they widen."""

import random
from statistics import fmean, pvariance, variance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignment.analysis.clusters import (
    Sharing,
    by_cluster,
    design_effect,
    effective_clusters,
    sharing,
    sharing_of,
)
from alignment.analysis.rates import rate, wilson
from alignment.records import Interval


def test_values_are_grouped_in_order_of_appearance():
    assert by_cluster([("b", 1), ("a", 2), ("b", 3)]) == [[1, 3], [2]]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_copies_count_once(size):
    verdicts = [True, False, False, True, True, False, True]
    clusters = [f"{n}" for n in range(7) for _ in range(size)]
    found = rate("HmR", [v for v in verdicts for _ in range(size)], 0.95, clusters)
    alone = wilson(4 * 7 / 7, 7, 0.95)
    assert found.interval == alone
    # Up to n / (n - 1) more: the variance between clusters is estimated from them.
    assert size <= found.effect <= size * (7 / 6 if size > 1 else 1)
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


SEVERAL = [[1.0, 0.0, 0.0], [0.0] * 5, [1.0, 1.0], [0.0], [-1.0, 1.0, 0.0, 0.0]]


def test_a_dialogue_that_is_not_seen_draws_the_effect_towards_whole_dialogues():
    effects = [design_effect(SEVERAL, unseen) for unseen in ((), (1,), (-1, 1), (-1e5, 1e5))]
    assert effects == sorted(effects)
    assert effects[-1] == pytest.approx((9 + 25 + 4 + 1 + 16) / 15)
    assert design_effect([[0.0] * 3] * 9, (-1, 1)) == 3


def test_a_dialogue_that_is_not_seen_counts_as_one_more():
    # Two dialogues of mean size, 4 losses and 4 gains, written out.
    seen = [[-1.0, 0.0, 0.0, 0.0], [1.0, -1.0, 0.0, 0.0], *[[0.0] * 4] * 8]
    mean = -1 / 40
    between = 10 / 9 * ((-1 - 4 * mean) ** 2 + 9 * (4 * mean) ** 2)
    independent = 3 - 40 * mean**2
    extreme = (1 - mean) ** 2 + (-1 - mean) ** 2
    expected = (between + 16 * extreme) / (independent + 4 * extreme)
    assert design_effect(seen, (-1, 1)) == pytest.approx(expected)


# Carter, Schnepel & Steigerwald (2017): G* = G / (1 + squared coefficient of variation of the
# contributions to the variance), for a mean those are the squares of the sizes.
@pytest.mark.parametrize("sizes", [[4] * 25, [1] * 7, [50, *[1] * 50], list(range(1, 14)), [9]])
def test_the_effective_number_of_clusters_is_the_published_one(sizes):
    squares = [size**2 for size in sizes]
    variation = pvariance(squares) / fmean(squares) ** 2
    assert effective_clusters(sizes) == pytest.approx(len(sizes) / (1 + variation))


def test_equal_clusters_count_exactly():
    assert effective_clusters([33] * 3) == 3
    assert sharing([[0.0] * 33] * 3).degrees == 2
    assert sharing([[0.0] * 50, *[[0.0]] * 50]).degrees == 1


def test_clusters_of_one_are_no_sharing():
    assert sharing([[1.0], [0.0]], (0, 1)) == Sharing()
    assert sharing_of([1.0, 0.0], ["a", "b"], (0, 1)) == Sharing()


def test_an_interval_is_what_both_forms_have_in_common():
    def interval_of(effect, quantile):
        return Interval(-10 * effect * quantile, 10 + effect * quantile)

    found = Sharing(2.0, 5.0, 3).interval(interval_of, 0.95)
    t, z = 3.182446, 1.959964  # tables of the t and the normal distribution
    assert found.low == pytest.approx(-20 * t, abs=1e-4)
    assert found.high == pytest.approx(10 + 2 * t, abs=1e-4)
    found = Sharing(2.0, 3.0, 3).interval(interval_of, 0.95)
    assert found.low == pytest.approx(-30 * z, abs=1e-4)
    assert Sharing().interval(interval_of, 0.95).high == pytest.approx(10 + z, abs=1e-4)


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
