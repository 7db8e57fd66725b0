import pytest

from alignment.analysis.judging import agreement, informative, trial, votes
from alignment.analysis.rates import share, wilson
from alignment.records import Interval


def tried(chosen, rejected, **changes):
    lengths = {"chosen_lengths": [2] * len(chosen), "rejected_lengths": [1] * len(rejected)}
    arguments = lengths | {"degenerate": {}, "confidence": 0.95} | changes
    return trial("helpfulness", chosen, rejected, **arguments)


def test_accuracy_counts_a_tie_as_half():
    found = tried([2, 2, 2, 1, 0], [1, 1, 1, 1, 1]).accuracy
    assert (found.percent, found.passed, found.total) == (70.0, 3, 5)
    assert found.interval == wilson(3.5, 5, 0.95)


def test_longer_counts_ties_of_score_and_length_as_half():
    found = tried(
        [2, 2, 0, 1, 2],
        [1, 1, 1, 1, 1],
        chosen_lengths=[9, 1, 1, 9, 5],
        rejected_lengths=[1, 9, 9, 1, 5],
    ).longer
    # long wins, short wins, long (rejected) wins, a tie of scores, a tie of lengths
    assert (found.percent, found.passed, found.total) == (60.0, 3, 5)


def test_degenerate_responses_are_counted_by_kind():
    found = tried([1], [0], degenerate={"empty": [False, False], "echo": [True, False], "x": []})
    assert {kind: rate.percent for kind, rate in found.degenerate.items()} == {
        "empty": 0.0,
        "echo": 50.0,
    }


@pytest.mark.parametrize(
    ("right", "expected"),
    # The score test against one half, |right - 100| / sqrt(200 / 4), passes 1.96 between 113 (1.84)
    # and 114 (1.98); a judge that is reliably wrong is not informative either.
    [(113, False), (114, True), (200, True), (100, False), (50, False), (0, False)],
)
def test_informative_means_better_than_chance(right, expected):
    assert informative(share("accuracy", right, 200, 0.95)) is expected
    assert tried([1] * right + [0] * (200 - right), [0.5] * 200).informative is expected


@pytest.mark.parametrize(
    ("chosen", "rejected", "changes"),
    [([], [], {}), ([1], [1, 2], {}), ([1], [1], {"chosen_lengths": [1, 2]})],
)
def test_a_trial_needs_whole_pairs(chosen, rejected, changes):
    with pytest.raises(ValueError, match="pair"):
        tried(chosen, rejected, **changes)


# The two tables of Feinstein & Cicchetti (1990), "High agreement but low kappa: I", Journal of
# Clinical Epidemiology 43:543-549: both agree on 85 %, one with kappa .70, the other with .32.
@pytest.mark.parametrize(
    ("both", "pass_only", "good_only", "neither", "kappa"),
    [(40, 9, 6, 45, 0.70), (80, 10, 5, 5, 0.32)],
)
def test_kappa_gives_the_published_examples(both, pass_only, good_only, neither, kappa):
    pairs = (
        [(True, True)] * both
        + [(True, False)] * pass_only
        + [(False, True)] * good_only
        + [(False, False)] * neither
    )
    found = agreement("harmlessness", iter(pairs), 0.95)
    assert found.rate.percent == pytest.approx(85.0)
    assert found.kappa == pytest.approx(kappa, abs=0.005)
    assert found.table == {
        "pass/good": both,
        "pass/bad": pass_only,
        "fail/good": good_only,
        "fail/bad": neither,
    }


@pytest.mark.parametrize(
    "pairs", [[(True, True)] * 5, [(True, True), (True, False)], [(False, True), (True, True)]]
)
def test_kappa_of_a_constant_side_says_nothing(pairs):
    assert agreement("harmlessness", pairs, 0.95).kappa is None


def test_agreement_on_nothing_is_refused():
    with pytest.raises(ValueError, match="needs at least one response"):
        agreement("harmlessness", [], 0.95)


def test_a_judge_that_scores_no_pair_knows_nothing():
    found = tried([], [], unscored=12)
    assert (found.informative, found.unscored) == (False, 12)
    assert (found.accuracy.passed, found.accuracy.total) == (0, 0)
    assert found.accuracy.interval == Interval(0.0, 100.0)
    with pytest.raises(ValueError, match="at least one preference pair"):
        tried([], [])


def test_what_has_no_score_is_counted():
    assert tried([2, 2], [1, 1], unscored=3).unscored == 3


def test_votes_count_splits_among_two_or_more_and_missing_votes():
    by_response = [[True, True, True], [True, False], [False], [], [True, False, False]]
    found = votes(by_response, 3, 0.95, list("abcde"))
    assert (found.divided.passed, found.divided.total) == (2, 3)
    assert found.divided.interval == wilson(2, 3, 0.95)
    assert found.incomplete == 3


def test_votes_of_nobody_are_no_rate():
    assert votes([[True]], 2, 0.95, ["a"]).divided is None


def test_votes_on_samples_of_one_prompt_are_not_independent():
    splits = [[True, False], [True, False], [True, True], [True, True]]
    shared = votes(splits, 2, 0.95, ["a", "a", "b", "b"]).divided
    alone = votes(splits, 2, 0.95, ["a", "b", "c", "d"]).divided
    assert shared.effect > alone.effect
    assert shared.interval.low < alone.interval.low
