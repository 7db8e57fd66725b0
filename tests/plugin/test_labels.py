"""People's labels in a run of the gate: drawn, imported, and deciding."""

import csv
import json

import pytest

from alignment.__main__ import main
from alignment.records.labels import item_id
from support.worlds import GATED, of_one_axis

ALONE = "by the judge alone: its error is in no interval"
TOTAL = 60
"""Prompts; the judge fails every third answer of `sft`, and people none."""


@pytest.fixture
def gated(world, monkeypatch):
    """A world of one axis in which `sft` is compared with `base`; `base` has the judge's favour."""
    monkeypatch.chdir(world.path)
    world.write("test_suite.py", GATED)
    profile = of_one_axis("world", "base", "sft")
    world.write("world.toml", f'{profile}\n[gate]\nagainst = "variant:base"\n')
    scores = {
        "base": {"harmlessness": [1.0] * TOTAL},
        "sft": {"harmlessness": [-1.0 if i % 3 == 0 else 1.0 for i in range(TOTAL)]},
    }
    for variant, by_axis in scores.items():
        world.record(f"{variant}.jsonl", by_axis)
    return world


def decision(world):
    (found,) = world.report()["gate"]["decisions"]
    return found


def annotate(capsys, *arguments):
    """The exit code of the command, and what it printed."""
    capsys.readouterr()  # what the runs before printed
    code = main(["annotate", "--store", "store", *map(str, arguments)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def fill(world, verdict):
    """A copy of the task's table in which an annotator says this of every answer."""
    with (world.path / "reports/alignment/labels/labels.csv").open(
        encoding="utf-8-sig", newline=""
    ) as file:
        rows = list(csv.DictReader(file))
    path = world.path / "filled.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(row | {"label": verdict(row), "annotator": "anna"} for row in rows)
    return path


def test_labels_decide_where_the_judge_is_wrong(gated, capsys):
    assert gated.run().ret == 1
    assert (decision(gated)["outcome"], decision(gated)["corrected"]) == ("fail", None)
    assert ALONE in (gated.path / "reports/alignment/report.md").read_text()
    code, printed, _ = annotate(capsys, "reports/alignment", "--budget", 50)
    assert code == 0
    assert printed.startswith("drawn: 50 prompts in 1 comparisons\n100 answers to label: open")
    code, printed, _ = annotate(capsys, "--import", fill(gated, lambda _: "pass"))
    assert "filled.csv: 100 labels of 1 annotators" in printed
    result = gated.run()
    assert result.ret == 0
    found = decision(gated)
    assert (found["outcome"], found["by_judge"]) == ("pass", "fail")
    assert (found["corrected"]["labelled"], found["corrected"]["total"]) == (50, TOTAL)
    assert found["corrected"]["errors"]["after"]["sensitivity"]["percent"] == pytest.approx(
        67, abs=7
    )
    text = " ".join(result.stdout.str().split())
    assert "sft HmR: by 50 labels and the judge: 100.0 to 100.0 %, +0.0 points" in text
    assert "the judge alone would say FAIL (100.0 to 66.7 %, -33.3)" in text
    assert "the judge's errors differ between the two sides" in text
    assert "May be merged" in text
    assert "HmR of sft is decided by 50 labels against the judge, which alone would fail it" in text


def test_labels_block_what_the_judge_passes(gated, capsys):
    gated.record("sft.jsonl", {"harmlessness": [1.0] * TOTAL})
    assert gated.run().ret == 0
    annotate(capsys, "reports/alignment", "--budget", 40)
    path = fill(gated, lambda row: "fail" if "sft" in row["response"] else "pass")
    annotate(capsys, "--import", path)
    assert gated.run().ret == 1
    assert (decision(gated)["outcome"], decision(gated)["by_judge"]) == ("fail", "pass")
    assert decision(gated)["corrected"]["difference"] == pytest.approx(-100)


def test_labels_in_a_file_of_the_profile(gated, capsys):
    """As in CI, whose store is empty."""
    gated.run()
    annotate(capsys, "reports/alignment", "--budget", 50)
    fill(gated, lambda _: "pass")
    files = '["filled.csv", "reports/alignment/labels/sample.json"]'
    assert gated.run(f"--alignment-set=labels.files={files}", store="other").ret == 0
    assert decision(gated)["outcome"] == "pass"


def test_labels_without_their_sample_do_not_decide(gated, capsys):
    gated.run()
    annotate(capsys, "reports/alignment", "--budget", 50)
    fill(gated, lambda _: "pass")
    assert gated.run('--alignment-set=labels.files=["filled.csv"]', store="other").ret == 1
    found = decision(gated)
    assert (found["outcome"], found["corrected"]) == ("fail", None)
    assert "no sample says that they were drawn at random" in found["uncorrected"]
    assert ALONE in (gated.path / "reports/alignment/report.md").read_text()


@pytest.mark.parametrize(("setting", "outcome"), [("require", "uninformative"), ("ignore", "pass")])
def test_the_gate_can_require_labels_or_ignore_them(gated, capsys, setting, outcome):
    gated.record("sft.jsonl", {"harmlessness": [1.0] * TOTAL})
    result = gated.run(f'--alignment-set=gate.labels="{setting}"')
    assert decision(gated)["outcome"] == outcome
    assert (result.ret == 0) == (outcome == "pass")


def test_labels_beside_recorded_answers_decide(gated):
    rows = [json.loads(line) for line in (gated.path / "sft.jsonl").read_text().splitlines()]
    gated.rows("sft.jsonl", [row | {"label_anna": "pass", "label_ben": "pass"} for row in rows])
    rows = [json.loads(line) for line in (gated.path / "base.jsonl").read_text().splitlines()]
    gated.rows("base.jsonl", [row | {"label": "pass"} for row in rows])
    assert gated.run().ret == 0
    assert decision(gated)["corrected"]["labelled"] == TOTAL
    assert "by labels of all 60 prompts" in (gated.path / "reports/alignment/report.md").read_text()


def test_the_agreement_of_annotators_is_computed_once(gated):
    """Its package loads numpy, which a run that finds everything does without."""
    rows = [json.loads(line) for line in (gated.path / "sft.jsonl").read_text().splitlines()]
    verdicts = (
        {"label_anna": "pass", "label_ben": "pass"},
        {"label_anna": "fail"} | {"label_ben": "fail"},
    )
    gated.rows("sft.jsonl", [row | verdicts[n % 2] for n, row in enumerate(rows)])
    alphas = []
    for loads in (True, False):
        gated.run("-p", "spy")
        alphas.append(gated.report()["gate"]["people"]["harmlessness"]["alpha"])
        assert ("krippendorff" in gated.modules()) is loads
    assert alphas == [1.0, 1.0]


def test_labels_of_the_profile_that_were_left_out_are_said(gated):
    item = item_id("harmlessness", "Human: hello", "good day")
    gated.write("labels.csv", f"item,label,annotator\n{item},perhaps,anna\n{item},,ben\n")
    said = "labels of the profile's files that were left out: "
    result = gated.run('--alignment-set=labels.files=["labels.csv"]')
    assert f"{said}1 (a label that is no known word), 1 (no label)" in result.stderr.str()
    assert said not in gated.run().stderr.str()


def test_answers_with_labels_are_not_asked_about_again(gated, capsys):
    gated.run()
    annotate(capsys, "reports/alignment", "--budget", 20)
    annotate(capsys, "--import", fill(gated, lambda _: "pass"))
    assert (
        "40 of their answers are labelled already"
        in annotate(capsys, "reports/alignment", "--budget", 20)[1]
    )
    # Another checkpoint: only its own answers are new, but for prompts that are drawn anew.
    gated.record(
        "sft.jsonl", {"harmlessness": [-1.0 if i % 3 == 0 else 1.0 for i in range(TOTAL)]}, "New."
    )
    gated.run()
    printed = annotate(capsys, "reports/alignment", "--budget", 20)[1]
    assert "20 of their answers are labelled already\n20 answers to label" in printed


def test_labels_of_a_baselines_answers(gated, capsys):
    """The baseline stores its responses, so that they can be labelled too."""
    gated.write("now.jsonl", (gated.path / "base.jsonl").read_text())
    gated.write("world.toml", of_one_axis("world", "now") + "\n[gate]\nresponses = true\n")
    assert gated.run("--snapshot-update").ret == 0
    gated.write("now.jsonl", (gated.path / "sft.jsonl").read_text())
    assert gated.run().ret == 1
    code, printed, _ = annotate(capsys, "reports/alignment", "--budget", 50)
    assert (code, "100 answers to label" in printed) == (0, True)
    annotate(capsys, "--import", fill(gated, lambda _: "pass"))
    gated.run()
    found = decision(gated)
    assert (found["own"], found["by_judge"]) == ("pass", "fail")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: cannot be read: there is no such file"),
        (["--import", "nowhere.csv"], "nowhere.csv: cannot be read: there is no such file"),
        (["reports/alignment", "--import", "x.csv"], "--import takes files only"),
        (["--budget", "4"], "--budget: needs a whole number from 5"),
    ],
)
def test_bad_input_is_one_line(gated, capsys, arguments, said):
    gated.run()
    code, printed, error = annotate(capsys, *arguments)
    assert (code, printed) == (2, "")
    assert said in error
    assert error.count("\n") == 1


def test_a_report_without_a_comparison_is_one_line(gated, capsys):
    gated.write("sft.jsonl", (gated.path / "base.jsonl").read_text())
    gated.run()
    code, _, error = annotate(capsys, "reports/alignment")
    assert code == 2
    assert "the report has no comparison that people could label" in error


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('labels.files=["missing.csv"]', "missing.csv: cannot be read: there is no such file"),
        ('labels.files=["test_suite.py"]', "test_suite.py: has no columns of labels"),
        (
            'labels.tables=[{path="x.csv",axis="no",labels=["a"],passes=["1"],fails=["0"]}]',
            "labels.tables.0.axis: there is no axis 'no'; known: harmlessness",
        ),
    ],
)
def test_files_of_labels_that_cannot_be_read_are_one_line_before_anything_is_made(
    gated, setting, said
):
    result = gated.run(f"--alignment-set={setting}")
    assert result.ret == 4
    (line,) = (line for line in result.stderr.lines if line.strip())
    assert said in line
    assert not (gated.path / "store").exists()


def test_labels_of_other_answers_are_said(gated):
    gated.write("other.csv", f"item,label,annotator\n{'0' * 24},pass,anna\n")
    gated.run('--alignment-set=labels.files=["other.csv"]')
    assert decision(gated)["uncorrected"] == (
        "none of the 1 answers that have labels is compared on harmlessness"
    )
