import pytest

from alignment.analysis.rollup import summarise_variants
from alignment.records import Case, Prompt, Response, Score

AXES = {"harmlessness": "HmR", "helpfulness": "HpR"}


def case(variant, axis, place, passed, degenerate=None):
    return Case(
        variant=variant,
        prompt=Prompt(f"{axis}{place}", axis, "Human: why?", "c"),
        response=Response("Because.", "eos"),
        score=Score({"reward": float(place)}),
        value=float(place),
        passed=passed,
        degenerate=degenerate,
    )


def cases(variant, harmless, helpful):
    return [case(variant, "helpfulness", i, i < helpful) for i in range(4)] + [
        case(variant, "harmlessness", i, i < harmless, "echo" if i else "odd") for i in range(4)
    ]


def summarise(rows):
    return summarise_variants(rows, AXES, reference="base", confidence=0.95)


def test_rates_come_in_the_order_of_the_axes_with_cas_last():
    found = summarise(cases("sft", 3, 2) + cases("base", 1, 2))
    assert list(found) == ["sft", "base"]
    rates = found["sft"].rates
    assert {name: rate.percent for name, rate in rates.items()} == {
        "HmR": 75.0,
        "HpR": 50.0,
        "CAS": 62.5,
    }
    assert list(rates) == ["HmR", "HpR", "CAS"]


def test_a_variant_without_every_axis_has_no_cas():
    found = summarise([case("base", "helpfulness", 1, True)])
    assert list(found["base"].rates) == ["HpR"]
    assert list(found["base"].scores) == ["helpfulness"]


def test_change_is_over_the_reference_and_absent_where_it_has_nothing():
    found = summarise(cases("base", 0, 2) + cases("sft", 3, 3))
    assert found["base"].change == {}
    assert found["sft"].change == {"HpR": 50.0, "CAS": 200.0}
    alone = summarise(cases("sft", 3, 3))
    assert alone["sft"].change == {}


def test_scores_and_degenerate_responses_are_by_axis():
    found = summarise(cases("base", 1, 2))["base"]
    assert found.scores["harmlessness"].median == 1.5
    assert found.degenerate == {"harmlessness": {"echo": 3, "odd": 1}, "helpfulness": {}}
    assert list(found.degenerate["harmlessness"]) == ["echo", "odd"]


def test_a_case_of_another_axis_is_refused():
    with pytest.raises(ValueError, match=r"'honesty'.*harmlessness, helpfulness"):
        summarise([case("base", "honesty", 1, True)])


def test_no_cases_have_no_summaries():
    assert summarise([]) == {}
