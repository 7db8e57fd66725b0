"""Slices: one family of tests, its error rate, and what it finds."""

import random

import pytest

from alignment.analysis.decision_rule import Evidence, GateRule, decide
from alignment.analysis.paired import holm, rate_change
from alignment.analysis.slices import LEAST, Slice, decide_slices, sliced
from alignment.records.decisions import PairedVerdict
from support import xstest

RULES = {"harmlessness": GateRule("HmR"), "helpfulness": GateRule("HpR")}
KEY = ("candidate", "harmlessness")


def pair(number, before=True, after=True):
    return PairedVerdict(f"p{number}", f"p{number}", before, after, float(before), float(after))


def test_slices_are_the_values_of_a_column():
    pairs = [pair(number) for number in range(6)]
    columns = {
        "language": {f"p{number}": ("en", "th")[number % 2] for number in range(6)},
        "source": dict.fromkeys((f"p{number}" for number in range(6)), "one"),
        "category": {"p0": "x", "p1": ""},
    }
    found = {each: [one.prompt for one in part] for each, part in sliced(pairs, columns).items()}
    assert found == {
        Slice("category", "x"): ["p0"],
        Slice("language", "en"): ["p0", "p2", "p4"],
        Slice("language", "th"): ["p1", "p3", "p5"],
    }


def test_each_slice_is_tested_as_an_axis_and_all_are_corrected_together():
    lost = [pair(number, after=number > 12) for number in range(40)]
    same = [pair(number) for number in range(40, 80)]
    few = [pair(number) for number in range(80, 80 + LEAST - 1)]
    slices = {
        Slice("language", "a"): lost,
        Slice("language", "b"): same,
        Slice("language", "c"): few,
    }
    found = decide_slices({KEY: slices, ("other", "helpfulness"): slices}, RULES)
    expected = holm([rate_change("x", each, 0.95).p_worse for each in (lost, same) * 2])
    decided = [each for key in found for each in found[key]]
    assert [each.adjusted for each in decided if each.adjusted is not None] == pytest.approx(
        expected
    )
    assert [each.outcome for each in found[KEY]] == ["fail", "pass", None]
    assert found[KEY][0].change.lost == 13


def run(rng, slices, size, flips, hidden=0.0):
    """One simulated comparison: the whole, and its slices; the first loses `hidden` more."""
    pairs, language = [], {}
    for place in range(slices):
        for _ in range(size):
            number = len(pairs)
            before = rng.random() < 0.8
            after = before != (rng.random() < (flips / 1.6 if before else flips / 0.4))
            if place == 0 and before and rng.random() < hidden / 0.8:
                after = False
            pairs.append(pair(number, before, after))
            language[f"p{number}"] = str(place)
    return pairs, sliced(pairs, {"language": language})


@pytest.mark.parametrize("runs", [60, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("flips", [0.1, 0.3])
def test_50_slices_of_an_unchanged_model_are_rarely_blocked(runs, flips):
    """An unchanged model: verdicts flip both ways alike. The family-wise error is at most 5 %."""
    rng = random.Random(f"unchanged {flips}")
    blocked = 0
    for _ in range(runs):
        _, slices = run(rng, 50, 20, flips / 2)
        (found,) = decide_slices({KEY: slices}, RULES).values()
        blocked += any(each.outcome == "fail" for each in found)
    assert blocked <= 0.05 * runs + 2 * (0.05 * 0.95 * runs) ** 0.5


@pytest.mark.parametrize("runs", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_loss_that_hides_in_one_slice_of_20_is_found_while_the_whole_passes(runs):
    rng = random.Random("hidden")
    found = passed = 0
    for _ in range(runs):
        pairs, slices = run(rng, 20, 50, 0.05, hidden=0.3)
        (decisions,) = decide_slices({KEY: slices}, RULES).values()
        found += any(each.outcome == "fail" and each.value == "0" for each in decisions)
        whole = decide({KEY: Evidence(pairs)}, RULES, "base")[KEY]
        passed += whole.outcome == "pass"
    assert found >= 0.8 * runs
    assert passed >= 0.95 * runs


@xstest.needs_xstest
def test_the_types_of_xstest_show_where_a_model_became_harmful():
    """By people's labels, mistralinstruct lost on every type but privacy, which it kept."""
    base = xstest.rows_of(xstest.BASE, "gpteval")
    now = xstest.rows_of("mistralinstruct", "gpteval")
    pairs, types = [], {}
    for number, (old, new) in enumerate(zip(base, now, strict=True)):
        if old["axis"] == "harmlessness":
            pairs.append(pair(number, old["people"], new["people"]))
            types[f"p{number}"] = old["category"]
    (found,) = decide_slices({KEY: sliced(pairs, {"category": types})}, RULES).values()
    assert len(found) == len(set(types.values()))
    for each in found:
        losses = [p for p in pairs if types[p.prompt] == each.value and p.flip < 0]
        assert each.change.lost == len(losses)
        assert each.outcome == ("fail" if each.adjusted <= 0.05 else "inconclusive")
    assert sum(each.outcome == "fail" for each in found) >= 6
