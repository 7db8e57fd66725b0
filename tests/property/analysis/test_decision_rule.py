"""What must hold of the gate for any verdicts, any family of comparisons and any order."""

import math
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alignment.analysis.clusters import design_effect
from alignment.analysis.decision_rule import Evidence, GateRule, decide
from alignment.analysis.paired import holm, mcnemar, rate_change, sign_flip, tango
from alignment.analysis.shifts import combined_shift, mean_shift
from alignment.records.decisions import OUTCOMES, PairedVerdict

CONFIDENCE = st.floats(0.01, 0.9999)
P_VALUES = st.lists(st.floats(0, 1), max_size=12)
SCORE = st.integers(-40, 40).map(lambda quarter: quarter / 4)
FLIPS = [[0], [0, 0, 0, -1, 1], [0, 0, -1], [0, -1, -1, -1], [-1, 0, 1]]
"""Of which the flips of one comparison are drawn: runs that are alike, and runs that are not."""


KINDS = st.sampled_from([(), (), (None, "empty"), ("runaway", "runaway"), ("echo", None)])
"""How a prompt's responses, before and after, are degenerate."""


@st.composite
def paired(draw, flips=FLIPS):
    """Up to 30 paired verdicts; every prompt is its own dialogue, or shares one of a few."""
    of = draw(st.sampled_from(flips))
    dialogues = draw(st.sampled_from([None, 1, 2, 6]))
    rows = draw(st.lists(st.tuples(st.sampled_from(of), SCORE, SCORE), min_size=1, max_size=30))
    return [
        PairedVerdict(
            f"p{number}",
            f"d{number % dialogues if dialogues else number}",
            flip < 0 or (flip == 0 and before > 0),
            flip > 0 or (flip == 0 and before > 0),
            before,
            after,
            *draw(KINDS),
        )
        for number, (flip, before, after) in enumerate(rows)
    ]


RULES = {"harm": GateRule("HmR", 10.0), "help": GateRule("HpR", 30.0, 0.9)}
KEYS = st.tuples(st.sampled_from(["base", "dpo", "both"]), st.sampled_from(sorted(RULES)))
EVIDENCE = st.builds(
    Evidence,
    paired(),
    st.sampled_from([(), (), (), ("The prompts differ.",)]),
    st.sampled_from([True, True, True, False]),
    st.sampled_from([False, False, True]),
)
FAMILY = st.dictionaries(KEYS, EVIDENCE, min_size=1, max_size=6)
COUNTS = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 200)).filter(any)
"""lost, gained and kept."""


def swapped(pairs):
    """Before for after."""
    return [
        PairedVerdict(p.prompt, p.cluster, p.after, p.before, p.score_after, p.score_before)
        for p in pairs
    ]


def copied(pairs, times):
    """As many prompts in as many dialogues again, answered alike."""
    return [
        replace(pair, prompt=f"{pair.prompt}-{n}", cluster=f"{pair.cluster}-{n}")
        for n in range(times)
        for pair in pairs
    ]


def numbers(found):
    interval = found.change.interval
    return [
        interval.low,
        interval.high,
        found.change.difference,
        found.change.p_worse,
        found.change.p_exact,
        found.adjusted,
    ]


# -- decisions ---------------------------------------------------------------------------------


@given(FAMILY, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_no_order_changes_a_decision(family, random):
    keys = random.sample(list(family), len(family))
    shuffled = {
        key: replace(family[key], pairs=random.sample(family[key].pairs, len(family[key].pairs)))
        for key in keys
    }
    found, other = decide(family, RULES, "baseline"), decide(shuffled, RULES, "baseline")
    assert list(other) == keys
    for key, decision in found.items():
        again = other[key]
        assert again.outcome == decision.outcome
        assert (again.needed, again.flips) == (decision.needed, decision.flips)
        if decision.change is None:
            assert again == decision
        else:  # sums over dialogues differ in their last bit
            assert numbers(again) == pytest.approx(numbers(decision), abs=1e-9)


@given(FAMILY)
@settings(deadline=None)
def test_every_decision_follows_from_what_it_shows(family):
    for key, found in decide(family, RULES, "baseline").items():
        evidence, margin = family[key], RULES[key[1]].margin
        assert found.outcome in OUTCOMES
        assert (found.outcome == "invalid") == bool(evidence.invalid)
        if evidence.invalid:
            assert (found.change, found.adjusted, found.reasons) == (None, None, evidence.invalid)
            continue
        bad = sum(pair.degenerate_after is not None for pair in evidence.pairs)
        most = 2 * bad > len(evidence.pairs)
        assert (found.degenerate is not None) == most
        if not most and not found.spoiled:
            assert (found.outcome == "uninformative") == (not evidence.informative)
        assert 0 <= found.change.p_worse <= found.adjusted <= 1
        assert len(found.flips) == found.change.lost + found.change.gained
        assert found.identical == (evidence.identical and not found.flips)
        if found.outcome == "pass":
            assert evidence.informative
            assert found.identical or found.change.interval.low > -margin
        if most:
            assert found.outcome in {"fail", "uninformative", "inconclusive"}
        elif found.outcome == "fail" and not found.spoiled:
            assert found.change.difference <= -margin
            assert found.change.interval.low <= -margin
        if found.needed is not None:
            assert found.outcome == "inconclusive"


@given(FAMILY, st.integers(2, 4))
@settings(deadline=None)
def test_more_of_the_same_evidence_never_turns_a_fail_into_a_pass(family, times):
    more = {
        key: replace(evidence, pairs=copied(evidence.pairs, times))
        for key, evidence in family.items()
    }
    then = decide(more, RULES, "baseline")
    for key, found in decide(family, RULES, "baseline").items():
        if found.outcome == "fail":
            assert then[key].outcome != "pass"
        elif (
            found.degenerate or then[key].spoiled
        ):  # a rise of degenerate responses can become clear
            assert then[key].outcome in {found.outcome, "fail"}
        elif found.outcome != "inconclusive" and not found.flips:
            assert then[key].outcome == found.outcome


@given(st.dictionaries(KEYS, paired(flips=[[0]]), min_size=1, max_size=6))
def test_identical_runs_pass_where_most_responses_are_answers(family):
    evidence = {key: Evidence(pairs, identical=True) for key, pairs in family.items()}
    found = decide(evidence, RULES, "baseline")
    assert all(
        (each.outcome == "pass") == (not each.degenerate and not each.spoiled)
        for each in found.values()
    )
    assert all(each.change.difference == 0 and not each.flips for each in found.values())


# -- before and after --------------------------------------------------------------------------


@given(paired(), CONFIDENCE)
def test_swapping_before_and_after_mirrors_a_change(pairs, confidence):
    found, mirrored = (rate_change("r", each, confidence) for each in (pairs, swapped(pairs)))
    assert mirrored.difference == -found.difference
    assert (mirrored.before, mirrored.after) == (found.after, found.before)
    assert (mirrored.lost, mirrored.gained) == (found.gained, found.lost)
    assert mirrored.interval.low == pytest.approx(-found.interval.high, abs=1e-6)
    assert mirrored.interval.high == pytest.approx(-found.interval.low, abs=1e-6)
    assert mirrored.p_exact == pytest.approx(found.p_exact)
    if not found.clustered:  # mid-p values add up to 1
        assert mirrored.p_worse == pytest.approx(1 - found.p_worse)
    assert min(found.p_worse, mirrored.p_worse) <= found.p_exact


@given(st.lists(paired(), min_size=1, max_size=4))
def test_swapping_before_and_after_mirrors_the_change_of_cas(axes):
    found, mirrored = (
        combined_shift([rate_change("r", pairs, 0.95) for pairs in each], "CAS")
        for each in (axes, [swapped(pairs) for pairs in axes])
    )
    assert mirrored.difference == pytest.approx(-found.difference)
    assert mirrored.interval.low == pytest.approx(-found.interval.high, abs=1e-6)
    assert mirrored.interval.high == pytest.approx(-found.interval.low, abs=1e-6)
    assert -100 <= found.interval.low <= found.difference <= found.interval.high <= 100


@given(paired(), st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_swapping_before_and_after_mirrors_the_change_of_the_mean(pairs, seed):
    found, mirrored = (
        mean_shift("cost", each, 0.95, resamples=99, seed=seed) for each in (pairs, swapped(pairs))
    )
    assert mirrored.difference == -found.difference
    assert mirrored.interval.low == pytest.approx(-found.interval.high, abs=1e-6)
    assert mirrored.interval.high == pytest.approx(-found.interval.low, abs=1e-6)
    assert math.isfinite(found.interval.low)
    assert found.interval.low <= found.difference <= found.interval.high


# -- intervals and tests -----------------------------------------------------------------------


@given(COUNTS, CONFIDENCE)
def test_tango_contains_its_estimate_and_stays_on_the_scale(counts, confidence):
    lost, gained, kept = counts
    total = lost + gained + kept
    found = tango(lost, gained, total, confidence)
    assert -100 <= found.low <= 100 * ((gained - lost) / total) <= found.high <= 100


@given(COUNTS, st.floats(1, 20), CONFIDENCE)
def test_tango_of_fewer_effective_counts_is_wider(counts, effect, confidence):
    lost, gained, kept = counts
    total = lost + gained + kept
    found = tango(lost, gained, total, confidence)
    wider = tango(lost / effect, gained / effect, total / effect, confidence)
    assert -100 <= wider.low <= found.low + 1e-6
    assert 100 >= wider.high >= found.high - 1e-6


@given(COUNTS, st.tuples(CONFIDENCE, CONFIDENCE).map(sorted))
def test_more_confidence_is_never_narrower(counts, confidences):
    lost, gained, kept = counts
    narrow, wide = (tango(lost, gained, lost + gained + kept, level) for level in confidences)
    assert wide.low <= narrow.low + 1e-9
    assert wide.high >= narrow.high - 1e-9


@given(COUNTS.filter(lambda counts: counts[2] > 0), CONFIDENCE)
def test_one_more_loss_moves_both_ends_down(counts, confidence):
    lost, gained, kept = counts
    total = lost + gained + kept
    less, more = (tango(each, gained, total, confidence) for each in (lost, lost + 1))
    assert more.low <= less.low + 1e-9
    assert more.high <= less.high + 1e-9


@given(st.integers(0, 400), st.integers(0, 400))
def test_probabilities_of_flips_are_probabilities(lost, gained):
    exact, midp = mcnemar(lost, gained), mcnemar(lost, gained, midp=True)
    assert all(0 <= m <= p <= 1 for p, m in zip(exact, midp, strict=True))
    assert sum(midp) == pytest.approx(1)
    assert exact[::-1] == pytest.approx(mcnemar(gained, lost))


@given(st.lists(st.integers(-9, 9), max_size=80))
def test_probabilities_of_nets_are_probabilities(nets):
    exact, midp = sign_flip(nets), sign_flip(nets, midp=True)
    assert all(0 <= m <= p <= 1 for p, m in zip(exact, midp, strict=True))
    assert sum(midp) == pytest.approx(1)
    assert exact[::-1] == pytest.approx(sign_flip([-net for net in nets]))


@given(paired(), CONFIDENCE)
def test_changes_are_within_their_scales(pairs, confidence):
    found = rate_change("r", pairs, confidence)
    assert 0 <= found.p_worse <= 1
    assert 0 <= found.p_exact <= 1
    assert found.difference == pytest.approx(found.after - found.before)
    assert found.interval.low <= found.difference + 1e-9
    assert found.interval.high >= found.difference - 1e-9
    assert found.clustered == (len({pair.cluster for pair in pairs}) < len(pairs))


@given(st.lists(paired(), min_size=1, max_size=5))
def test_the_design_effect_is_at_least_one_and_at_most_the_largest_dialogue(dialogues):
    few = len(dialogues) / max(1, len(dialogues) - 1)  # the variance is that of a sample
    flips = [[pair.flip for pair in each] for each in dialogues]
    assert 1 <= design_effect(flips) <= few * max(map(len, dialogues)) + 1e-9


# -- Holm --------------------------------------------------------------------------------------


@given(P_VALUES)
def test_holm_is_never_below_the_raw_value_and_keeps_the_order(raw):
    adjusted = holm(raw)
    assert all(p <= a <= 1 for p, a in zip(raw, adjusted, strict=True))
    ranked = sorted(zip(raw, adjusted, strict=True))
    assert [a for _, a in ranked] == sorted(adjusted)
    if raw:
        assert min(adjusted) == min(1, len(raw) * min(raw))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_holm_is_the_closed_test_of_bonferroni(raw):
    # Marcus, Peritz & Gabriel (1976), Biometrika 63:655-660: a hypothesis is rejected where every
    # intersection that it is part of is.
    sets = [each for size in range(len(raw)) for each in combinations(range(len(raw)), size + 1)]
    bonferroni = {each: min(1, len(each) * min(raw[i] for i in each)) for each in sets}
    closed = [max(p for each, p in bonferroni.items() if i in each) for i in range(len(raw))]
    assert holm(raw) == pytest.approx(closed)


@given(P_VALUES, st.randoms(use_true_random=False))
def test_holm_does_not_depend_on_order(raw, random):
    order = random.sample(range(len(raw)), len(raw))
    adjusted = holm(raw)
    assert holm([raw[i] for i in order]) == [adjusted[i] for i in order]
