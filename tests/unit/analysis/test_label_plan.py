import random

import pytest

from alignment.analysis.corrected import LabelledPair, corrected_change
from alignment.analysis.label_plan import (
    LEAST_LABELS,
    Assumed,
    effective_prompts,
    labels_line,
    labels_needed,
)
from alignment.analysis.label_sampling import draw, stratum_of
from alignment.analysis.power import prompts_needed
from alignment.records.decisions import PairedVerdict


def test_strata_are_worked_out_by_hand():
    """20 % flips, sensitivity 0.9, specificity 0.8: sums over people's four pairs of verdicts."""
    found = Assumed(0.2, 0.9, 0.8).strata()
    share, lost, gained = found[True, True]  # the judge: pass before, fail after
    assert share == pytest.approx(0.4 * 0.9 * 0.1 + 0.1 * 0.9 * 0.8 + 0.1 * 0.2 * 0.1 + 0.4 * 0.16)
    assert lost == pytest.approx(0.1 * 0.9 * 0.8)
    assert gained == pytest.approx(0.1 * 0.2 * 0.1)
    assert sum(each for each, _, _ in found.values()) == pytest.approx(1)
    assert sum(each for _, each, _ in found.values()) == pytest.approx(0.1)


def test_all_labels_are_worth_all_prompts_and_a_perfect_judge_is_worth_more():
    assert effective_prompts(100, 100, Assumed()) == 100
    assert effective_prompts(100, 500, Assumed()) == 100
    worth = [effective_prompts(500, 60, Assumed(0.2, each, each)) for each in (0.5, 0.8, 0.95, 1)]
    assert worth == sorted(worth)
    assert worth[0] == pytest.approx(60, abs=6)  # a judge by chance gives nothing
    assert worth[3] > 2 * worth[0]


@pytest.mark.parametrize("change", [{"flips": 1.5}, {"sensitivity": -0.1}, {"specificity": 2}])
def test_what_is_no_share_is_refused(change):
    with pytest.raises(ValueError, match="are shares"):
        Assumed(**change)


@pytest.mark.parametrize("wrong", [(0, 60), (100, LEAST_LABELS - 1)])
def test_too_few_labels_are_refused(wrong):
    with pytest.raises(ValueError, match="at least 20 labels"):
        effective_prompts(*wrong, Assumed())


def test_more_prompts_than_there_are_cannot_be_labelled():
    assert labels_needed(100, Assumed(0.3)) is None
    needed = prompts_needed(0.3)
    assert f"needs {needed} prompts, and a label for each" in labels_line(100, 60, Assumed(0.3))
    assert labels_needed(100, Assumed(), margin=0.0) is None
    assert "no number of prompts" in labels_line(100, 60, Assumed(), margin=0.0)


def corrected(rng, total, labels, assumed):
    """The corrected change of an unchanged model, whose prompts are drawn and labelled as usual."""

    def judge(people):
        right = assumed.sensitivity if people else assumed.specificity
        return people if rng.random() < right else not people

    people, pairs = {}, []
    for prompt in map(str, range(total)):
        before = rng.random() < 0.5
        after = before is not (rng.random() < assumed.flips)
        people[prompt] = before, after
        pairs.append(PairedVerdict(prompt, prompt, judge(before), judge(after), 0.0, 0.0))
    strata = {pair.prompt: stratum_of(pair.before, pair.after) for pair in pairs}
    drawn = set(draw(strata, labels, rng.randrange(10**9)))
    return corrected_change(
        "rate",
        [
            LabelledPair(
                pair.cluster,
                strata[pair.prompt],
                pair.before,
                pair.after,
                *(people[pair.prompt] if pair.prompt in drawn else (None, None)),
            )
            for pair in pairs
        ],
        0.95,
    )


@pytest.mark.parametrize(
    ("total", "assumed"),
    [(200, Assumed()), (500, Assumed(0.2, 0.95, 0.95)), (300, Assumed(0.05, 0.7, 0.7))],
)
def test_the_planned_labels_decide_in_four_of_five_runs(total, assumed):
    labels = labels_needed(total, assumed)
    rng, runs = random.Random(1), 300
    passed = sum(corrected(rng, total, labels, assumed).interval.low > -10 for _ in range(runs))
    assert passed / runs == pytest.approx(0.8, abs=0.07)  # three standard errors
