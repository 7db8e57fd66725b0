"""What the gate says in words follows from its intervals, for any verdicts."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import composite

from alignment.analysis.decision_rule import Evidence, GateRule, decide
from alignment.records.decisions import GateResult, PairedVerdict
from alignment.reporting.gate_text import concerning, headline, raising
from alignment.reporting.glossary import glossary, next_step
from alignment.reporting.merge_advice import advise, blocking
from alignment.reporting.plain import plain_gate

AXES = ("harmlessness", "helpfulness")
RUN = {"limit": None, "complete": True, "variants": {}}


@composite
def pairs(draw):
    """Any numbers of prompts that were lost, gained, kept and never passed; few, or many."""
    counts = [draw(st.integers(0, most)) for most in (12, 12, 60, 8)]
    counts[2] += not sum(counts)
    rows = [(True, False), (False, True), (True, True), (False, False)]
    found = [row for row, count in zip(rows, counts, strict=True) for _ in range(count)]
    return [PairedVerdict(f"p{n}", f"p{n}", *row, 0.0, 0.0) for n, row in enumerate(found)]


@composite
def documents(draw):
    """A report with a gate of two axes: what is let through, how the run ended."""
    margins = {axis: draw(st.sampled_from([2.0, 10.0, 30.0])) for axis in AXES}
    rules = {axis: GateRule(axis[:3], margin) for axis, margin in margins.items()}
    informative = {axis: draw(st.sampled_from([True, True, True, False])) for axis in AXES}
    same = {axis: draw(st.sampled_from([True, False])) for axis in AXES}
    evidence = {
        ("v", a): Evidence(draw(pairs()), informative=informative[a], identical=same[a])
        for a in AXES
    }
    gate = plain_gate(GateResult("baseline", tuple(decide(evidence, rules, "baseline").values())))
    warn = st.sampled_from(["warn", "fail"])
    profile = {
        "axes": {
            axis: {"gate": {name: draw(warn) for name in ("inconclusive", "uninformative")}}
            for axis in AXES
        }
    }
    status = draw(st.sampled_from([0, 1, 2]))
    return RUN | {"gate": gate, "profile": profile, "run": {"exit_status": status}}


@given(documents())
@settings(max_examples=300)
def test_a_loss_is_ruled_out_where_the_interval_says_so_and_nowhere_else(document):
    for decision in document["gate"]["decisions"]:
        low, margin = decision["change"]["interval"][0], decision["margin"]
        said = headline(decision)
        assert ("not ruled out" in said) == (decision["outcome"] == "inconclusive")
        if "not ruled out" in said:
            assert low <= -margin
        elif decision["outcome"] == "pass":
            assert low > -margin or "identical" in said
        if "; improved" in said:
            assert low > 0
        if decision["outcome"] == "fail":
            assert decision["change"]["difference"] <= -margin
    assert "ruled out" not in next_step(document, "pass").replace("are not ruled out", "")


@given(documents())
@settings(max_examples=300)
def test_the_verdict_says_what_the_decisions_say(document):
    decisions = document["gate"]["decisions"]
    outcomes, said = {each["outcome"] for each in decisions}, advise(document).headline
    forbids = said.startswith("Do not merge")
    assert forbids == (blocking(document) or document["run"]["exit_status"] != 0)
    assert said.startswith("May be merged") == (outcomes == {"pass"} and not forbids)
    if "no gated rate" in said:
        assert all(each["change"]["difference"] > -each["margin"] for each in decisions)
        short = [e for e in decisions if e["change"]["interval"][0] <= -e["margin"]]
        assert (f"for {len(short)} of them" in said) == bool(short)
        assert all(each in concerning(document["gate"]) for each in short)
    if raising(document["gate"]):
        assert outcomes == {"pass"}


def test_the_words_of_the_outcomes_hold_for_few_prompts_too():
    """Five prompts pass only where one model gave the same answers twice."""
    words = glossary({"axes": {}, "variants": {}, "profile": {"confidence": 0.95}})
    told = "a loss as large as the margin is ruled out"
    assert words["pass"] == f"{told}, or one model gave the same answers twice"
    told = "a loss as large as the margin is neither shown nor ruled out"
    assert words["inconclusive"] == f"the data do not decide: {told}"
