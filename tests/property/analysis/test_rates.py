import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignment.analysis.degenerate import KINDS, kind
from alignment.analysis.judging import agreement, trial
from alignment.analysis.rates import combined, relative_change, share, wilson
from alignment.analysis.scores import summarise

CONFIDENCE = st.floats(0.01, 0.9999)
COUNTS = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
SCORES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


@given(COUNTS, CONFIDENCE)
def test_an_interval_contains_its_rate_and_stays_on_the_scale(counts, confidence):
    passed, total = counts
    found = wilson(passed, total, confidence)
    assert 0 <= found.low <= 100 * passed / total <= found.high <= 100


@given(COUNTS, CONFIDENCE)
def test_swapping_pass_and_fail_mirrors_the_interval(counts, confidence):
    passed, total = counts
    found, mirrored = wilson(passed, total, confidence), wilson(total - passed, total, confidence)
    assert found.low == pytest.approx(100 - mirrored.high, abs=1e-9)
    assert found.high == pytest.approx(100 - mirrored.low, abs=1e-9)


@given(COUNTS.filter(lambda counts: counts[0] < counts[1]), CONFIDENCE)
def test_one_more_pass_moves_both_ends_up(counts, confidence):
    passed, total = counts
    less, more = wilson(passed, total, confidence), wilson(passed + 1, total, confidence)
    assert less.low < more.low
    assert less.high < more.high


@given(COUNTS, st.tuples(CONFIDENCE, CONFIDENCE).map(sorted))
def test_more_confidence_is_never_narrower(counts, confidences):
    narrow, wide = (wilson(*counts, confidence) for confidence in confidences)
    assert wide.low <= narrow.low + 1e-9
    assert wide.high >= narrow.high - 1e-9


@given(COUNTS, st.integers(1, 6))
def test_cas_of_equal_rates_is_that_rate_and_narrower_by_the_root_of_their_number(counts, k):
    single = share("r", *counts, 0.95)
    found = combined([single] * k)
    assert found.percent == pytest.approx(single.percent)
    below, above = (
        (each.percent - each.interval.low, each.interval.high - each.percent)
        for each in (single, found)
    )
    assert above == pytest.approx([side / math.sqrt(k) for side in below], abs=1e-9)


@given(st.lists(COUNTS, min_size=1, max_size=5))
def test_cas_lies_in_its_interval_on_the_scale_whatever_the_order(counts):
    rates = [share("r", *each, 0.95) for each in counts]
    found = combined(rates)
    assert 0 <= found.interval.low <= found.percent <= found.interval.high <= 100 + 1e-9
    assert combined(rates[::-1]).percent == pytest.approx(found.percent)


@given(st.floats(0, 100), st.floats(0.01, 100))
def test_relative_change_can_be_undone(value, base):
    assert base * (1 + relative_change(value, base) / 100) == pytest.approx(value, abs=1e-9)


@given(SCORES)
def test_summaries_are_ordered_and_within_the_scores(values):
    found = summarise(values)
    slack = 1e-9 * max(map(abs, values), default=0)
    ordered = [min(values), found.q1, found.median, found.q3, max(values)]
    assert all(low <= high + slack for low, high in pairwise(ordered))
    assert min(values) - slack <= found.mean <= max(values) + slack
    assert 0 <= found.sd <= max(values) - min(values) + slack


@given(SCORES, st.randoms(use_true_random=False))
def test_summaries_do_not_depend_on_order(values, random):
    shuffled = random.sample(values, len(values))
    assert summarise(shuffled) == summarise(values)


@given(st.text(), st.text())
def test_any_text_has_one_kind_or_none(prompt, response):
    assert kind(prompt, response) in {None, *KINDS}


@given(st.text(st.characters(categories=["Z", "P", "S"]), max_size=30))
def test_text_without_letters_is_never_an_answer(response):
    assert kind("Human: why?", response) in {"empty", "symbols"}


@given(st.text("ab ", min_size=1), st.integers(10, 40))
def test_a_loop_is_never_an_answer(unit, times):
    assert kind("", f"{unit} " * times) in {"empty", "repetition"}


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=50))
def test_swapping_chosen_and_rejected_mirrors_the_accuracy(pairs):
    chosen, rejected = zip(*pairs, strict=True)
    ones = [1] * len(pairs)
    a, b = (
        trial(
            "x", *scores, chosen_lengths=ones, rejected_lengths=ones, degenerate={}, confidence=0.9
        )
        for scores in ((chosen, rejected), (rejected, chosen))
    )
    assert a.accuracy.percent == pytest.approx(100 - b.accuracy.percent)
    assert not (a.informative and b.informative)
    assert a.longer.percent == 50


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_kappa_is_symmetric_and_at_most_one(pairs):
    found = agreement("x", pairs, 0.95)
    swapped = agreement("x", [(b, a) for a, b in pairs], 0.95)
    assert swapped.rate == found.rate
    if found.kappa is None:
        assert swapped.kappa is None
    else:
        assert swapped.kappa == pytest.approx(found.kappa)
        assert -1 <= found.kappa <= 1
        assert (found.kappa == 1) == (found.rate.percent == 100)
