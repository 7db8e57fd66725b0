"""A dozen of the malformed profiles, files and options of `tests/unit` through a real pytest."""

import os
import subprocess
import sys

import pytest

from support import malformed


@pytest.fixture
def asked(world):
    """The world with a profile that reads rows from a file."""
    malformed.project(world.path)
    os.mkfifo(world.path / "fifo")
    return world


def said_by(result):
    """The one line of a refusal."""
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stdout.str().strip() == ""
    (line,) = [line for line in result.stderr.lines if line.strip()]
    assert len(line) <= 500
    return line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--alignment-set", "axes.harmlessness.threshold=nan"], "a finite number, found nan"),
        (["--alignment-set", f"seed={'[' * 100_000}"], "seed: input should be a valid integer"),
        (["--alignment-set", f"description={'x' * 100_000}"], "at most 65536 characters"),
        (["--alignment-set", "judge.dimension=*repeats"], "dimension: string should match"),
        (["--alignment-set", "[a]\n[b]\nc=1"], "needs key.path=value"),
        (["--alignment-variant", "judge=./m"], "'judge' is the judge's name"),
        (["--alignment-report", "rows.jsonl"], "--alignment-report: "),
        (["--alignment-store", "rows.jsonl"], "rows.jsonl: cannot be opened"),
        (["--alignment-profile", "fifo"], "fifo: cannot be read: it is a FIFO"),
        (["--alignment-format", "docx"], "--alignment-format: 'docx' is not one of json"),
        (["--alignment-limit", "9" * 5000], "--alignment-limit: needs a whole number above 0"),
        (["--co", "--alignment-set", "seed=nan"], "seed: input should be a valid integer"),
    ],
    ids=lambda value: value[0][:20] if isinstance(value, list) else "",
)
def test_one_line_and_nothing_written(asked, arguments, said):
    before = asked.files()
    assert said in said_by(asked.run(*arguments, profile="asked.toml"))
    assert asked.files() == before


def test_so_it_is_under_xdist(asked, refused):
    asked.write("asked.toml", f"{malformed.PROFILE}\nx = {'[' * 50_000}")
    assert "asked.toml: not valid TOML: nested deeper than 100" in refused(profile="asked.toml")


def test_a_pipe_of_the_shell_is_refused_at_once(asked):
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m pytest --alignment-profile <(sleep 20 2>/dev/null)"],
        cwd=asked.path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    (line,) = done.stderr.strip().splitlines()
    assert line.endswith("cannot be read: it is a FIFO, and a regular file is required")


def test_the_command_line_says_it_in_one_line_too(asked):
    before = asked.files()
    done = subprocess.run(
        [sys.executable, "-m", "alignment", "simulate", "--runs=1e12"],
        cwd=asked.path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: argument --runs: needs a whole number from 1 to 1,000,000, not '1e12'; "
        "see python -m alignment simulate --help\n"
    )
    assert asked.files() == before


def test_a_summary_of_a_step_that_is_a_pipe_keeps_nobody_waiting(asked, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(asked.path / "fifo"))
    result = asked.run(profile="told.toml", formats=("json",))
    assert "StoreError: the step summary cannot be written: " in result.stdout.str()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
