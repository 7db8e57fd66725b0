import random

import pytest

from alignment.analysis.decision_rule import Evidence, GateRule, decide
from alignment.analysis.power import pass_chance, prompts_needed
from alignment.analysis.sample_plan import CORRELATION, effective_prompts, samples_line
from alignment.records.decisions import PairedVerdict


@pytest.mark.parametrize(
    ("samples", "correlation", "expected"),
    [(1, 0.5, 100), (4, 0.0, 400), (4, 1.0, 100), (4, 0.2, 250), (10, 0.1, 526)],
)
def test_samples_count_by_kishs_design_effect(samples, correlation, expected):
    """Kish (1965): 100 clusters of k with correlation r count as 100 k / (1 + (k - 1) r)."""
    assert effective_prompts(100, samples, correlation) == expected


@pytest.mark.parametrize("wrong", [(0, 1, 0.1), (1, 0, 0.1), (1, 1, 1.1), (1, 1, -0.1)])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="are required"):
        effective_prompts(*wrong)


def sampled_run(rng, total, samples):
    """Outcomes on two axes of a model against itself: each prompt passes by its own probability.

    That of Beta(0.75, 0.75): 2 p (1 - p) is 0.3 on average, the share of verdicts that flip.
    """
    evidence = {}
    for axis in ("a", "b"):
        pairs = []
        for prompt in range(total):
            passing = rng.betavariate(0.75, 0.75)
            pairs += [
                PairedVerdict(
                    f"{prompt}.{k}",
                    str(prompt),
                    rng.random() < passing,
                    rng.random() < passing,
                    0.0,
                    0.0,
                )
                for k in range(samples)
            ]
        evidence["v", axis] = Evidence(pairs)
    rules = {axis: GateRule(axis) for axis in ("a", "b")}
    return [decision.own for decision in decide(evidence, rules, "baseline").values()]


@pytest.mark.parametrize("samples", [1, 2, 4])
def test_the_default_correlation_gives_what_the_gate_does_with_samples(samples):
    """Runs of 100 prompts and 30 % flips: of the gate itself, and as planned."""
    rng, runs = random.Random(samples), 200
    passed = sum(set(sampled_run(rng, 100, samples)) == {"pass"} for _ in range(runs)) / runs
    planned = pass_chance(effective_prompts(100, samples), 0.3, family=2)
    assert passed == pytest.approx(planned, abs=0.1)  # 2.8 standard errors at most


def test_the_chance_to_pass_is_that_of_the_needed_prompts():
    needed = prompts_needed(0.2, family=4)
    assert pass_chance(needed, 0.2, family=4) >= 0.8 > pass_chance(needed // 2, 0.2, family=4)


def test_few_prompts_are_never_enough_whatever_the_number_of_samples():
    """Where no verdict differs 35 prompts are needed, which samples cannot replace."""
    assert "needs 35 prompts of them" in samples_line(100, 1000, 0.05, family=2, correlation=0.0)
    assert prompts_needed(0.0) == 35


def test_one_sample_is_planned_as_one():
    line = samples_line(200, 1, 0.1, family=2)
    assert f"1 sample of each (correlation {CORRELATION}: as 200 prompts)" in line
    assert line.endswith("An unchanged model passes in 97 % with 1 sample; one is enough")


def test_a_margin_of_nothing_is_never_reached():
    assert "no number of prompts is enough" in samples_line(100, 2, 0.1, margin=0.0)
