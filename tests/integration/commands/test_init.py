"""From the wheel into an empty repository: a first run, an accepted one, a planted regression.

The wheel is built from a copy of the checkout and installed into an environment of its own, which
sees the libraries of this one.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from support.places import ROOT
from support.worlds import of_one_axis, record


class Repository:
    """Someone's repository, and the environment in which the wheel is installed."""

    def __init__(self, folder, python):
        self.folder, self.python = folder, python
        subprocess.run(["git", "init", "--quiet", str(folder)], check=True)

    def run(self, *arguments):
        """`python -m` in the repository."""
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "PYTEST_ADDOPTS"):
            environment.pop(name, None)
        # What is installed is compiled once, and not for every run.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        return subprocess.run(
            [self.python, "-m", *arguments],
            cwd=self.folder,
            env=environment | {"COLUMNS": "120"},
            capture_output=True,
            text=True,
            check=False,
        )

    def pytest(self, *arguments):
        return self.run("pytest", "-p", "no:cacheprovider", *arguments)

    def comment(self):
        """What would be posted on the pull request."""
        return (self.folder / "reports" / "alignment" / "report.md").read_text()

    def report(self):
        return json.loads((self.folder / "reports" / "alignment" / "report.json").read_text())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy so that the checkout stays as it is."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("alignment", "eval_suites"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = "import setuptools.build_meta as b, sys; b.build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", build, str(made)], cwd=source, check=True, capture_output=True
    )
    (found,) = made.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """An environment's interpreter: the wheel before the libraries that are here."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.check_output(where, text=True).strip())
    with zipfile.ZipFile(wheel) as archive:  # what an installer does with a pure one
        archive.extractall(site)
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return str(python)


@pytest.fixture
def repository(tmp_path, python):
    """An empty repository."""
    repository = Repository(tmp_path, python)
    found = repository.run("alignment", "init")
    assert found.returncode == 0, found.stderr
    return repository


def test_the_wheel_brings_the_suite_and_no_baseline(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    suite = {name for name in names if name.startswith("alignment/starter/eval_suites/")}
    assert {Path(name).name for name in suite} == {
        path.name for path in (ROOT / "eval_suites").glob("*.py")
    }
    assert not any("__baselines__" in name for name in names)


def test_what_runs_is_the_wheel(repository):
    (repository.folder / "where.py").write_text("import alignment; print(alignment.__file__)")
    found = Path(repository.run("where").stdout.strip())
    assert found.is_relative_to(Path(repository.python).parents[1])


def test_a_planted_regression_is_blocked_and_the_comment_names_what_flipped(repository):
    """With recorded scores: nothing is trained."""
    folder = repository.folder
    (folder / "recorded.toml").write_text(of_one_axis("recorded", "base", "candidate"))
    written = (folder / "alignment.toml").read_text()
    started = written.replace('extends = "tiny"', 'extends = "recorded.toml"')
    (folder / "alignment.toml").write_text(started)
    good = [1.0] * 40
    record(folder / "base.jsonl", good)
    record(folder / "candidate.jsonl", good)
    # A module of the same name, as many repositories have one; and a bare `pytest` finds both.
    (folder / "tests").mkdir()
    (folder / "tests" / "test_judge.py").write_text("def test_mine():\n    pass\n")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -q\n")
    store = ("--alignment-store", "store")
    first = repository.pytest(*store)
    assert first.returncode == 0, first.stdout + first.stderr
    against = ("--alignment-set", "gate.against=baseline")
    against += ("--alignment-format=json", "--alignment-format=md")  # the first run drew figures
    accepted = repository.pytest("eval_suites", *store, *against, "--snapshot-update")
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert (folder / "eval_suites/__baselines__/recorded/candidate.json").is_file()
    assert repository.pytest("eval_suites", *store, *against).returncode == 0
    record(folder / "candidate.jsonl", [-1.0] * 20 + [1.0] * 20)
    planted = repository.pytest("eval_suites", *store, *against)
    assert planted.returncode == 1, planted.stdout + planted.stderr
    assert "candidate HmR: FAIL" in planted.stdout
    assert_named(repository, "candidate")
    assert (folder / "pytest.ini").read_text() == "[pytest]\naddopts = -q\n"


def assert_named(repository, variant):
    """The comment says which prompts of a variant flipped."""
    flips = [
        flip["prompt"]
        for decision in repository.report()["gate"]["decisions"]
        if decision["variant"] == variant and decision["outcome"] == "fail"
        for flip in decision["flips"]
        if flip["before"] and not flip["after"]
    ]
    assert flips
    named = sum(prompt in repository.comment() for prompt in flips)
    assert named >= min(10, len(flips))


@pytest.mark.slow
def test_the_built_in_world_passes_and_its_regression_is_blocked(repository, world, cold):
    """The same with models: SFT+DPO is made from the base, in a single step."""
    assert cold[0].returncode == 0
    store = ("--alignment-store", str(world.store))
    first = repository.pytest(*store)
    assert first.returncode == 0, first.stdout + first.stderr
    against = ("--alignment-set", "gate.against=baseline")
    accepted = repository.pytest(*store, *against, "--snapshot-update")
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    planted = repository.pytest(
        *(*store, *against, "--alignment-set", 'variants.sft_dpo.parent="base"'),
        *("--alignment-set", "variants.sft_dpo.stages.0.args.max_steps=1"),
    )
    assert planted.returncode == 1, planted.stdout + planted.stderr
    assert "sft_dpo HmR: FAIL" in planted.stdout
    assert_named(repository, "sft_dpo")
