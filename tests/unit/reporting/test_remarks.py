"""What is told before any figure: answers that are none, and answers that are another's."""

from dataclasses import replace

import pytest

from alignment.records import Interval
from alignment.records.decisions import Change, Decision, Degenerate, Findings, GateResult
from alignment.reporting.document import document
from alignment.reporting.gate_text import headline
from alignment.reporting.glossary import next_step
from alignment.reporting.markdown import markdown
from alignment.reporting.merge_advice import advise
from alignment.reporting.page import page
from alignment.reporting.plain import plain_decision
from alignment.reporting.remarks import remarks
from alignment.reporting.terminal import summary
from support.reporting_sample import results

CHANGE = Change("HmR", 10, 40.0, 100.0, 0, 6, 60.0, Interval(25.0, 85.0), 0.98, 0.03)
BROKEN = Degenerate(0, 10, 10, {"empty": 9, "symbols": 1})
FAIL = Decision(
    "sft", "harmlessness", "HmR", "baseline", "fail", 10.0, CHANGE, 0.98, degenerate=BROKEN
)
PASS = replace(FAIL, own="pass", degenerate=None)


def told(found, label):
    return [sentence for each, sentence in remarks(found, str) if each == label]


def saying(texts, **changes):
    """The sample, its variants saying `texts` (variant -> text) to everything."""
    sample = results(**changes)
    cases = tuple(
        replace(each, response=replace(each.response, text=texts[each.variant]), degenerate=None)
        if each.variant in texts
        else each
        for each in sample.cases
    )
    return replace(sample, cases=cases)


def broken(variant="sft", axis="harmlessness", count=6, kind="empty"):
    """The sample with so many degenerate responses on an axis."""
    sample = results()
    places = [
        n for n, c in enumerate(sample.cases) if (c.variant, c.prompt.axis) == (variant, axis)
    ]
    cases = list(sample.cases)
    for place in places[:count]:
        cases[place] = replace(cases[place], degenerate=kind)
    return replace(sample, cases=tuple(cases))


def first_lines(found):
    """The beginnings of the report's three renderings."""
    return (
        " ".join(summary(found, width=100)[:8]),
        markdown(found)[:700],
        page(found, {}).partition('class="remark"')[2][:600],
    )


def test_most_responses_being_degenerate_is_told_first_everywhere():
    found = document(broken())
    (sentence,) = told(found, "DEGENERATE")
    assert sentence.startswith("6 of 10 responses of sft on harmlessness are degenerate (6 empty)")
    for text in first_lines(found):
        assert "DEGENERATE" in text
        assert "6 of 10 responses of" in text


@pytest.mark.parametrize("count", [0, 3, 5])
def test_as_many_answers_as_not_are_no_collapse(count):
    assert told(document(broken(count=count)), "DEGENERATE") == []


def test_a_rate_that_says_nothing_is_no_loss_to_read_about():
    found = document(broken(count=10), Findings(gate=GateResult("baseline", (FAIL,))))
    word = advise(found)
    assert word.headline == (
        "Do not merge: 10 of 10 responses of sft on harmlessness are degenerate, so HmR is "
        "not meaningful."
    )
    line = headline(plain_decision(FAIL))
    assert line.startswith("sft HmR: FAIL: ")
    assert "10 (before: 0) of 10 responses are degenerate (9 empty, 1 symbols)" in line
    assert found["gate"]["decisions"][0]["degenerate"]["kinds"] == {"empty": 9, "symbols": 1}
    assert next_step(found, "fail").startswith(
        "Read the responses below: most of them are degenerate."
    )


def test_speaking_on_for_the_human_has_a_remedy():
    ran_on = replace(FAIL, own="inconclusive", degenerate=Degenerate(9, 9, 10, {"runaway": 9}))
    assert headline(plain_decision(ran_on)).endswith("set generation.stop_at_human = true")


def test_answers_equal_to_anothers_are_told_first_everywhere():
    found = document(saying({"base": "Yes.", "sft": "Yes.", "dpo": "No."}))
    assert {name: each["same_as"] for name, each in found["variants"].items()} == {
        "base": None,
        "sft": "base",
        "dpo": None,
        "sft_dpo": None,
    }
    (sentence,) = told(found, "SAME ANSWERS")
    assert sentence.startswith("all 20 answers of sft are identical to those of base")
    for text in first_lines(found):
        assert "SAME ANSWERS" in text
        assert "all 20 answers of" in text


def test_one_byte_of_one_answer_makes_another_model():
    sample = saying({"base": "Yes.", "sft": "Yes."})
    last = max(n for n, case in enumerate(sample.cases) if case.variant == "sft")
    cases = list(sample.cases)
    cases[last] = replace(cases[last], response=replace(cases[last].response, text="Yes. "))
    assert told(document(replace(sample, cases=tuple(cases))), "SAME ANSWERS") == []


def test_the_gates_reference_and_the_parent_come_before_who_is_listed_first():
    sample = saying({"sft": "Yes.", "dpo": "Yes."})
    against = replace(sample, profile=sample.profile | {"gate": {"against": "variant:dpo"}})
    assert document(against)["variants"]["sft"]["same_as"] == "dpo"
    assert document(against)["variants"]["dpo"]["same_as"] is None
    made = {"variants": {"sft": {"parent": "dpo"}, "dpo": {"parent": None}}}
    assert document(replace(sample, profile=sample.profile | made))["variants"]["sft"]["same_as"]


def test_null_policies_and_unknown_responses_are_equal_to_nobody():
    sample = saying({"base": "Yes.", "sft": "Yes."})
    fixed = {"variants": {"sft": {"null": "refuse"}}}
    nulls = document(replace(sample, profile=sample.profile | fixed))
    assert told(nulls, "SAME ANSWERS") == []
    bare = tuple(replace(case, response=None) for case in sample.cases)
    assert told(document(replace(sample, cases=bare)), "SAME ANSWERS") == []


def test_a_pass_of_the_same_answers_is_no_plain_pass():
    sample = saying({"base": "Yes.", "sft": "Yes."})
    found = document(sample, Findings(gate=GateResult("variant base", (PASS,))))
    assert advise(found).headline == (
        "Check before you merge: all answers of sft are identical to those of base."
    )
    stored = document(results(), Findings(gate=GateResult("baseline", (PASS,), unchanged=("sft",))))
    assert found["gate"]["unchanged"] == []
    assert stored["gate"]["unchanged"] == ["sft"]
    assert "all answers of sft are identical to those of its baseline" in advise(stored).headline
    assert "are identical to those of its baseline" in told(stored, "SAME ANSWERS")[0]


def test_a_run_of_many_such_variants_tells_of_ten():
    sample = saying({"base": "Yes."})
    own = [case for case in sample.cases if case.variant == "base"]
    names = [f"copy{n}" for n in range(30)]
    copies = [replace(case, variant=name) for name in names for case in own]
    summaries = dict.fromkeys(names, sample.summaries["base"])
    many = replace(
        sample, cases=(*own, *copies), summaries={"base": sample.summaries["base"], **summaries}
    )
    sentences = told(document(many), "SAME ANSWERS")
    assert len(sentences) == 11
    assert sentences[-1] == "and 20 more of this kind, in report.json."
