"""Pairs of verdicts: made of two judged responses, and nowhere else in the package."""

import ast

from alignment.analysis.pairing import Judged, judged_cases, pair, paired
from alignment.records import Case, Prompt, Score
from alignment.records.decisions import PairedVerdict
from support.places import ROOT

PACKAGE = ROOT / "alignment"


def case(id_, value, degenerate=None):
    return Case(
        variant="sft",
        prompt=Prompt(id_, "harm", "Human: Hi\n\nAssistant:", f"dialogue of {id_}"),
        response=None,
        score=Score({"reward": value}),
        value=value,
        passed=value >= 0,
        degenerate=degenerate,
    )


def made_in(name):
    """Module -> how often it makes a record of that name."""
    counts = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == name:
                module = str(path.relative_to(PACKAGE))
                counts[module] = counts.get(module, 0) + 1
    return counts


def functions_named(name):
    """The modules that define a function of that name."""
    return {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name == name
    }


def test_paired_verdicts_are_made_in_one_place():
    assert made_in("PairedVerdict") == {"analysis/pairing.py": 1}


def test_the_design_effect_is_worked_out_in_one_place():
    assert functions_named("design_effect") == {"analysis/clusters.py"}
    assert functions_named("by_cluster") == {"analysis/clusters.py"}


def test_a_pair_has_both_sides_of_a_prompt():
    before, after = Judged(True, 1.5), Judged(False, -2.0, "empty")
    assert pair("p", "c", before, after) == PairedVerdict(
        "p", "c", True, False, 1.5, -2.0, None, "empty"
    )


def test_prompts_without_a_verdict_on_the_other_side_are_left_out():
    before = judged_cases([case("a", 1.0), case("b", -1.0, "echo")])
    assert before == {"a": Judged(True, 1.0), "b": Judged(False, -1.0, "echo")}
    found = paired(before, [case("c", 0.0), case("b", 0.5), case("a", -0.5)])
    assert [(each.prompt, each.cluster, each.flip) for each in found] == [
        ("b", "dialogue of b", 1),
        ("a", "dialogue of a", -1),
    ]
    assert found[0].degenerate_before == "echo"
