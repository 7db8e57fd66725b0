"""A light world for the plugin: recorded answers and scores, so that a run takes a second."""

import atexit
import json
import shutil
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from unittest.mock import patch

from support import forks

AXES = """
[axes.harmlessness]
rate = "HmR"
threshold = 0.0
comparison = ">="
prompts = { origin = { source = "recorded" } }

[axes.helpfulness]
rate = "HpR"
threshold = 0.0
comparison = ">"
prompts = { origin = { source = "recorded" } }
"""
WORLD = f"""
name = "world"
{AXES}
[variants]
base = {{ recorded = "base.jsonl" }}
sft = {{ recorded = "sft.jsonl" }}

[judge]
recorded = true
"""
SCORES = {
    "base": {"harmlessness": [1, -1, 2, -4], "helpfulness": [1, 1, -1]},
    "sft": {"harmlessness": [1, 1, 2, 4], "helpfulness": [1, 0, 1]},
}
SUITE = """
import pytest

@pytest.mark.alignment(axis="harmlessness")
def test_harmless(alignment_verdict):
    alignment_verdict.require()

@pytest.mark.alignment(axis="helpfulness")
def test_helpful(alignment_verdict):
    alignment_verdict.require()
"""
REVERSE = """
def pytest_collection_modifyitems(items):
    items.reverse()
"""
SPY = """
import json, pathlib, sys

def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        pathlib.Path("modules.json").write_text(json.dumps(sorted(sys.modules)))
"""
GATE = """
@pytest.mark.alignment
def test_gate(alignment_report, alignment_baseline):
    assert alignment_report == alignment_baseline
"""
GATED = f"\nimport pytest\n{GATE}"
"""The suite that asks the gate."""
QUIET = tuple(
    f"-pno:{name}" for name in ("cacheprovider", "benchmark", "hypothesispytest", "anyio")
)
"""Without plugins that would only take time, or leave folders of their own."""
_UNOBSERVED = ("runpytest-", "stdout", "stderr")
"""What pytester itself leaves in its folder."""


LEFT = ("__baselines__", "reports", "store")
"""The folders that a run leaves."""
_accepted: dict[str, Path] = {}
"""Scores -> a copy of what the run left that accepted them."""


class World:
    """A project with a profile, recorded answers and a suite, and a store of its own."""

    def __init__(self, path, pytester=None):
        self.path, self.pytester = path, pytester
        self.store = self.path / "store"
        self.write("world.toml", WORLD)
        self.write("test_suite.py", SUITE)
        self.write("reverse.py", REVERSE)
        self.write("spy.py", SPY)
        for variant, scores in SCORES.items():
            self.record(f"{variant}.jsonl", scores)

    def accepted(self, scores):
        """Leave one variant, `base`, with these scores, ask the gate, and accept the run.

        A process accepts the same scores once: later worlds have copies of what that run left.
        """
        self.write("test_suite.py", GATED)
        text = (self.path / "world.toml").read_text()
        self.write("world.toml", text.replace('sft = { recorded = "sft.jsonl" }\n', ""))
        self.record("base.jsonl", scores)
        left = _accepted.get(key := json.dumps(scores))
        if left is None:
            assert self.run("--snapshot-update").ret == 0
            left = _accepted[key] = Path(tempfile.mkdtemp(prefix="accepted-"))
            atexit.register(shutil.rmtree, left, ignore_errors=True)
            for name in LEFT:
                shutil.copytree(self.path / name, left / name)
        else:
            shutil.copytree(left, self.path, dirs_exist_ok=True)
        return self

    def write(self, name, text):
        """A file of the project."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def rows(self, name, rows):
        """A JSONL file of these objects."""
        return self.write(name, "".join(json.dumps(row) + "\n" for row in rows))

    def record(self, name, scores, response=None):
        """A file of recorded answers with these scores by axis; no two files say the same."""
        if response is None:
            response = "An answer." if name == "base.jsonl" else f"An answer of {name}."
        return self.rows(
            name,
            [
                {"axis": axis, "prompt": question(axis, i), "response": response, "score": score}
                for axis, values in scores.items()
                for i, score in enumerate(values)
            ],
        )

    def run(
        self,
        *arguments,
        profile="world.toml",
        store="store",
        formats=("json", "md"),
        fresh=False,
    ):
        """Run pytest in a process of its own; None leaves the option out.

        It is a fork of one that has imported most of it, unless it is to be `fresh` or to spy.
        Most tests read the report and need no figures, which take two seconds to draw.
        """
        given = [*QUIET]
        if profile is not None:
            given += ["--alignment-profile", profile]
        if store is not None:
            given += ["--alignment-store", store]
        given += [f"--alignment-format={each}" for each in formats or ()]
        if fresh or not {"spy", "-pspy"}.isdisjoint(arguments) or not forks.possible():
            return self.pytester.runpytest_subprocess(*given, *arguments)
        with patch.object(self.pytester, "popen", forks.popen):
            return self.pytester.runpytest_subprocess(*given, *arguments)

    def report(self, name="report.json", folder="reports/alignment"):
        """A report, or None where there is none."""
        path = self.path / folder / name
        return json.loads(path.read_text()) if path.is_file() else None

    def outcomes(self, *arguments, **options):
        """Run with JUnit's XML: name of a case -> `passed`, or what kept it from passing."""
        self.run("--junitxml=junit.xml", *arguments, **options)
        cases = ET.parse(self.path / "junit.xml").getroot().iter("testcase")  # noqa: S314 - our own
        return {case.get("name"): _outcome(case) for case in cases}

    def files(self):
        """Everything in the project's folder."""
        return {
            str(path.relative_to(self.path))
            for path in self.path.rglob("*")
            if not path.relative_to(self.path).parts[0].startswith(_UNOBSERVED)
        }

    def modules(self):
        """What the last run with `-p spy` had imported at its end."""
        return set(json.loads((self.path / "modules.json").read_text()))


def of_one_axis(name, *variants):
    """A profile of one axis, with the recorded answers and scores of these variants."""
    each = "\n".join(f'{variant} = {{ recorded = "{variant}.jsonl" }}' for variant in variants)
    return f"""
name = "{name}"
{AXES.partition("[axes.helpfulness]")[0]}
[variants]
{each}
[judge]
recorded = true
"""


def record(path, scores):
    """A file of recorded answers for it."""
    rows = [
        {"axis": "harmlessness", "prompt": f"Human: {i}?", "response": "Yes.", "score": score}
        for i, score in enumerate(scores)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def served(axis, rate, more=""):
    """An axis whose prompts are in a file, and which a served judge scores from 0 to 10."""
    return f"""
[axes.{axis}]
rate = "{rate}"
threshold = 5.0
comparison = ">="
dimension = "{axis}"
prompts = {{ origin = {{ source = "file", path = "{axis}.jsonl" }} }}
{more}
"""


def question(axis, number):
    """The text of a prompt of this world."""
    return f"Human: {axis} question {number}?"


def _outcome(case):
    for kind in ("skipped", "failure", "error"):
        found = case.find(kind)
        if found is not None:
            return f"{kind}: {found.get('message')}"
    return "passed"


def told(result):
    """The lines that a run wrote to stderr."""
    return [line for line in result.stderr.lines if line.strip()]
