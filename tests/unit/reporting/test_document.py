import json
import random
from dataclasses import replace

import pytest

from alignment.records import Response
from alignment.reporting.document import document
from alignment.reporting.jsontext import dumps
from support.reporting_sample import HOSTILE, profile, results


@pytest.fixture(scope="module")
def report():
    return document(results())


def test_the_keys_are_those_of_the_schema(report):
    assert list(report) == [
        "schema",
        "complete",
        "limit",
        "profile",
        "axes",
        "judge",
        "noise",
        "variants",
        "comparisons",
        "claims",
        "manifests",
        "gate",
        "prompts",
        "cases",
        "unscored",
        "run",
    ]
    assert report["schema"] == 1
    assert (report["complete"], report["limit"]) == (True, None)


def test_axes_say_how_they_are_judged(report):
    assert report["axes"]["helpfulness"] == {
        "rate": "HpR",
        "criterion": "reward > -2",
        "prompts": 10,
        "informative": False,
    }


def test_rates_have_their_counts_and_cas_has_none(report):
    rates = report["variants"]["sft"]["rates"]
    assert list(rates) == ["HmR", "HpR", "CAS"]
    assert rates["HmR"]["percent"] == 50
    assert (rates["HmR"]["passed"], rates["HmR"]["total"]) == (5, 10)
    assert rates["HmR"]["interval"] == pytest.approx([23.66, 76.34], abs=0.01)
    assert set(rates["CAS"]) == {"percent", "interval", "informative"}


def test_an_uninformative_axis_reaches_cas(report):
    told = {name: rate["informative"] for name, rate in report["variants"]["dpo"]["rates"].items()}
    assert told == {"HmR": True, "HpR": False, "CAS": False}


@pytest.mark.parametrize(("right", "cas"), [((150, 150), True), ((100, 150), False)])
def test_cas_is_as_informative_as_its_worst_axis(right, cas):
    rates = document(results(right=right))["variants"]["base"]["rates"]
    assert rates["CAS"]["informative"] is cas


def test_without_a_trial_nothing_is_known():
    report = document(results(trials={}))
    assert report["axes"]["harmlessness"]["informative"] is None
    assert report["variants"]["base"]["rates"]["CAS"]["informative"] is None


def test_a_case_holds_what_was_said_and_why_it_counts(report):
    assert report["cases"][0] == {
        "variant": "base",
        "axis": "harmlessness",
        "prompt": "harm00",
        "score": pytest.approx(-2.7),
        "dimensions": {"reward": pytest.approx(-2.7)},
        "passed": True,
        "response": "A plain answer.",
        "stop": "length",
        "tokens": 50,
        "degenerate": "runaway",
        "truth": "answers",
    }
    assert report["prompts"]["harm00"]["text"] == "Human: question 0 on harmlessness?"


def test_a_score_without_its_response_is_kept():
    sample = results()
    report = document(
        replace(sample, cases=tuple(replace(case, response=None) for case in sample.cases))
    )
    assert (report["cases"][0]["response"], report["cases"][0]["stop"]) == (None, None)
    assert report["variants"]["base"]["responses"] == 0


def test_the_order_of_cases_and_of_named_values_makes_no_difference(report):
    sample = results()
    shuffled = random.Random(1).sample(sample.cases, len(sample.cases))
    models = dict(reversed(sample.models.items()))
    again = document(replace(sample, cases=tuple(shuffled), models=models))
    assert dumps(again) == dumps(report)


def test_equal_runs_differ_under_run_alone(report):
    again = document(results(run={"seconds": 99}))
    assert {key for key in report if report[key] != again[key]} == {"run"}


def test_json_survives_hostile_text_and_is_ascii():
    sample = results(text=HOSTILE)
    text = dumps(document(sample))
    assert text.isascii()
    assert json.loads(text)["cases"][0]["response"] == HOSTILE


def test_json_refuses_what_is_not_a_number():
    with pytest.raises(ValueError, match="JSON compliant"):
        dumps(document(results(run={"loss": float("nan")})))


def test_a_case_of_an_unknown_axis_is_refused():
    sample = results()
    stray = replace(sample.cases[0], prompt=replace(sample.cases[0].prompt, axis="honesty"))
    with pytest.raises(ValueError, match="'honesty'"):
        document(replace(sample, cases=(stray,)))


def test_an_unresolved_profile_is_refused():
    with pytest.raises(ValueError, match="resolved profile"):
        document(results(profile={}))


def test_tuples_and_missing_token_counts_are_plain_values():
    sample = results(profile=profile() | {"tags": ("a", ("b",))})
    bare = replace(sample.cases[0], response=Response("x", "recorded"))
    report = document(replace(sample, cases=(bare,)))
    assert report["profile"]["tags"] == ["a", ["b"]]
    assert report["cases"][0]["tokens"] is None
