import numpy as np
import pytest

from alignment.analysis import simulation
from alignment.analysis.decision_rule import Evidence, GateRule, decide
from alignment.analysis.paired import holm
from alignment.analysis.power import power
from alignment.analysis.simulation import (
    DISCORDANCE,
    RULES,
    TOTALS,
    VARIANTS,
    Setting,
    simulate,
)
from alignment.analysis.simulation_tables import headline, table
from alignment.config.axes import AxisGate
from alignment.records.decisions import OUTCOMES, PairedVerdict

RUNS = 600


@pytest.fixture(scope="module")
def rows():
    return simulate(RUNS, seed=1)


def of(rows, trial, rule="gate", **wanted):
    """Rows of one trial and rule, with these values in their setting."""
    return [
        row
        for row in rows
        if (row.trial, row.rule) == (trial, rule)
        and all(getattr(row.at, name) == value for name, value in wanted.items())
    ]


# -- what the gate promises ------------------------------------------------------------------------


def test_an_unchanged_model_is_blocked_in_at_most_one_run_of_twenty(rows):
    found = of(rows, "no change")
    assert len(found) == 4 * len(TOTALS) * len(VARIANTS)
    assert [row for row in found if row.blocked.interval.low > 5] == []


def test_a_drop_of_the_margin_passes_in_at_most_one_run_of_twenty(rows):
    found = of(rows, "at the margin")
    assert len(found) == len(DISCORDANCE) * len(TOTALS) * len(VARIANTS)
    assert [row for row in found if row.passed.interval.low > 5] == []


def test_a_drop_of_twenty_points_is_found_with_a_hundred_prompts(rows):
    found = of(rows, "detection", total=100, drop=20.0)
    asked = [row for row in found if row.at.flips <= (0.4 if row.at.variants == 1 else 0.3)]
    assert len(asked) == 5
    assert [row for row in asked if row.blocked.interval.high < 90] == []


def test_the_other_rules_do_not_hold_what_the_gate_does(rows):
    # A bare threshold blocks unchanged models, and the unpaired test passes a drop of the margin.
    noisy = of(rows, "no change", "threshold", total=50, variants=4, flips=0.3)
    assert noisy[0].blocked.interval.low > 40
    assert any(row.passed.interval.low > 50 for row in of(rows, "at the margin", "significance"))


def test_detection_is_the_power_worked_out_without_simulation(rows):
    # Of one comparison alone, first of eight in Holm's order: the others can only add to it, here
    # less than what they add at the full level.
    for row in of(rows, "detection", variants=4, drop=20.0):
        least = 100 * power(row.at.total, row.at.flips, 20.0, family=8)
        assert row.blocked.interval.high + 1.5 > least
        assert row.blocked.interval.low - 7 < least


# -- the simulation itself -------------------------------------------------------------------------


def test_every_row_accounts_for_every_run(rows):
    for row in rows:
        shares = (row.blocked, row.inconclusive, row.passed)
        assert sum(share.passed for share in shares) == RUNS
        assert row.at.drop <= 100 * row.at.flips or row.trial == "no change"
        assert row.rule == "gate" or row.inconclusive.passed == 0


def test_all_rules_judge_the_same_settings(rows):
    kinds = [[(row.trial, row.at) for row in rows if row.rule == rule] for rule in RULES]
    assert kinds[0] == kinds[1] == kinds[2]
    assert len(set(kinds[0])) == len(kinds[0])


def test_a_seed_gives_the_same_rows_and_another_one_others(rows):
    again = simulate(RUNS, seed=1, totals=(50,), variants=(1,))
    assert again == [row for row in rows if (row.at.total, row.at.variants) == (50, 1)]
    assert simulate(RUNS, seed=2, totals=(50,), variants=(1,)) != again


@pytest.mark.parametrize("at", [Setting(50, 2, 0.3, 15.0), Setting(30, 1, 0.4, 40.0)])
def test_outcomes_are_those_of_decide(at):
    rule = GateRule("r")
    lost, gained = simulation._draw(at, 40, 3)
    words = simulation._gate(lost, gained, at.total, rule)
    assert len({OUTCOMES[word] for word in words.flat}) == 3
    for run in range(40):
        evidence = {
            (str(place), "axis"): Evidence(
                pairs(int(lost[run, place]), int(gained[run, place]), at.total)
            )
            for place in range(lost.shape[1])
        }
        decided = decide(evidence, {"axis": rule}, "baseline")
        assert [OUTCOMES[word] for word in words[run]] == [d.own for d in decided.values()]


def pairs(lost, gained, total):
    """Paired verdicts with so many flips, each prompt a dialogue of its own."""
    kinds = [(True, False)] * lost + [(False, True)] * gained
    kinds += [(True, True)] * (total - len(kinds))
    return [
        PairedVerdict(str(i), str(i), before, after, 0.0, 0.0)
        for i, (before, after) in enumerate(kinds)
    ]


def test_flips_and_drop_are_those_asked_for():
    lost, gained = simulation._draw(Setting(500, 2, 0.3, 15.0), 2000, 0)
    assert lost.shape == gained.shape == (2000, 4)
    assert (lost + gained).mean() / 500 == pytest.approx(0.3, abs=0.002)
    falls = (lost - gained).mean(axis=0) / 5
    assert falls == pytest.approx([15, 0, 0, 0], abs=0.3)


def test_holm_of_many_rows_is_holm_of_each():
    chance = np.random.default_rng(0)
    p_values = chance.random((300, 8)) ** 3
    p_values[::3] = p_values[::3].round(1)  # ties
    found = simulation._holm(p_values)
    assert found.tolist() == [holm(row) for row in p_values.tolist()]


def test_the_unpaired_test_is_the_textbooks():
    # 25 of 50 before and 16 after: pooled 0.41, z = 0.18 / sqrt(0.41 * 0.59 * 2 / 50) = 1.83.
    lost, gained = np.array([[9, 8, 45]]), np.array([[0, 0, 0]])
    found = simulation._others(lost, gained, 50, GateRule("r"))
    assert [OUTCOMES[word] for word in found["significance"][0]] == ["fail", "pass", "fail"]
    lost = np.array([[5, 4, 30]])
    found = simulation._others(lost, np.array([[0, 0, 26]]), 50, GateRule("r"))
    assert [OUTCOMES[word] for word in found["threshold"][0]] == ["fail", "pass", "pass"]


def test_another_margin_is_tried_at_that_margin():
    found = simulate(20, totals=(50,), variants=(1,), rule=GateRule("r", margin=7.5))
    assert {row.at.drop for row in found if row.trial == "at the margin"} == {7.5}
    assert 7.5 not in {row.at.drop for row in found if row.trial == "detection"}


@pytest.mark.parametrize("refused", [{"runs": 0}, {"totals": (0,)}, {"variants": (1, 0)}])
def test_nothing_cannot_be_simulated(refused):
    with pytest.raises(ValueError, match="at least 1"):
        simulate(**{"runs": 2, **refused})


# -- what is told ----------------------------------------------------------------------------------


def test_tables_have_a_line_for_every_setting(rows):
    found = table(rows)
    assert found.count("### ") == 3
    assert found.count("\n| ") == 3 * 2 + len(rows) // len(RULES)
    assert {line.count("|") for line in found.splitlines() if "|" in line} == {10}
    assert table([]) == ""


def test_every_table_says_what_merges_with_its_exit_status(rows):
    found = table(rows)
    words = "blocks (exit 1) | asks for a look (exit 0) | may merge (exit 0)"
    assert found.count(words) == 3
    assert found.count("| threshold blocks | significance blocks |") == 2
    assert found.count("| threshold may merge | significance may merge |") == 1
    assert found.count('`inconclusive = "fail"`') == 1
    (row,) = of(rows, "detection", total=100, variants=1, flips=0.4, drop=20.0)
    shares = [f"{each.percent:.1f} [" for each in (row.blocked, row.inconclusive, row.passed)]
    (line,) = [each for each in found.splitlines() if each.startswith("| 100 | 1 | 40 % | 20 |")]
    cells = line.split(" | ")[4:7]
    assert all(cell.startswith(share) for cell, share in zip(cells, shares, strict=True))


def test_the_exit_status_is_the_one_of_a_gated_run():
    """`blocks` is `fail`, which ends a run with 1; the others end it with 0 by default."""
    assert AxisGate().inconclusive == "warn"


def test_the_headline_is_the_worst_block_and_the_asked_detection(rows):
    found = headline(rows)
    quiet = of(rows, "no change")
    assert found.false_block.blocked.percent == max(row.blocked.percent for row in quiet)
    assert found.detection.at == Setting(100, 1, 0.4, 20.0)
    assert "a drop of 20 points is detected in" in found.sentence
    assert "% and may merge in 0." in found.sentence
    assert "(100 prompts per axis, gated variants: 1, 40 % of verdicts flipping)" in found.sentence


def test_a_headline_needs_its_rows(rows):
    with pytest.raises(ValueError, match="headline"):
        headline([row for row in rows if row.at.total != 100])
