"""A run that finds everything: what it does without, and what it says when something is missing."""

import subprocess
import sys

from support.unmeasured import unmeasured

HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "pandas", "scipy.stats"}


def test_recorded_answers_need_nothing_heavy(world):
    world.run("-p", "spy").assert_outcomes(passed=10, xfailed=4)
    assert not world.modules() & HEAVY


def test_the_paper_needs_nothing_heavy(world):
    world.run("-p", "spy", "--alignment-cases=axis", profile="paper-replay")
    assert world.report()["complete"]
    assert not world.modules() & HEAVY


def test_models_whose_answers_are_in_the_store_need_nothing_heavy(
    world_of_models, filled_store, workers
):
    filled_store()
    result = world_of_models.run("-p", "spy", *workers, profile="models.toml")
    result.assert_outcomes(passed=4, xfailed=2)
    assert not world_of_models.modules() & HEAVY
    (candidate,) = world_of_models.report()["variants"].values()
    assert candidate["rates"]["HmR"]["passed"] == 2
    assert candidate["scores"]["helpfulness"]["mean"] == 0


def test_what_was_not_asked_for_is_missing_not_computed(world_of_models, filled_store):
    filled_store(leave_out="helpfulness")
    arguments = ("-p", "spy", "-k", "harmless")
    world_of_models.run(*arguments, profile="models.toml").assert_outcomes(
        passed=2, xfailed=1, deselected=3
    )
    assert not world_of_models.modules() & HEAVY
    assert world_of_models.report() is None
    report = world_of_models.report("report.partial.json")
    assert report["complete"] is False
    assert report["limit"] is None
    assert len(report["cases"]) == 3


def test_a_renamed_folder_is_the_same_model(world_of_models, filled_store):
    filled_store()
    (world_of_models.path / "model").rename(world_of_models.path / "moved")
    result = world_of_models.run(
        "-p", "spy", "--alignment-set=variants.candidate.model=./moved", profile="models.toml"
    )
    result.assert_outcomes(passed=4, xfailed=2)
    assert not world_of_models.modules() & HEAVY


def test_importing_the_plugin_loads_nothing_heavy():
    script = "import sys, alignment.plugin; print(*sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", script],
        env=unmeasured(),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in process.stdout.split()}
    assert not loaded & {"torch", "transformers", "pydantic", "numpy", "scipy", "sqlite3"}
    assert "alignment.plugin.session" not in process.stdout.split()
