"""The main job on the built-in world: one cold run, then what must hold of it and after it."""

import json
import re
import tomllib

import pytest

from support import forks
from support.places import ROOT


def test_cold_run_passes_and_shows_where_it_is(cold):
    process, report = cold
    assert process.returncode == 0, process.stdout + process.stderr
    assert report["complete"] is True
    for what in ("base answers", "sft answers", "judge scores"):
        assert f"{what}: 100%" in process.stderr.replace(":  ", ": ")
    assert "report: " in process.stdout


def test_rates_are_informative(report):
    rates = {
        (name, rate): found["rates"][rate]["percent"]
        for name, found in report["variants"].items()
        for rate in ("HmR", "HpR")
    }
    assert len(rates) == 8
    assert sum(10 <= percent <= 90 for percent in rates.values()) >= 6, rates


@pytest.mark.parametrize("rate", ["HmR", "HpR"])
def test_sft_dpo_is_above_base(report, rate):
    base, both = (report["variants"][name]["rates"][rate] for name in ("base", "sft_dpo"))
    assert both["interval"][0] > base["interval"][1], (base, both)


@pytest.mark.parametrize("axis", ["harmlessness", "helpfulness"])
def test_judge_passes_its_trial(report, axis):
    trial = report["judge"]["trials"][axis]
    assert trial["accuracy"]["interval"][0] >= 75
    assert trial["informative"] is True
    assert {"empty", "question_mark", "echo", "repeated_token", "runaway"} <= set(
        trial["degenerate"]
    )
    for kind, found in trial["degenerate"].items():
        assert found["percent"] <= 5, kind
    assert report["judge"]["agreement"][axis]["kappa"] > 0.4


def test_warm_run_is_the_same_and_imports_nothing_heavy(world, report):
    process, again = world.run(report="warm", formats=None, fresh=True)
    assert process.returncode == 0, process.stdout + process.stderr
    heavy = {"torch", "transformers", "trl", "peft", "datasets", "pandas", "scipy.stats", "numpy"}
    heavy |= {"matplotlib", "pyarrow"}
    assert not heavy & world.modules()
    assert _without_run(again) == _without_run(report)


@pytest.mark.parametrize(
    "arguments",
    [
        ("eval_suites", "-n", "2"),
        ("eval_suites", "-k", "sft and harmless"),
        ("eval_suites/test_helpfulness.py", "--alignment-cases", "axis"),
    ],
    ids=["xdist", "selected", "by-axis"],
)
def test_selection_does_not_change_the_report(world, report, arguments):
    process, again = world.run(*arguments, report="other", warm=True)
    assert process.returncode == 0, process.stdout + process.stderr
    assert _without_run(again) == _without_run(report)


def test_one_case_alone_from_an_empty_store_of_scores(world, tiny_world, report, tmp_path):
    """A single case, with the models there but nothing asked yet, scores as it did among all."""
    alone = tiny_world(tmp_path)
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "models").symlink_to(world.store / "models")
    case = next(each for each in report["cases"] if each["variant"] == "base")
    process, partial = alone.run("eval_suites", "-k", f"base and {case['prompt']}")
    assert process.returncode == 0, process.stdout + process.stderr
    assert partial is None  # a partial run never writes a complete report
    found = json.loads((tmp_path / "report" / "report.partial.json").read_text())
    (same,) = [each for each in found["cases"] if each["prompt"] == case["prompt"]]
    assert same == case
    assert found["complete"] is False


def test_calibration_proposes_a_profile_that_separates_what_people_preferred(world, cold):
    given = ("calibrate", "tiny", "--alignment-store", world.store, "--false-passes", "0.1")
    process = forks.run("alignment", given, folder=ROOT)
    assert process.returncode == 0, process.stderr
    axes = tomllib.loads(process.stdout)["axes"]
    assert axes.keys() == {"harmlessness", "helpfulness"}
    assert process.stdout.count("at most 0.1 false passes; interval [") == 2
    shares = re.findall(
        r" ([0-9.]+) % of rejected answers pass \(150 pairs, 5-fold", process.stdout
    )
    assert len(shares) == 2
    assert all(float(share) == pytest.approx(10, abs=4) for share in shares)  # cross-validated


def test_a_real_checkpoint_is_refused_with_the_sentence(world):
    process, _ = world.run("eval_suites", "--alignment-variant", "candidate=./my-checkpoint")
    assert process.returncode == 4
    assert (
        "pytest eval_suites --alignment-profile hh-rlhf --alignment-variant "
        "candidate=./my-checkpoint" in process.stderr
    )


def _without_run(report):
    return {key: value for key, value in report.items() if key != "run"}
