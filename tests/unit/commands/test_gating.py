"""`python -m alignment plan`, `compare`, `simulate`: what they print, and their exit codes."""

import json
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint

import pytest

from support.places import ROOT

MANIFEST = {
    "prompts": {"harmlessness": "100 prompts abc", "helpfulness": "100 prompts def"},
    "criteria": {"harmlessness": "reward >= 0", "helpfulness": "reward > 0"},
    "judge": {"identity": "weights abc"},
    "decoding": None,
    "format": None,
}


@pytest.fixture
def report(tmp_path):
    """Writes a report of variants with so many passing harmlessness answers of 100; its folder."""

    def write(name, informative=True, **passing):
        gate = {"margin": 10.0, "confidence": 0.95}
        document = {
            "schema": 1,
            "profile": {
                "axes": {
                    "harmlessness": {"rate": "HmR", "comparison": ">=", "gate": gate},
                    "helpfulness": {"rate": "HpR", "comparison": ">", "gate": gate},
                }
            },
            "axes": {a: {"informative": informative} for a in ("harmlessness", "helpfulness")},
            "variants": {variant: {} for variant in passing},
            "unscored": [],
            "manifests": dict.fromkeys(passing, MANIFEST),
            "prompts": {
                f"{a}{i}": {"cluster": f"{a}{i}", "text": f"Human: {i}"}
                for a in ("harmlessness", "helpfulness")
                for i in range(100)
            },
            "cases": [
                {
                    "variant": variant,
                    "axis": axis,
                    "prompt": f"{axis}{i}",
                    "passed": ok,
                    "score": 1.0 if ok else -1.0,
                }
                for variant, count in passing.items()
                for axis in ("harmlessness", "helpfulness")
                for i in range(100)
                for ok in [axis == "helpfulness" or i < count]
            ],
        }
        folder = tmp_path / name
        folder.mkdir()
        (folder / "report.json").write_text(json.dumps(document))
        return folder

    return write


def test_two_reports_are_compared_variant_by_variant(command, report):
    before, after = report("before", a=90, b=50), report("after", a=60, b=50)
    status, out, _ = command("compare", before, after)
    assert status == 1
    assert "a HmR: FAIL: 90.0 to 60.0 %" in " ".join(out.split())
    assert "lost   harmlessness60" in out
    assert command("compare", before, before)[0] == 0


def test_answers_that_are_none_or_anothers_are_told(command, report):
    before, after = report("before", a=90), report("after", a=100)
    for folder, said, kind in ((before, "Yes.", None), (after, "", "empty")):
        path = folder / "report.json"
        document = json.loads(path.read_text())
        for case in document["cases"]:
            case |= {"response": said, "degenerate": kind}
        path.write_text(json.dumps(document))
    status, out, _ = command("compare", before, after)
    assert status == 1
    assert "a HmR: FAIL: 90.0 to 100.0 %" in " ".join(out.split())
    assert "100 (before: 0) of 100 responses are degenerate (100 empty)" in " ".join(out.split())
    status, out, _ = command("compare", before, before)
    assert status == 0
    assert out.startswith("all answers of a are identical to those of the other side")
    document["variants"]["a"]["model"] = {"identity": "the same weights"}
    path.write_text(json.dumps(document))
    assert "identical" not in command("compare", after, after)[1]


def test_variants_of_one_report_by_their_names(command, report):
    folder = report("one", a=90, b=60)
    assert command("compare", "a", "b", "--report", folder)[0] == 1
    assert command("compare", "b", "a", "--report", folder)[0] == 0
    assert command("compare", f"{folder}:a", f"{folder}:b")[0] == 1


def test_what_is_not_decided_is_a_3(command, report):
    assert command("compare", report("x", a=90), report("y", a=82))[0] == 3
    assert command("compare", report("p", a=90), report("q", informative=False, a=90))[0] == 3


def test_json_says_the_same(command, report):
    status, out, _ = command("compare", report("x", a=90), report("y", a=60), "--json")
    told = json.loads(out)
    assert (status, told["outcome"]) == (1, "fail")
    assert {each["rate"]: each["outcome"] for each in told["decisions"]} == {
        "HmR": "fail",
        "HpR": "pass",
    }


def test_what_cannot_be_compared_is_a_1_with_both_values(command, report):
    before, after = report("x", a=90), report("y", a=90)
    document = json.loads((after / "report.json").read_text())
    document["manifests"]["a"]["criteria"]["harmlessness"] = "reward >= 1"
    (after / "report.json").write_text(json.dumps(document))
    status, out, _ = command("compare", before, after)
    assert status == 1
    assert "harmlessness is reward >= 0 in " in " ".join(out.split())
    assert "INVALID" in out


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_text("{"), "is no JSON"),
        (lambda path: path.write_text('{"schema": 9}'), "written by a newer release (schema 9"),
        (lambda path: path.write_text('{"schema": 0}'), "is not a report of schema 1"),
        (lambda path: path.write_text("[1]"), "is not a report of schema 1"),
        (lambda path: path.write_text('{"schema": 1}'), "axes, cases"),
    ],
)
def test_what_is_no_report_is_one_line_and_a_2(command, report, damage, said):
    folder = report("x", a=90)
    damage(folder / "report.json")
    status, out, err = command("compare", folder, folder)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(profile={}),
        lambda document: document["prompts"].clear(),
        lambda document: document.update(cases=[{}]),
        lambda document: document["manifests"].clear(),
    ],
    ids=["profile", "prompts", "cases", "manifests"],
)
def test_a_damaged_report_is_one_line(command, report, change):
    folder = report("x", a=90)
    document = json.loads((folder / "report.json").read_text())
    change(document)
    (folder / "report.json").write_text(json.dumps(document))
    status, out, err = command("compare", folder, folder)
    assert (status, out) == (2, "")
    assert "run the suite again" in err
    assert err.count("\n") == 1


def test_a_variant_that_one_side_lacks_cannot_be_compared(command, report):
    status, out, _ = command("compare", report("x", a=90, b=90), report("y", a=90))
    assert status == 1
    assert "b HmR: INVALID" in out
    assert "has no variant 'b'" in " ".join(out.split())


def test_hostile_names_are_shown_as_text(command, report):
    folder = report("x", **{"ev\x1b[2Jil\nx": 90})
    err = command("compare", f"{folder}:c", folder)[2]
    assert "\x1b" not in err
    assert err.count("\n") == 1


def test_an_unknown_variant_or_folder_is_named(command, report, tmp_path):
    folder = report("x", a=90)
    for arguments in (("a", "c", "--report", folder), (f"{folder}:c", folder)):
        assert "no variant 'c'; it has a" in command("compare", *arguments)[2]
    err = command("compare", "nowhere", "nothing", "--report", tmp_path / "none")[2]
    assert "nowhere: there is no such report folder" in err
    assert "have no variant in common" in command("compare", folder, report("y", b=90))[2]


def test_plan_is_one_sentence(command):
    status, out, _ = command("plan", "--prompts", 100, "--flips", 0.2)
    assert status == 0
    assert out.startswith(
        "with 100 prompts per axis and 20 % of verdicts flipping: 80 % power to detect a drop of "
    )
    assert out.count("\n") == 1


def test_plan_advises_samples(command):
    status, out, _ = command("plan", "--prompts", 100, "--flips", 0.3, "--samples", 4)
    assert status == 0
    assert out.startswith(
        "with 100 prompts per axis, 4 samples of each (correlation 0.05: as 347 prompts) and 30 % "
    )
    assert "passes in 19 % with 1 sample, 50 % with 2 samples, 85 % with 4 samples; 4 " in out
    alike = command("plan", "--flips", 0.3, "--samples", 4, "--correlation", 1)[1]
    assert "as 100 prompts" in alike
    assert "not even 16 samples give 80 %: more prompts are needed" in alike


def test_plan_says_how_many_labels(command):
    given = ("plan", "--prompts", 200, "--labels", 60)
    status, out, _ = command(*given)
    assert status == 0
    assert out.startswith("with 60 labels of 200 prompts per axis, 10 % of people's verdicts")
    assert "a margin of 10 points needs 110 labels." in out
    good = command(*given, "--sensitivity", 0.99, "--specificity", 0.99)[1]
    assert "99 % sensitivity and 99 % specificity" in good
    assert "a margin of 10 points needs 73 labels." in good
    few = command("plan", "--prompts", 50, "--labels", 60)[1]
    assert few.startswith("with 50 labels of 50 prompts")
    assert "needs 123 prompts, and a label for each" in few


@pytest.mark.parametrize(
    "wrong",
    [
        *(("--prompts", 0), ("--flips", 1.5), ("--margin", -1), ("--samples", 0)),
        *(("--labels", 19), ("--samples", 4, "--labels", 60), ("--correlation", 0.1)),
        *(("--labels", 60, "--correlation", 0.1), ("--samples", 2, "--sensitivity", 0.9)),
        ("--labels", 60, "--specificity", 1.1),
    ],
)
def test_an_impossible_plan_is_one_line(command, wrong):
    status, out, err = command("plan", *wrong)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_recorded_scores_leave_nothing_to_calibrate(command, tmp_path):
    status, out, err = command("calibrate", "paper-replay", "--alignment-store", tmp_path / "s")
    assert (status, out) == (2, "")
    assert "there is nothing to calibrate" in err


def test_reports_leave_out_what_has_no_score_and_refuse_where_that_is_much(command, report):
    before, after = report("before", base=80), report("after", base=80)

    def drop(folder, count):
        path = folder / "report.json"
        document = json.loads(path.read_text())
        gone = {f"harmlessness{i}" for i in range(count)}
        document["cases"] = [case for case in document["cases"] if case["prompt"] not in gone]
        where = {"variant": "base", "axis": "harmlessness", "reason": "no number"}
        document["unscored"] = [where | {"prompt": prompt} for prompt in sorted(gone)]
        path.write_text(json.dumps(document))

    drop(before, 5)
    status, out, _ = command("compare", before, after, "--json")
    assert status == 0
    totals = {each["rate"]: each["change"]["total"] for each in json.loads(out)["decisions"]}
    assert totals == {"HmR": 95, "HpR": 100}
    drop(before, 6)
    status, out, _ = command("compare", before, after)
    assert status == 1
    assert "INVALID: 6 of 100 responses of 'base' (" in " ".join(out.split())


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("unscored", [0, 1])
def test_a_report_that_lacks_verdicts_is_not_compared(command, report, side, unscored):
    """The rest would be compared, and the prompts that were lost with a gap in either go unseen."""
    folders = report("before", base=80), report("after", base=40)
    path = dict(zip(("before", "after"), folders, strict=True))[side] / "report.json"
    document = json.loads(path.read_text())
    gone = {f"harmlessness{i}" for i in range(40, 80)}
    document["cases"] = [case for case in document["cases"] if case["prompt"] not in gone]
    where = {"variant": "base", "axis": "harmlessness", "reason": "no number"}
    document["unscored"] = [where | {"prompt": f"harmlessness{40 + i}"} for i in range(unscored)]
    path.write_text(json.dumps(document))
    status, out, err = command("compare", *folders)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert f"no verdict of 'base' on harmlessness for {40 - unscored} prompts, first harml" in err


def test_thresholds_come_from_pairs_that_have_scores(command, scripted, tmp_path):
    def script(body, number):
        data = json.loads(body["messages"][1]["content"].split("\n")[1])
        size = len(data["reply"])
        return "?" if size % 5 == 0 else json.dumps({"reward": 1 + size % 9})

    server = scripted(script)
    profile = tmp_path / "mine.toml"
    profile.write_text(f"""
        name = "mine"
        [axes.harmlessness]
        rate = "HmR"
        threshold = 5
        comparison = ">="
        prompts = {{ origin = {{ source = "tiny" }}, sample = 4 }}
        trial = {{ origin = {{ source = "tiny" }}, pairs = 20 }}
        [variants.base]
        null = "refuse"
        [judge.endpoint]
        url = "{server.url}"
        model = "j"
        retries = 0
        rubric = {{ reward = "How good?" }}
    """)
    status, out, err = command("calibrate", profile, "--alignment-store", tmp_path / "store")
    assert status == 0, err
    assert "harmlessness" in out
    server.script = lambda *_: "?"
    status, _, err = command("calibrate", profile, "--alignment-store", tmp_path / "other")
    assert status == 2
    assert "the judge gave none of the 20 pairs on harmlessness two scores" in err


def test_the_study_is_one_command(command):
    status, out, _ = command("simulate", "--runs", 50, "--seed", 1)
    assert status == 0
    assert out.startswith("`asks for a look` is an inconclusive outcome: exit status 0")
    assert "is blocked in at most" in out.splitlines()[-1]


# -- options that commands share, and the console script -------------------------------------------

READ_A_PROFILE = ("train", "profile", "calibrate", "check-invariance")
USE_THE_STORE = ("train", "calibrate", "check-invariance", "report", "history", "store")


def helped(command, capsys, *words):
    """What `--help` prints, on one line."""
    with pytest.raises(SystemExit) as ended:
        command(*words, "--help")
    assert ended.value.code == 0
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("names", "option", "meaning"),
    [
        (
            READ_A_PROFILE,
            "set",
            "set one value of the profile, for example seed=7; may be repeated",
        ),
        (USE_THE_STORE, "store", "the folder in which models, responses and scores are stored;"),
    ],
)
def test_a_shared_option_has_the_same_names_and_help_in_every_command(
    command, capsys, names, option, meaning
):
    for name in names:
        said = helped(command, capsys, name)
        assert f"--{option} " in said.replace(",", " "), name
        assert f"--alignment-{option} " in said, name
        assert meaning in said, name


@pytest.mark.parametrize("name", ["--set", "--alignment-set"])
def test_a_value_is_set_by_either_name(command, name):
    status, out, _ = command("profile", "paper", name, "seed=7")
    assert (status, json.loads(out)["seed"]) == (0, 7)


@pytest.mark.parametrize("name", ["--store", "--alignment-store"])
def test_a_store_is_named_by_either_name(command, tmp_path, name):
    root = tmp_path / "none"
    for words in (
        ("store", name, root),
        ("store", "prune", "--older-than", "1d", name, root),
        ("store", name, root, "prune", "--older-than", "1d"),
    ):
        status, out, _ = command(*words)
        assert status == 0
        assert out.startswith(f"store {root}")


@pytest.mark.parametrize(
    ("called", "program"),
    [
        ("/bin/alignment-gate", "alignment-gate"),
        ("C:/Scripts/alignment-gate.exe", "alignment-gate"),
        ("/lib/alignment/__main__.py", "python -m alignment"),
    ],
)
def test_messages_name_the_program_as_it_was_called(command, capsys, monkeypatch, called, program):
    monkeypatch.setattr("sys.argv", [called])
    assert helped(command, capsys).startswith(f"usage: {program} ")
    assert command("plan", "--prompts", "none")[2].endswith(f"; see {program} plan --help\n")


def test_the_console_script_is_the_module():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    script = EntryPoint("alignment-gate", project["scripts"]["alignment-gate"], "console_scripts")
    main = script.load()
    assert main(["plan", "--prompts", "none"]) == 2
    assert main(["plan"]) == 0


def test_a_reader_who_has_gone_is_no_error():
    command = f"{sys.executable} -m alignment simulate --runs 100 | true"
    process = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert process.stderr == ""
