"""The gate on few prompts and few dialogues: its error rates, through its own decisions.

The default run has a part of the study that fails on a gate without the rules for small evidence;
`-m slow` has all of it.
"""

from math import comb

import numpy as np
import pytest

from alignment.analysis.decision_rule import GateRule
from alignment.analysis.simulation_tables import size_tables
from alignment.analysis.size_study import (
    LAYOUTS,
    TOTALS,
    _draw,
    _rerun,
    false_blocks,
    false_passes,
    worst_of,
)

PASS_LIMIT, BLOCK_LIMIT = 5.5, 5.0
"""The targets, in % of runs."""


def single(total):
    return {f"{total} single": (1,) * total}


def exceeding(rows, limit):
    """Rows whose interval is above the limit: chance does not explain them."""
    return [row for row in rows if row.wrong.interval.low > limit]


@pytest.mark.parametrize("name", ["3 x 33", "5 x 20", "20 x 5", "13 unequal"])
def test_few_dialogues_do_not_pass_a_loss_of_the_margin(name):
    found = false_passes({name: LAYOUTS[name]}, runs=100, flips=(0.1, 0.3), correlations=(0.3, 0.9))
    assert exceeding(found, PASS_LIMIT) == []


@pytest.mark.parametrize("total", [1, 5, 20, 34])
def test_few_prompts_do_not_pass_a_loss_of_the_margin(total):
    assert exceeding(false_passes(single(total), runs=200), PASS_LIMIT) == []


@pytest.mark.parametrize("anchor", [False, True])
def test_an_unchanged_model_is_seldom_blocked(anchor):
    layouts = {"5 x 20": LAYOUTS["5 x 20"], **single(50)}
    found = false_blocks(
        layouts, runs=150, flips=(0.45,), correlations=(0.0, 0.6), rates=(2,), anchors=(anchor,)
    )
    assert exceeding(found, BLOCK_LIMIT) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LAYOUTS, *TOTALS])
@pytest.mark.parametrize("margin", [5.0, 10.0, 20.0])
def test_no_size_passes_a_loss_of_the_margin(name, margin):
    layouts = single(name) if isinstance(name, int) else {name: LAYOUTS[name]}
    flips = sorted({margin / 100, 0.1, 0.2, 0.3, 0.45})
    found = false_passes(layouts, runs=1000, flips=flips, rule=GateRule("r", margin))
    assert exceeding(found, PASS_LIMIT) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LAYOUTS, *TOTALS])
def test_no_size_blocks_an_unchanged_model(name):
    layouts = single(name) if isinstance(name, int) else {name: LAYOUTS[name]}
    found = false_blocks(layouts, runs=300, correlations=(0.0, 0.3, 0.9))
    assert exceeding(found, BLOCK_LIMIT) == []


# -- the study itself ------------------------------------------------------------------------------


@pytest.mark.parametrize("alike", ["copied", "mixed", "rare"])
@pytest.mark.parametrize("correlation", [0.2, 0.8])
def test_draws_have_the_change_and_the_flips_that_are_asked_for(alike, correlation):
    drawn = _draw((4,) * 50, 0.3, 0.1, alike, correlation, 4000, np.random.default_rng(1))
    assert drawn.shape == (4000, 200)
    assert drawn.mean() == pytest.approx(-0.1, abs=0.005)
    assert np.abs(drawn).mean() == pytest.approx(0.3, abs=0.006)


@pytest.mark.parametrize("alike", ["copied", "mixed"])
@pytest.mark.parametrize("correlation", [0.2, 0.8])
def test_verdicts_of_a_dialogue_are_correlated_as_asked(alike, correlation):
    drawn = _draw((2,) * 50, 0.3, 0.1, alike, correlation, 4000, np.random.default_rng(1))
    first, second = drawn[:, ::2].ravel(), drawn[:, 1::2].ravel()
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(correlation, abs=0.02)
    apart = np.corrcoef(drawn[:, 1], drawn[:, 2])[0, 1]
    assert abs(apart) < 0.06


def test_runs_of_one_model_differ_by_the_flips_that_are_asked_for():
    passed = _rerun((2,) * 50, 0.3, 0.4, (2000, 2, 3), np.random.default_rng(1))
    assert passed.shape == (2000, 2, 3, 100)
    flips = passed[:, :, 2] - passed[:, :, 1]
    assert np.abs(flips).mean() == pytest.approx(0.3, abs=0.006)
    assert flips.mean() == pytest.approx(0, abs=0.006)


def test_a_row_is_the_same_whatever_else_is_simulated():
    settings = {"runs": 40, "correlations": (0.3,)}
    (alone,) = [
        row
        for row in false_passes({"5 x 20": LAYOUTS["5 x 20"]}, flips=(0.45,), **settings)
        if row.alike == "copied"
    ]
    both = {name: LAYOUTS[name] for name in ("3 x 33", "5 x 20")}
    assert alone in list(false_passes(both, flips=(0.3, 0.45), **settings))


def test_the_share_of_passes_is_the_exact_one():
    # 35 prompts that can only be lost: Tango's interval passes without a loss, and not with one.
    (row,) = false_passes(single(35), runs=4000, flips=(0.1,))
    exact = 100 * comb(35, 0) * 0.9**35
    assert row.wrong.interval.low < exact < row.wrong.interval.high


def test_shares_of_flips_below_the_margin_are_left_out():
    rule = GateRule("r", 20.0)
    assert {row.flips for row in false_passes(single(5), runs=2, rule=rule)} == {0.2, 0.3, 0.45}


def test_the_tables_have_the_worst_row_of_every_layout():
    layouts = {name: LAYOUTS[name] for name in ("3 x 33", "50 x 2")}
    passes = list(false_passes(layouts, runs=20, correlations=(0.0, 0.9)))
    blocks = list(false_blocks(single(10), runs=5))
    told = size_tables(worst_of(iter(passes)), worst_of(iter(blocks)))
    worst = max(row.wrong.percent for row in passes if row.layout == "50 x 2")
    (line,) = [line for line in told.splitlines() if line.startswith("| 50 x 2 |")]
    assert f"| {worst:.1f} [" in line
    assert [line.split(" | ")[4:6] for line in told.splitlines() if "10 single" in line] == [
        ["2", "no"],
        ["2", "yes"],
        ["8", "no"],
        ["8", "yes"],
    ]
