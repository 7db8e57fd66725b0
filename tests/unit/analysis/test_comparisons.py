"""Variants against each other, and claims of order: the paper's own numbers, and made-up ones."""

import pytest

from alignment.analysis.claims import judge_claims, leaders
from alignment.analysis.comparisons import compare_all
from alignment.config.layers import resolve
from alignment.progress import Progress
from alignment.records import Case, Prompt, Score
from alignment.store import Store
from alignment.study.study import Study

AXES = {"harmlessness": "HmR", "helpfulness": "HpR"}
NAMES = ["HmR", "HpR", "CAS"]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """All comparisons of the paper's variants, from its published scores."""
    root = tmp_path_factory.mktemp("paper")
    study = Study(
        resolve(root, selected="paper-replay"), Store(root / "store"), progress=Progress()
    )
    return compare_all(study.found(), AXES, 0.95)


def found(comparisons, before, after):
    """The comparison, and its changes and adjusted p-values by rate."""
    (one,) = [each for each in comparisons if (each.before, each.after) == (before, after)]
    changes = {change.name: change for change in one.changes}
    adjusted = dict(zip(changes, one.adjusted, strict=True))
    return one, changes, adjusted


def test_the_paper_has_twelve_paired_comparisons(published):
    assert sum(len(each.changes) for each in published) == 12
    assert all(not change.clustered for each in published for change in each.changes)


@pytest.mark.parametrize(
    ("after", "exact"), [("sft", 0.0002), ("dpo", 0.0018), ("sft_dpo", 0.000003)]
)
def test_help_over_base_survives_holm(published, after, exact):
    _, changes, adjusted = found(published, "base", after)
    assert changes["HpR"].p_exact == pytest.approx(exact, rel=0.15)
    assert adjusted["HpR"] < 0.05


def test_no_comparison_of_harmlessness_is_significant(published):
    for each in published:
        _, _, adjusted = found(published, each.before, each.after)
        assert adjusted["HmR"] > 0.05


def test_the_discordance_is_what_the_study_of_the_gate_covers(published):
    shares = [
        (change.lost + change.gained) / change.total
        for each in published
        for change in each.changes
    ]
    assert (round(100 * min(shares)), round(100 * max(shares))) == (22, 48)


def test_both_stages_over_one_are_three_points_that_chance_explains(published):
    combined = found(published, "sft", "sft_dpo")[0].combined
    assert combined.difference == pytest.approx(3.0)
    assert combined.interval.low < 0 < combined.interval.high


def test_best_on_all_metrics_is_open_as_its_reversals_may_be_chance(published):
    (claim,) = judge_claims(["sft_dpo is best on all metrics"], published, NAMES, 0.05)
    assert claim.support == "open"
    assert "HmR of sft_dpo minus that of sft is -4.0 points" in claim.reason


@pytest.mark.parametrize("rate", NAMES)
def test_the_papers_order_of_sft_and_dpo_is_open_on_every_rate(published, rate):
    (claim,) = judge_claims([f"sft is above dpo on {rate}"], published, NAMES, 0.05)
    assert claim.support == "open"


def test_a_claim_against_the_effect_of_training_is_contradicted(published):
    (claim,) = judge_claims(["base is above sft_dpo on HpR"], published, NAMES, 0.05)
    assert claim.support == "contradicted"


def cases(variant, verdicts, axis="harmlessness"):
    """A variant's cases with these verdicts."""
    return [
        Case(
            variant, Prompt(f"p{i}", axis, f"Human: {i}", f"c{i}"), None, Score({"r": v}), v, v > 0
        )
        for i, v in enumerate(verdicts)
    ]


def one_axis(claims, **verdicts):
    """The support of claims about variants with these verdicts on one axis."""
    made = [case for name, values in verdicts.items() for case in cases(name, values)]
    comparisons = compare_all(made, {"harmlessness": "HmR"}, 0.95)
    return [c.support for c in judge_claims(claims, comparisons, ["HmR"], 0.05)]


def test_a_claim_is_supported_where_chance_is_no_explanation():
    good, bad = [1] * 50, [1] * 20 + [-1] * 30
    assert one_axis(["a is best on HmR", "a is above b on HmR"], a=good, b=bad) == ["supported"] * 2


def test_a_claim_is_open_where_the_figures_agree_and_chance_could_explain_them():
    assert one_axis(["a is best on HmR"], a=[1] * 50, b=[1] * 48 + [-1] * 2) == ["open"]
    assert one_axis(["a is best on HmR"], a=[1, -1], b=[-1, 1]) == ["open"]


def test_a_claim_is_contradicted_by_a_significant_reversal_only():
    assert one_axis(["b is best on HmR"], a=[1] * 50, b=[1] * 49 + [-1]) == ["open"]
    good, bad = [1] * 50, [1] * 30 + [-1] * 20
    assert one_axis(["b is best on HmR"], a=good, b=bad) == ["contradicted"]
    claims = ["b is best on HmR"]  # better than one, and worse than the other
    assert one_axis(claims, a=good, b=bad, c=[-1] * 50) == ["contradicted"]


def test_one_variant_that_is_not_beaten_keeps_best_open():
    good, close, bad = [1] * 50, [1] * 49 + [-1], [1] * 10 + [-1] * 40
    claims = ["a is best on HmR", "a is above c on HmR"]
    assert one_axis(claims, a=good, b=close, c=bad) == ["open", "supported"]


def test_every_rate_has_a_leader(published):
    assert leaders(published, NAMES) == [
        "sft is best on HmR",
        "sft_dpo is best on HpR",
        "sft_dpo is best on CAS",
    ]


def test_one_variant_alone_has_nothing_to_be_compared_with():
    alone = compare_all(cases("a", [1, -1]), {"harmlessness": "HmR"}, 0.95)
    assert alone == []
    assert leaders(alone, ["HmR"]) == []


def test_alone_nobody_is_best():
    (claim,) = judge_claims(["a is best on HmR"], [], ["HmR"], 0.05)
    assert (claim.support, claim.reason) == ("open", "there is no other variant to compare with")
