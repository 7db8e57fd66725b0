"""What a run leaves beside its report: JUnit's properties, annotations, the headline, history."""

import json
import xml.etree.ElementTree as ET

import pytest

GATED = """
import pytest

@pytest.mark.alignment(axis="harmlessness")
def test_harmless(alignment_response):
    pass

@pytest.mark.alignment
def test_gate(alignment_report, alignment_baseline):
    assert alignment_report == alignment_baseline
"""
GOOD = {"harmlessness": [1] * 40, "helpfulness": [1] * 40}
BAD = {"harmlessness": [-1] * 30 + [1] * 10, "helpfulness": [1] * 40}


@pytest.fixture
def regressed(world):
    """A world whose variant has lost 30 of 40 harmless answers since its baseline."""
    world.write("test_suite.py", GATED)
    text = (world.path / "world.toml").read_text()
    world.write("world.toml", text.replace('sft = { recorded = "sft.jsonl" }\n', ""))
    world.record("base.jsonl", GOOD)
    assert world.run("--snapshot-update").ret == 0
    world.record("base.jsonl", BAD, response="::error::x ##[error]y")
    return world


def junit(world):
    """The suite's properties, and those of every case."""
    suite = ET.parse(world.path / "junit.xml").getroot()[0]  # noqa: S314 - our own
    cases = {case.get("name"): properties(case) for case in suite.iter("testcase")}
    return properties(suite), cases


def properties(element):
    found = element.find("properties")
    return {} if found is None else {each.get("name"): each.get("value") for each in found}


def test_a_regression_is_told_to_all_who_read_files(regressed, workers, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = regressed.run("--junitxml=junit.xml", *workers)
    suite, cases = junit(regressed)
    assert suite["alignment.outcome"] == "fail"
    assert suite["alignment.complete"] == "true"
    assert suite["alignment.headline"].startswith("Do not merge: harmlessness (HmR) of base fell")
    assert float(suite["alignment.base.HmR"]) == 25
    assert float(suite["alignment.base.HmR.low"]) < 25 < float(suite["alignment.base.HmR.high"])
    single = [each for name, each in cases.items() if name.startswith("test_harmless")]
    assert len(single) == 40
    assert {each["alignment.variant"] for each in single} == {"base"}
    assert {each["alignment.axis"] for each in single} == {"harmlessness"}
    told = {
        each["alignment.prompt"]: (float(each["alignment.score"]), each["alignment.verdict"])
        for each in single
    }
    report = regressed.report()
    assert told == {
        case["prompt"]: (case["score"], "pass" if case["passed"] else "fail")
        for case in report["cases"]
        if case["axis"] == "harmlessness"
    }
    assert {each["alignment.degenerate"] for each in single} == {""}
    gate = cases["test_gate[base-HmR]"]
    assert (gate["alignment.outcome"], gate["alignment.rate"]) == ("fail", "HmR")
    assert float(gate["alignment.change"]) == -75
    assert float(gate["alignment.low"]) < -75 < float(gate["alignment.high"])
    assert 0 < float(gate["alignment.p"]) < 0.05
    assert cases["test_gate[base-HpR]"]["alignment.outcome"] == "pass"
    lines = [line for line in result.outlines if line.startswith("::")]
    assert [line.partition(" ")[0] for line in lines] == ["::error"]
    place = result.outlines.index("report: reports/alignment/report.json")
    headline = " ".join(" ".join(result.outlines[place - 2 : place]).split())
    assert headline.endswith("Do not merge: harmlessness (HmR) of base fell from 100.0 to 25.0 % "
                             "against the baseline.")  # fmt: skip
    assert "##[" not in result.stdout.str()


def test_one_case_per_axis_has_counts(world):
    world.run("--alignment-cases=axis", "--junitxml=junit.xml", "-k", "harmless and base")
    _, cases = junit(world)
    assert cases["test_harmless[base]"] == {
        "alignment.variant": "base",
        "alignment.axis": "harmlessness",
        "alignment.passed": "2",
        "alignment.total": "4",
        "alignment.unscored": "0",
    }


def test_accepting_a_run_annotates_nothing(regressed, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = regressed.run("--snapshot-update", "--alignment-reason=known")
    assert result.ret == 0
    assert not [line for line in result.outlines if line.startswith("::")]


def test_an_accepted_run_says_so_and_the_next_one_is_held_against_it(regressed):
    result = regressed.run("--snapshot-update", "--alignment-reason=known", formats=["html"])
    accepted = regressed.report()["run"]["accepted"]
    assert accepted
    said = f"Accepted: this run is now the baseline of {', '.join(accepted)}."
    assert said in " ".join(result.outlines)
    assert said in (regressed.path / "reports/alignment/report.html").read_text()
    again = regressed.run()
    assert "accepted" not in regressed.report()["run"]
    assert "May be merged: " in again.stdout.str()


def test_an_update_that_is_refused_accepts_nothing(regressed):
    regressed.write("test_more.py", "def test_fails():\n    assert False\n")
    result = regressed.run("--snapshot-update", "--alignment-reason=known")
    assert "no baseline was written" in result.stdout.str()
    assert "accepted" not in regressed.report()["run"]
    assert "Do not merge: " in result.stdout.str()


def test_runs_are_remembered_and_partial_ones_only_shown_the_past(world, workers):
    world.run(*workers)
    (first,) = world.report()["run"]["history"]
    assert first["id"] == world.report()["run"]["id"]
    world.run(*workers)
    (again,) = world.report()["run"]["history"]
    assert again == first | {"seen": 2, "last": world.report()["run"]["started"]}
    world.run("--collect-only", *workers)
    world.run("--alignment-limit=2", *workers)
    partial = world.report("report.partial.json")["run"]
    assert partial["history"] == [again]
    assert partial["id"] != first["id"]
    world.record("sft.jsonl", {"harmlessness": [-1] * 4, "helpfulness": [-1] * 3})
    world.run(*workers)
    past = world.report()["run"]["history"]
    assert [run["seen"] for run in past] == [2, 1]
    assert past[0] == again
    assert past[1]["variants"]["sft"]["rates"]["CAS"]["percent"] == 0


def test_a_run_leaves_every_file_of_its_report(world):
    world.run(formats=None)
    folder = world.path / "reports" / "alignment"
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names >= {"report.json", "report.md", "report.html", "cases.csv", "figures/rates.svg"}
    assert "cases.parquet" not in names
    assert json.loads((folder / "report.json").read_text())["run"]["exit_status"] == 0
