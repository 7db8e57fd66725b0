"""The sample of prompts to label: its size, its chances, and what it shares with others."""

from collections import Counter
from itertools import product

import pytest

from alignment.analysis.label_sampling import allocate, draw, stratum_of
from alignment.analysis.stratified import LEAST


def strata(sizes):
    return {f"{key}-{i}": key for key, size in sizes.items() for i in range(size)}


SIZES = {(True, True): 40, (True, False): 12, (False, True): 120, (False, False): 28}


def test_the_strata_are_the_judges_verdicts_before_and_after():
    sides = list(product((True, False), repeat=2))
    assert [stratum_of(*each) for each in sides] == [
        (False, True),
        (True, True),
        (True, False),
        (False, False),
    ]


@pytest.mark.parametrize("budget", [5, 20, 60, 199, 200, 1000])
def test_the_budget_is_spent_and_not_exceeded(budget):
    counts = allocate(SIZES, budget)
    assert sum(counts.values()) == min(budget, 200)
    assert all(counts[key] <= size for key, size in SIZES.items())


def test_every_stratum_has_labels_and_flips_have_more_than_their_share():
    counts = allocate(SIZES, 60)
    assert min(counts.values()) >= LEAST
    assert counts[True, True] / 40 > counts[False, True] / 120


def test_a_prompt_is_as_likely_as_any_other_of_its_stratum():
    hits = Counter(id_ for seed in range(1500) for id_ in draw(strata(SIZES), 60, seed))
    for key, number in allocate(SIZES, 60).items():
        shares = [hits[f"{key}-{i}"] / 1500 for i in range(SIZES[key])]
        chance = number / SIZES[key]
        spread = (chance * (1 - chance) / 1500) ** 0.5
        assert max(abs(share - chance) for share in shares) < 4.5 * spread + 1e-9


def test_the_same_seed_draws_much_of_the_same_where_other_verdicts_flip():
    moved = strata(SIZES) | {f"{(False, True)}-{i}": (True, True) for i in range(15)}
    first, second = set(draw(strata(SIZES), 60, 0)), set(draw(moved, 60, 0))
    assert len(first & second) >= 45
    assert draw(strata(SIZES), 60, 0) == draw(dict(reversed(strata(SIZES).items())), 60, 0)


def test_identical_answers_are_not_drawn():
    known = frozenset(f"{(False, True)}-{i}" for i in range(120))
    assert not known & set(draw(strata(SIZES), 60, 0, known=known))


def test_the_order_says_nothing_of_the_strata():
    order = draw(strata(SIZES), 60, 3)
    places = [i for i, id_ in enumerate(order) if id_.startswith("(True")]
    assert 20 < sum(places) / len(places) < 40
