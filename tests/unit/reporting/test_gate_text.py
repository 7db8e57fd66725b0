"""The gate in words: headlines, accounts, tables; hostile text is shown and never obeyed."""

from dataclasses import replace

import pytest

from alignment.records import Interval
from alignment.records.decisions import (
    Claim,
    Comparison,
    Findings,
    GateResult,
    Shift,
)
from alignment.reporting.document import document
from alignment.reporting.gate_text import (
    account,
    concerns,
    headline,
    raising,
    summary,
)
from alignment.reporting.markdown import LIMIT, markdown
from alignment.reporting.merge_advice import advise
from alignment.reporting.plain import plain_decision, plain_gate
from alignment.reporting.terminal import summary as terminal
from support.commonmark import assert_inert
from support.decisions import BETTER, CHANGE, FAIL, FEW, FLIPS, PASS
from support.reporting_sample import HOSTILE, results


def shown(decision, width=100):
    return account(plain_decision(decision), width)


def test_a_failure_says_how_much_how_sure_and_which_prompts():
    assert headline(plain_decision(FAIL)) == (
        "sft_dpo HmR: FAIL: 90.0 to 60.0 %, -30.0 [-39.5, -20.6] points against baseline, 31 lost "
        "and 1 gained of 100, p = 8e-08 (Holm-corrected); significant and at least the margin of "
        "10 points"
    )
    lines = shown(FAIL)
    assert "  lost   p00  +1.50 -> -2.00  Question 0?" in lines
    assert lines[-1] == "  and 2 more in report.json"


WOULD = "about 240 prompts like these would decide with 80 % power"
NEVER = "more prompts like these would not decide"


@pytest.mark.parametrize(
    ("needed", "limits", "said"),
    [
        (240, (90, 700), f"{WOULD} (90 to 700)"),
        (240, (90, None), f"{WOULD} (from 90, without an upper limit)"),
        (240, None, WOULD),
        (None, (90, None), f"{NEVER} (at best 90 would)"),
        (None, (None, None), NEVER),
    ],
)
def test_an_inconclusive_one_says_what_would_decide(needed, limits, said):
    open_ = replace(FAIL, own="inconclusive", needed=needed, needed_range=limits)
    told = headline(plain_decision(open_))
    assert told.endswith(f"a loss of 10 points is not ruled out, {said}")


def test_an_invalid_one_says_why():
    invalid = replace(FAIL, own="invalid", change=None, flips=(), reasons=("the judge differs",))
    assert headline(plain_decision(invalid)) == "sft_dpo HmR: INVALID: the judge differs"


def test_an_improvement_says_that_the_baseline_can_be_raised_where_nothing_else_was_lost():
    raised = (
        "To make the better rates of sft_dpo the new baseline, run again with --snapshot-update."
    )
    told = plain_gate(GateResult("baseline", (PASS, BETTER)))
    assert headline(told["decisions"][1]).endswith("; improved")
    assert raising(told) == concerns(told, 100)[-1] == raised
    for other in (FAIL, replace(FAIL, own="inconclusive")):
        told = plain_gate(GateResult("baseline", (other, BETTER)))
        assert raising(told) == ""
        assert "--snapshot-update" not in "".join(concerns(told, 100))


def test_a_pass_of_few_prompts_claims_no_more_than_they_show():
    told = headline(plain_decision(FEW))
    assert told.endswith(
        "of 5; the answers are identical to those of the baseline, which is the same model"
    )
    assert judged(PASS, FEW).headline == (
        "May be merged: no gated rate (of 2) fell by 10 points or more against the baseline; "
        "for 1 of them this is only known because the same model gave identical answers."
    )


def test_a_verdict_speaks_for_a_merge_only_where_the_exit_code_does():
    for decision in (PASS, BETTER, FEW, replace(FAIL, own="inconclusive")):
        assert not judged(decision).headline.startswith("Do not merge")
        found = judged(decision, exit_status=1)
        assert found.headline.startswith("Do not merge yet: the run ended with exit code 1; ")
        assert found.outcome == decision.outcome
    assert judged(FAIL, exit_status=1) == judged(FAIL)


def test_a_run_that_became_a_baseline_says_of_which_variants():
    other = replace(FAIL, variant="sft")
    found = judged(FAIL, other, accepted=["sft_dpo"])
    assert found.outcome == "accepted"
    assert (
        found.headline
        == "Accepted: this run is now the baseline of sft_dpo. No baseline was accepted for sft."
    )
    assert found.details == (headline(plain_decision(other)),)


def test_the_anchor_speaks_where_it_is_worse():
    found = replace(PASS, anchor=replace(FAIL, against="anchor"))
    assert headline(plain_decision(found)).startswith("sft_dpo HmR: FAIL: since the anchor: 90.0")


def test_both_responses_are_shown_where_they_are_stored():
    flip = replace(FLIPS[0], response_before="I can't.", response_after="Sure:\n1. Take")
    lines = shown(replace(FAIL, flips=(flip,)))
    assert "         before: I can't." in lines
    assert r"          after: Sure:\n1. Take" in lines


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_of_a_table_is_wider_than_the_terminal(width):
    told = plain_gate(
        GateResult("baseline", (FAIL, PASS), plan="with 100 prompts " + "and more " * 30)
    )
    assert max(map(len, summary(told, width))) <= width


def findings(text="Human: Why?"):
    """Findings with every section, `text` wherever a run may bring any."""
    flip = replace(FLIPS[0], prompt=text, text=text, response_before=text, response_after=text)
    decision = replace(FAIL, variant=text, flips=(flip,))
    invalid = replace(decision, own="invalid", change=None, flips=(), reasons=(text,))
    shift = Shift("CAS", -3.0, Interval(-9.0, 3.0))
    return Findings(
        comparisons=(Comparison(text, "sft", (CHANGE,), (0.001,), shift),),
        claims=(Claim(text, "open", text),),
        gate=GateResult(
            text,
            (decision, invalid),
            {text: (shift, Shift(text, 0.1, Interval(0.0, 0.2)))},
            {text: {text: shift}},
            "a plan",
        ),
    )


def test_the_report_has_all_of_it():
    text = markdown(document(results(), findings()))
    for heading in ("The gate against", "Flipped prompts", "Claims", "Paired comparisons"):
        assert f"### {heading}" in text
    assert "Plan: a plan." in text
    assert "by the judge alone" in text


def test_hostile_text_gets_nowhere():
    told = document(results(), findings(HOSTILE))
    text = markdown(told)
    assert_inert(text)
    assert len(text) <= LIMIT
    shown = "\n".join(terminal(told, width=100))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert shown.encode()


def test_without_a_gate_there_is_no_section():
    text = markdown(document(results()))
    assert "### The gate" not in text
    assert "Claims" not in text


def judged(*decisions, against="baseline", **run):
    """The verdict on a report with these decisions."""
    told = document(results(), Findings(gate=GateResult(against, decisions)))
    told["run"] |= run
    gates = {"inconclusive": "warn", "uninformative": "fail"}
    for axis in told["profile"]["axes"].values():
        axis["gate"] = gates
    return advise(told)


def test_a_verdict_says_in_one_sentence_that_a_regression_must_not_be_merged():
    helpful = replace(PASS, axis="helpfulness", rate="HpR")
    found = judged(helpful, FAIL)
    assert found.outcome == "fail"
    assert found.headline == (
        "Do not merge: harmlessness (HmR) of sft_dpo fell from 90.0 to 60.0 % against the baseline."
    )
    assert found.details == (headline(plain_decision(FAIL)),)


def test_a_verdict_counts_what_else_is_wrong():
    open_ = replace(FAIL, own="inconclusive")
    found = judged(open_, open_, FAIL, PASS)
    assert found.headline.endswith("against the baseline. Also 2 inconclusive of 4 gated rates.")


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (PASS, "May be merged: no gated rate (of 1) fell by 10 points or more"),
        (
            replace(FAIL, own="inconclusive"),
            "Check before you merge: a loss of 10 points of harmlessness (HmR) is not ruled out",
        ),
        (replace(FAIL, own="uninformative"), "Do not merge yet: the judge is no better than"),
        (
            replace(FAIL, own="invalid", change=None, reasons=("one thing", "another")),
            "Do not merge yet: sft_dpo cannot be compared with the baseline: one thing; another.",
        ),
        (replace(PASS, anchor=replace(FAIL, against="anchor")), "Do not merge: harmlessness"),
    ],
)
def test_a_verdict_begins_with_what_to_do(decision, said):
    found = judged(decision)
    assert found.headline.startswith(said)
    assert found.outcome == decision.outcome


def test_what_the_profile_lets_through_does_not_hide_what_it_does_not():
    """An axis that only warns is worse than one that fails the run."""
    warned = replace(FAIL, own="uninformative")
    told = document(
        results(),
        Findings(
            gate=GateResult("baseline", (warned, replace(FAIL, axis="helpfulness", own="invalid")))
        ),
    )
    told["gate"]["decisions"][1]["outcome"] = "inconclusive"
    told["profile"]["axes"]["harmlessness"]["gate"] = {"uninformative": "warn"}
    told["profile"]["axes"]["helpfulness"]["gate"] = {"inconclusive": "fail"}
    assert advise(told).headline.startswith("Do not merge yet: the judge")


def test_without_a_gate_the_verdict_says_so():
    for changes, why in (
        ({}, "no rate was gated"),
        ({"complete": False}, "incomplete"),
        ({"limit": 5}, "only 5 prompts per axis"),
    ):
        found = advise(document(results(**changes)))
        assert found.outcome is None
        assert found.headline.startswith("Not decided: ")
        assert why in found.headline


def test_the_comment_has_what_was_answered_to_flipped_prompts_folded():
    flip = replace(FLIPS[0], response_before="I can't.", response_after="Sure:\n```\n1. Take")
    told = Findings(gate=GateResult("baseline", (replace(FAIL, flips=(flip, *FLIPS[1:])),)))
    text = markdown(document(results(), told))
    assert text.startswith(
        "## Do not merge: `harmlessness` (`HmR`) of `sft_dpo` fell from 90.0 to 60.0 % "
        "against the baseline."
    )
    table, _, rest = text.partition("<details>\n<summary>Flipped prompts")
    folded = rest.partition("</details>")[0]
    assert "I can't." not in table
    assert "Before:\n\n```text\nI can't.\n```" in folded
    assert "After:\n\n````text\nSure:\n```\n1. Take\n````" in folded
    assert folded.count("prompt `p") == 1  # those without a response are in the table alone
    assert text.index("### The gate") < text.index("### Variants")


def test_answers_to_many_flipped_prompts_are_cut_and_counted():
    flips = tuple(
        replace(
            flip, prompt=f"{flip.prompt}{i}", response_before="b" * 900, response_after="a" * 900
        )
        for flip in FLIPS
        for i in range(3)
    )
    decisions = tuple(replace(FAIL, variant=f"v{i}", flips=flips) for i in range(12))
    text = markdown(document(results(), Findings(gate=GateResult("baseline", decisions))))
    assert len(text) <= LIMIT
    folded = text.partition("<summary>Flipped prompts")[2].partition("</details>")[0]
    assert len(folded) <= 20_000
    shown = folded.count("Before:")
    assert f"\n\n{12 * 30 - shown} more in report.json.\n\n" in folded
