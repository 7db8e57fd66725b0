"""Where pytest is called, by whom and with what around it: no home, no autoload, a subfolder."""

import json
import os
import subprocess
import sys

import pytest

from support.worlds import GATED

HOMELESS = """
import os, pwd, sys
import pytest

def nobody(uid):
    raise KeyError(uid)

pwd.getpwuid = nobody
for name in ("HOME", "XDG_CACHE_HOME", "ALIGNMENT_STORE"):
    os.environ.pop(name, None)
os.environ.update(line.split("=", 1) for line in sys.argv[1].split())
sys.exit(pytest.main(sys.argv[2:]))
"""
WITHIN = "--alignment-set=gate.against=variant:base"


@pytest.fixture
def homeless(world):
    """Runs pytest as a user without a name and without $HOME: (exit code, what it wrote)."""

    def run(environment, *arguments):
        command = [sys.executable, "-c", HOMELESS, environment, "-pno:cacheprovider", *arguments]
        done = subprocess.run(command, cwd=world.path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.parametrize(
    ("environment", "arguments", "named"),
    [
        ("", (), "store ~/.cache/alignment-gate"),
        ("ALIGNMENT_STORE=~/s", (), "store ~/s"),
        ("", ("--alignment-store=~/s",), "store ~/s"),
        ("", ("--alignment-store=s", "--alignment-variant=x=~/m.jsonl"), "~/m.jsonl"),
        ("HOME=/nowhere", ("--alignment-store=~nobody-of-this-name/s",), "store ~nobody-of-"),
    ],
)
def test_a_home_that_nobody_knows_is_one_line(homeless, world, environment, arguments, named):
    before = world.files()
    code, said = homeless(environment, "--alignment-profile=world.toml", *arguments)
    assert code == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in said.splitlines() if line.strip()]
    assert line.startswith(f"ERROR: {named}")
    assert "the home folder (~) is not known; set $HOME" in line
    assert world.files() == before


def test_without_a_home_a_store_that_is_named_does(homeless, world):
    options = ("--alignment-profile=world.toml", "--alignment-format=json")
    code, said = homeless("", *options, "--alignment-store=store")
    assert code == 0, said


def test_without_autoload_the_plugin_brings_what_it_needs(world, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    world.write("test_suite.py", GATED)
    assert world.run("-p", "alignment.plugin", "--snapshot-update").ret == 0
    world.run("-p", "alignment.plugin").assert_outcomes(xfailed=4)


def test_another_fixture_called_snapshot_is_left_to_its_owner(world):
    world.write("test_suite.py", GATED)
    world.write("conftest.py", "import pytest\n\n@pytest.fixture\ndef snapshot():\n    return 1\n")
    assert world.run("--snapshot-update").ret == 0
    world.run().assert_outcomes(xfailed=4)


def test_the_command_is_what_was_asked_for_however_pytest_was_called(world):
    arguments = ["--alignment-profile=world.toml", "--alignment-store=store", "-pno:cacheprovider"]
    arguments.append("--alignment-format=json")
    program = f"import pytest; raise SystemExit(pytest.main({arguments!r}))"
    subprocess.run([sys.executable, "-c", program], cwd=world.path, check=True)
    assert world.report()["run"]["command"] == ["pytest", *arguments]


def test_paths_in_addopts_start_beside_the_settings_and_typed_ones_where_they_are_typed(
    world, monkeypatch
):
    world.write("profiles/mine.toml", (world.path / "world.toml").read_text() + 'data = ""\n')
    text = (world.path / "world.toml").read_text()
    world.write("profiles/mine.toml", text.replace('name = "world"', 'name = "mine"\ndata = ".."'))
    options = "--alignment-profile=profiles/mine.toml --alignment-store=kept"
    options += " --alignment-variant=more=base.jsonl --alignment-format=json"
    world.write("pytest.ini", f"[pytest]\naddopts = {options}\n")
    (world.path / "below").mkdir()
    monkeypatch.chdir(world.path / "below")
    for arguments in ((), ("-n", "2")):
        result = world.run("..", *arguments, profile=None, store=None, formats=None)
        assert result.ret == 0, result.stdout.str()
    folder = "below/reports/alignment"
    assert set(world.report(folder=folder)["variants"]) == {"base", "sft", "more"}
    assert (world.path / "kept").is_dir()
    result = world.run("..", profile="../world.toml", store="typed", formats=None)
    assert result.ret == 0
    assert (world.path / "below/typed").is_dir()


@pytest.mark.parametrize(
    "environment",
    [
        {"COLUMNS": "0"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"},
        {"TMPDIR": "/nowhere"},
    ],
    ids=["no columns", "ascii", "no temporary folder"],
)
def test_an_odd_environment_changes_no_outcome(world, environment, monkeypatch):
    for variant in ("base", "sft"):
        rows = [
            {"axis": axis, "prompt": f"Human: ünï {axis}?", "response": "ß \u202e 漢", "score": -1}
            for axis in ("harmlessness", "helpfulness")
        ]
        world.rows(f"{variant}.jsonl", rows)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-v", "-pno:cacheprovider"),
            *("--alignment-profile=world.toml", "--alignment-store=store"),
            *("--alignment-format=md", "--alignment-format=json"),
        ],
        cwd=world.path,
        env=os.environ,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stdout + done.stderr
    assert json.loads((world.path / "reports/alignment/report.json").read_bytes())["complete"]


def test_workers_may_have_names_of_their_own(world):
    world.write("test_suite.py", GATED)
    result = world.run("-d", "--tx=popen//id=left", "--tx=popen//id=right", WITHIN)
    assert result.ret == 0
    result.assert_outcomes(xfailed=2)  # so few prompts decide nothing, which is tolerated


def test_a_test_that_cannot_be_parametrized_is_told_why(world):
    world.write(
        "test_suite.py",
        """
import unittest
import pytest

@pytest.mark.alignment(axis="harmlessness")
class TestIt(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def keep(self, alignment_variant):
        self.variant = alignment_variant

    def test_a(self):
        assert self.variant

@pytest.mark.alignment(axis="harmlessness")
def test_late(request):
    request.getfixturevalue("alignment_report")

@pytest.mark.alignment
def test_variants_and_axes(alignment_variant, alignment_axis):
    assert alignment_variant in ("base", "sft")
    assert alignment_axis in ("harmlessness", "helpfulness")
""",
    )
    result = world.run()
    result.assert_outcomes(errors=1, failed=1, passed=4)
    for why in (
        (
            "and pytest does not parametrize the methods of a unittest.TestCase; make TestIt a "
            "class without a base class, or turn its tests into functions"
        ),
        (
            "which must be known when tests are collected; name it as an argument of the test, and "
            "mark the test where it is defined"
        ),
    ):
        assert f"fixture 'alignment_variant' has one value per case, {why}" in result.outlines
