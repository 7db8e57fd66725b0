"""Closed forms for the number of prompts, against published examples and the exact search."""

from math import inf

import pytest

from alignment.analysis.power import prompts_to_decide
from alignment.analysis.sample_size import to_fail, to_pass


@pytest.mark.parametrize(("margin", "enough"), [(0.05, 73), (0.1, 34.6), (0.2, 15.4)])
def test_without_flips_it_is_where_tangos_interval_reaches_the_margin(margin, enough):
    # z^2 (1 - m) / m: the lower end of the interval of no flips is -z^2 / (n + z^2).
    found = to_pass(0.0, 0.0, margin=margin, confidence=0.95, power=0.8)
    assert found == pytest.approx(enough, rel=0.005)


def test_mcnemars_test_needs_as_many_as_the_formula_of_connor():
    # Connor (1987), eq. 3: (z_a sqrt(psi) + z_b sqrt(psi - d^2))^2 / d^2, with psi = 0.3, d = 0.2,
    # z_a = 1.644854, z_b = 0.841621: (0.900923 + 0.429145)^2 / 0.04 = 44.2.
    assert to_fail(0.3, -0.2, margin=0.0, level=0.05, power=0.8) == pytest.approx(44.2, abs=0.1)


def test_at_the_margin_and_beyond_it_no_number_is_enough():
    assert to_pass(0.3, -0.1, margin=0.1, confidence=0.95, power=0.8) == inf
    assert to_pass(0.3, -0.2, margin=0.1, confidence=0.95, power=0.8) == inf
    assert to_fail(0.3, -0.1, margin=0.1, level=0.05, power=0.8) == inf
    assert to_fail(0.3, 0.1, margin=0.1, level=0.05, power=0.8) == inf


@pytest.mark.parametrize("flips", [0.0, 0.05, 0.1, 0.2, 0.3, 0.45])
@pytest.mark.parametrize("change", [0.05, 0.0, -0.02, -0.05, -0.08])
@pytest.mark.parametrize("margin", [0.05, 0.1])
def test_passing_takes_about_as_many_as_the_exact_search_finds(flips, change, margin):
    if abs(change) > flips or change <= -margin:
        return
    found = to_pass(flips, change, margin=margin, confidence=0.95, power=0.8)
    exact = prompts_to_decide(flips, 100 * change, margin=100 * margin)
    assert found == pytest.approx(exact, rel=0.25)


@pytest.mark.parametrize("flips", [0.2, 0.3, 0.45])
@pytest.mark.parametrize("change", [-0.12, -0.15, -0.2])
@pytest.mark.parametrize("family", [1, 8])
def test_failing_takes_about_as_many_as_the_exact_search_finds(flips, change, family):
    found = to_fail(flips, change, margin=0.1, level=0.05 / family, power=0.8)
    exact = prompts_to_decide(flips, 100 * change, family=family)
    assert found == pytest.approx(exact, rel=0.25)
