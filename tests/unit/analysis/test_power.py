from itertools import product
from math import comb, factorial
from statistics import NormalDist
from time import perf_counter

import pytest
from scipy.stats import binom

from alignment.analysis import power as planning
from alignment.analysis.binomial import at_least, likely, point
from alignment.analysis.decision_rule import GateRule, outcome_of
from alignment.analysis.paired import mcnemar, tango
from alignment.analysis.power import detectable, plan_line, power, prompts_needed, prompts_to_decide
from alignment.records.decisions import Change

SETTINGS = [(0.18, 0.0, 1), (0.18, 18.0, 2), (0.5, 15.0, 4), (1.0, 30.0, 1), (0.4, -10.0, 2)]


def word(lost, gained, total, rule, family=1):
    """The gate's own word on a table whose p-value is the first in Holm's order."""
    worse = mcnemar(lost, gained, midp=True)[0]
    change = Change(
        name="r",
        total=total,
        before=50.0,
        after=50.0,
        lost=lost,
        gained=gained,
        difference=100 * (gained - lost) / total,
        interval=tango(lost, gained, total, rule.confidence),
        p_worse=worse,
        p_exact=1.0,
        clustered=False,
    )
    return outcome_of(change, min(1.0, family * worse), rule)


def every_table(total, flips, drop):
    """All tables of `total` prompts with their multinomial probabilities."""
    losing, gaining = (flips + drop / 100) / 2, (flips - drop / 100) / 2
    for lost, gained in product(range(total + 1), repeat=2):
        same = total - lost - gained
        if same >= 0:
            ways = factorial(total) // (factorial(lost) * factorial(gained) * factorial(same))
            yield lost, gained, ways * losing**lost * gaining**gained * (1 - flips) ** same


@pytest.mark.parametrize(("flips", "drop", "family"), SETTINGS)
@pytest.mark.parametrize(("total", "margin"), [(7, 10.0), (20, 10.0), (33, 5.0), (20, 0.0)])
def test_power_is_what_enumeration_gives(total, margin, flips, drop, family):
    rule = GateRule("r", margin)
    expected = sum(
        weight
        for lost, gained, weight in every_table(total, flips, drop)
        if word(lost, gained, total, rule, family) == "fail"
    )
    assert power(total, flips, drop, margin=margin, family=family) == pytest.approx(
        expected, abs=1e-12
    )


@pytest.mark.parametrize("confidence", [0.3, 0.8, 0.99])
def test_power_follows_the_confidence(confidence):
    rule = GateRule("r", 4.0, confidence)
    expected = sum(
        weight
        for lost, gained, weight in every_table(15, 0.4, 20)
        if word(lost, gained, 15, rule) == "fail"
    )
    found = power(15, 0.4, 20, margin=4, confidence=confidence)
    assert found == pytest.approx(expected, abs=1e-12)


def test_power_agrees_with_simulation():
    import numpy as np

    draws = np.random.default_rng(0).multinomial(100, [0.25, 0.1, 0.65], size=4000)
    rule = GateRule("r")
    seen = np.mean([word(int(a), int(b), 100, rule, 4) == "fail" for a, b, _ in draws])
    expected = power(100, 0.35, 15, family=4)
    assert abs(seen - expected) < 4 * (expected * (1 - expected) / 4000) ** 0.5


@pytest.mark.parametrize(("total", "flips"), [(50, 0.3), (100, 0.2), (100, 1.0), (500, 0.18)])
def test_power_rises_with_the_drop_and_falls_with_the_family(total, flips):
    drops = [100 * flips * step / 20 for step in range(21)]
    found = [power(total, flips, drop, family=2) for drop in drops]
    assert found == sorted(found)
    assert 0 <= found[0] <= 0.03  # the level is 0.025, which mid-p may miss by a little
    assert found[-1] <= 1
    assert all(power(total, flips, drop, family=8) <= power(total, flips, drop) for drop in drops)


def test_the_limit_on_losses_is_the_gates():
    # Walking from one number of flips to the next must not miss a limit, at any size.
    for total, family, margin in [(60, 1, 10.0), (60, 8, 3.0), (150, 4, 10.0)]:
        rule = GateRule("r", margin)
        for cell in planning._cells(total, 0.5, margin, 0.95, family):
            failing = [
                lost
                for lost in range(cell.flipped + 1)
                if word(lost, cell.flipped - lost, total, rule, family) == "fail"
            ]
            assert failing == list(range(cell.least, cell.flipped + 1))


def test_what_has_not_flipped_is_never_found():
    assert power(100, 0.0, 0.0) == 0
    assert power(100, 0.0, 0.0, margin=0, confidence=0.3) == 0
    assert detectable(100, 0.0) is None


@pytest.mark.parametrize(("total", "flips"), [(50, 0.4), (100, 0.18), (200, 0.9), (500, 0.12)])
@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.95])
def test_detectable_inverts_power(total, flips, wanted):
    drop = detectable(total, flips, power=wanted, family=2)
    if drop is None:
        assert power(total, flips, 100 * flips, family=2) < wanted
    else:
        assert power(total, flips, drop, family=2) >= wanted
        assert power(total, flips, max(0.0, drop - 0.011), family=2) < wanted


def test_a_drop_that_asks_for_more_flips_is_not_detectable():
    assert detectable(100, 0.05) is None
    assert detectable(100, 0.2) is not None


def test_no_drop_at_all_is_detectable_with_little_power():
    assert detectable(100, 0.3, power=0.001) == 0.0


# -- how many prompts ------------------------------------------------------------------------------


def passing(total, flips, margin):
    """The probability that the interval lies above the margin, with the gate's own interval."""
    return sum(
        weight
        for lost, gained, weight in every_table(total, flips, 0)
        if tango(lost, gained, total, 0.95).low > -margin
    )


@pytest.mark.parametrize(("flips", "margin"), [(0.05, 20.0), (0.2, 25.0), (0.0, 10.0)])
def test_prompts_needed_is_where_the_gate_passes_often_enough(flips, margin):
    found = prompts_needed(flips, margin=margin)
    assert found is not None
    assert passing(found, flips, margin) >= 0.8 > passing(found - 1, flips, margin)


def test_all_comparisons_of_a_family_have_to_pass():
    found = prompts_needed(0.1, margin=25, family=4)
    assert passing(found, 0.1, 25) ** 4 >= 0.8 > passing(found - 1, 0.1, 25) ** 4


def test_the_score_statistic_is_tangos_interval():
    z = NormalDist().inv_cdf(0.975)
    for total, margin in [(12, 10.0), (40, 10.0), (40, 2.5)]:
        for lost, gained in product(range(total + 1), repeat=2):
            if lost + gained <= total:
                clears = planning._clears(lost, gained, total, margin / 100, z)
                assert clears == (tango(lost, gained, total, 0.95).low > -margin)


def test_more_noise_and_narrower_margins_need_more_prompts():
    by_noise = [prompts_needed(flips) for flips in (0, 0.02, 0.1, 0.3, 0.6, 1.0)]
    assert by_noise == sorted(by_noise)
    assert prompts_needed(0.1, margin=5) > prompts_needed(0.1)
    # Close to what the normal approximation says: (1.96 + 0.84)^2 * 0.18 / 0.1^2.
    assert prompts_needed(0.18) == pytest.approx(141, rel=0.12)


def test_a_margin_of_nothing_needs_no_number():
    assert prompts_needed(0.2, margin=0) is None
    assert prompts_needed(0.5, margin=0.5) is None


# -- binomials and the sentence --------------------------------------------------------------------


@pytest.mark.parametrize(("count", "chance"), [(1, 0.5), (40, 0.02), (40, 1.0), (900, 0.7)])
def test_tails_agree_with_scipy(count, chance):
    for least in range(-1, count + 2):
        expected = binom.sf(least - 1, count, chance)
        assert at_least(least, count, chance) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize(
    ("count", "chance"), [(5, 0.0), (5, 1.0), (100, 0.01), (5000, 0.3), (100_000, 0.5)]
)
def test_likely_outcomes_are_all_but_the_rarest(count, chance):
    found = dict(likely(count, chance))
    assert sum(found.values()) == pytest.approx(1, abs=1e-9)
    assert binom.cdf(min(found) - 1, count, chance) < 1e-15
    assert binom.sf(max(found), count, chance) < 1e-15


def test_a_point_is_a_binomial_probability():
    assert point(3, 10, 0.25) == pytest.approx(comb(10, 3) * 0.25**3 * 0.75**7)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            (100, 0.18, 10.0, 0.95, 4),
            (
                "with 100 prompts per axis and 18 % of verdicts flipping: 80 % power to detect a"
                " drop of 13.1 points; a margin of 10 points needs 241 prompts"
            ),
        ),
        (
            (100, 0.05, 10.0, 0.95, 2),
            (
                "with 100 prompts per axis and 5 % of verdicts flipping: no drop can be detected"
                " with 80 % power, as it would flip more verdicts; a margin of 10 points needs 84"
                " prompts"
            ),
        ),
        (
            (50, 1.0, 0.0, 0.95, 1),
            (
                "with 50 prompts per axis and 100 % of verdicts flipping: 80 % power to detect a"
                " drop of 33.2 points; no number of prompts is enough for a margin of 0 points"
            ),
        ),
    ],
)
def test_the_plan_is_a_sentence(arguments, line):
    assert plan_line(*arguments) == line


def test_a_plan_for_measured_flips_says_so():
    told = plan_line(100, 0.15, 10.0, 0.95, 2, measured=0.0)
    assert told.startswith("with 100 prompts per axis and 15 % of verdicts flipping: ")
    assert told.endswith("needs 35 prompts if 0 % flip, as measured in this run")


@pytest.mark.parametrize(
    ("flips", "change", "family"),
    [(0.1, -4.0, 1), (0.3, 2.0, 1), (0.3, -18.0, 1), (0.4, -25.0, 8), (0.0, 0.0, 1)],
)
def test_so_many_prompts_decide(flips, change, family):
    rule = GateRule("r", 15.0)
    number = prompts_to_decide(flips, change, margin=15.0, family=family)
    wanted = "pass" if change > -15 else "fail"

    def chance(total):
        if wanted == "fail":
            return power(total, flips, -change, margin=15.0, family=family)
        return sum(
            weight
            for lost, gained, weight in every_table(total, flips, -change)
            if word(lost, gained, total, rule) == "pass"
        )

    assert chance(number) >= 0.8 - 1e-12
    assert chance(max(1, number // 2)) < 0.8


def test_no_number_decides_a_change_of_the_margin():
    assert prompts_to_decide(0.3, -10.0) is None
    with pytest.raises(ValueError, match="cannot change a rate"):
        prompts_to_decide(0.1, -20.0)


def test_a_plan_is_made_quickly():
    # 5 ms and 30 ms where this was written; the limits leave room for a busy machine.
    for total, flips, limit in [(100, 0.18, 0.25), (500, 0.5, 1.0)]:
        start = perf_counter()
        plan_line(total, flips, 10.0, 0.95, 8)
        assert perf_counter() - start < limit


@pytest.mark.parametrize(
    "refused",
    [
        lambda: power(100, 0.1, 10.1),
        lambda: power(0, 0.1, 5),
        lambda: power(10, 1.5, 5),
        lambda: power(10, float("nan"), 0),
        lambda: power(10, 0.1, float("nan")),
        lambda: power(10, 0.1, 5, margin=-1),
        lambda: power(10, 0.1, 5, family=0),
        lambda: power(10, 0.1, 5, confidence=1),
        lambda: detectable(10, 0.1, power=1),
        lambda: prompts_needed(-0.1),
        lambda: plan_line(0, 0.1),
    ],
)
def test_what_is_out_of_range_is_refused(refused):
    with pytest.raises(ValueError):
        refused()
