"""Stratified estimates: against hand computation, and against PPI++ of an independent package."""

import random
from statistics import fmean, variance

import pytest

from alignment.analysis.stratified import LEAST, Counts, Unit, collapse, estimate


def units(counts: dict[tuple, tuple[int, list[int]]]) -> list[Unit]:
    """(stratum -> (size, labels)) as units."""
    return [
        Unit(stratum, labels[i] if i < len(labels) else None)
        for stratum, (size, labels) in counts.items()
        for i in range(size)
    ]


def test_the_estimate_is_the_weighted_mean_of_the_strata():
    shares = estimate(units({("a",): (60, [1] * 6 + [0] * 4), ("b",): (40, [-1] * 5 + [0] * 15)}))
    assert shares.gained == pytest.approx(0.6 * 0.6)
    assert shares.lost == pytest.approx(0.4 * 0.25)
    assert (shares.labelled, shares.total) == (30, 100)


def test_its_variance_is_cochrans():
    """Without smoothing (strata large enough that two further labels hardly matter)."""
    rng = random.Random(1)
    data = {
        ("a",): (6000, [int(rng.random() < 0.3) for _ in range(3000)]),
        ("b",): (4000, [-int(rng.random() < 0.6) for _ in range(1000)]),
    }
    shares = estimate(units(data))
    expected = sum(
        (size / 10_000) ** 2 * variance(labels) * (1 / len(labels) - 1 / size)
        for size, labels in data.values()
    )
    spread = shares.lost + shares.gained - (shares.gained - shares.lost) ** 2
    assert spread / shares.here == pytest.approx(expected, rel=0.01)
    assert 1 / shares.beyond == pytest.approx(1 / shares.here + 1 / 10_000)


def test_labels_of_all_prompts_leave_no_uncertainty_about_these_prompts():
    shares = estimate(units({("a",): (7, [1, 0, 0, 0, 0, 0, -1]), ("b",): (2, [0, 1])}))
    assert shares.here == float("inf")
    assert shares.beyond == pytest.approx(9)


def test_proportional_labels_without_a_difference_are_worth_their_number():
    """Nothing differs: then the effective number is that of a simple sample of the prompts."""
    shares = estimate(units({("a",): (1000, [0] * 41), ("b",): (1000, [0] * 41)}))
    assert (shares.lost, shares.gained) == (0, 0)
    assert shares.beyond == pytest.approx(80, rel=0.05)


@pytest.mark.parametrize("number", range(LEAST))
def test_few_labels_are_no_estimate(number):
    assert estimate(units({("a",): (100, [0] * number)})) is None


def test_nothing_is_no_estimate():
    assert estimate([]) is None


def test_small_strata_join_those_with_the_same_first_parts():
    data = {
        (True, "x"): (50, [1] * 10),
        (True, "y"): (20, [0] * 2),
        (False, "x"): (30, [0] * 3),
        (False, "y"): (10, [0] * 3),
    }
    assert sorted(collapse(units(data))) == [Counts(40, 6, 0, 0), Counts(70, 12, 0, 10)]


def test_a_stratum_without_labels_joins_the_most_similar_one():
    data = {(True, "x"): (50, [1] * 10), (True, "y"): (4, []), (False, "x"): (30, [0] * 9)}
    assert sorted(collapse(units(data))) == [Counts(30, 9, 0, 0), Counts(54, 10, 0, 10)]


def test_a_small_stratum_that_is_wholly_labelled_stays_alone():
    data = {(True, "x"): (2, [-1, -1]), (True, "y"): (30, [0] * 8)}
    assert sorted(collapse(units(data))) == [Counts(2, 2, 2, 0), Counts(30, 8, 0, 0)]


def test_no_stratum_is_lost():
    rng = random.Random(3)
    for _ in range(2000):
        data = {
            (rng.randint(0, 1), rng.randint(0, 2), i): (
                size,
                rng.choices(rng.choice([(0,), (-1,), (-1, 0), (-1, 0, 1)]), k=rng.randint(0, size)),
            )
            for i, size in enumerate(rng.choices(range(1, 12), k=rng.randint(1, 8)))
        }
        all_units = units(data)
        strata = collapse(all_units)
        assert sum(each.total for each in strata) == len(all_units)
        shares = estimate(all_units)
        labelled = sum(unit.label is not None for unit in all_units)
        assert (shares is None) == (labelled < min(LEAST, len(all_units)))
        if shares is not None:
            assert 0 < shares.beyond <= len(all_units) < float("inf")
            assert min(shares.lost, shares.gained) >= 0
            assert shares.lost + shares.gained <= 1 + 1e-12


def test_each_stratum_is_the_estimate_of_ppi():
    """Within a stratum the prediction is constant: any weight of PPI++ gives the labels' mean."""
    ppi = pytest.importorskip("ppi_py", reason="needs the package ppi-python")
    import numpy as np

    rng = random.Random(5)
    data = {
        ("flip",): (80, [rng.choice((-1, 0)) for _ in range(20)]),
        ("same",): (220, [rng.choice((-1, 0, 0, 0, 1)) for _ in range(40)]),
    }
    prediction = {("flip",): -1.0, ("same",): 0.0}
    points = [
        size
        / 300
        * ppi.ppi_mean_pointestimate(
            np.array(labels, dtype=float),
            np.full(len(labels), prediction[stratum]),
            np.full(size - len(labels), prediction[stratum]),
            lam=weight,
        )[0]
        for (stratum, (size, labels)), weight in zip(data.items(), (0.3, 1.0), strict=True)
    ]
    shares = estimate(units(data))
    assert shares.gained - shares.lost == pytest.approx(sum(points))


def test_it_is_unbiased_whatever_the_strata_are_worth():
    """Over draws of the labelled prompts, the mean of the estimates is the truth."""
    rng = random.Random(7)
    truth = {
        ("flip",): [rng.choice((-1, -1, 0)) for _ in range(40)],
        ("same",): [rng.choice((-1, 0, 0, 0, 0, 1)) for _ in range(160)],
    }
    differences = []
    for _ in range(2000):
        drawn = []
        for (stratum, labels), number in zip(truth.items(), (20, 40), strict=True):
            chosen = set(rng.sample(range(len(labels)), number))
            drawn += [
                Unit(stratum, label if i in chosen else None) for i, label in enumerate(labels)
            ]
        shares = estimate(drawn)
        differences.append(shares.gained - shares.lost)
    expected = fmean(label for labels in truth.values() for label in labels)
    assert fmean(differences) == pytest.approx(expected, abs=0.004)
