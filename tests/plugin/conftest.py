"""A light world for the plugin: recorded answers and scores, so that a run takes a second."""

import json
import xml.etree.ElementTree as ET

import pytest

from alignment.config.layers import resolve
from alignment.progress import Progress
from alignment.store import Store, content_key
from alignment.store.answers import RESPONSE, SCORE, score_key
from alignment.study.study import Study

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
_UNNEEDED = ("cacheprovider", "benchmark", "hypothesispytest", "anyio")
"""Plugins that would only take time, or leave folders of their own."""
_UNOBSERVED = ("runpytest-", "stdout", "stderr")
"""What pytester itself leaves in its folder."""


class World:
    """A project with a profile, recorded answers and a suite, and a store of its own."""

    def __init__(self, pytester):
        self.pytester = pytester
        self.path = pytester.path
        self.store = self.path / "store"
        self.write("world.toml", WORLD)
        self.write("test_suite.py", SUITE)
        self.write("reverse.py", REVERSE)
        self.write("spy.py", SPY)
        for variant, scores in SCORES.items():
            self.record(f"{variant}.jsonl", scores)

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

    def run(self, *arguments, profile="world.toml", store="store", formats=("json", "md")):
        """Run pytest in a process of its own; None leaves the option out.

        Most tests read the report and need no figures, which take two seconds to draw.
        """
        given = [f"-pno:{name}" for name in _UNNEEDED]
        if profile is not None:
            given += ["--alignment-profile", profile]
        if store is not None:
            given += ["--alignment-store", store]
        given += [f"--alignment-format={each}" for each in formats or ()]
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


def question(axis, number):
    """The text of a prompt of this world."""
    return f"Human: {axis} question {number}?"


def _outcome(case):
    for kind in ("skipped", "failure", "error"):
        found = case.find(kind)
        if found is not None:
            return f"{kind}: {found.get('message')}"
    return "passed"


@pytest.fixture
def world(pytester, monkeypatch):
    """A project that `pytest` runs in about a second."""
    for name in ("ALIGNMENT_STORE", "GITHUB_STEP_SUMMARY", "PYTEST_ADDOPTS", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return World(pytester)


@pytest.fixture(params=[(), ("-n", "2")], ids=["plain", "xdist"])
def workers(request):
    """The arguments of a plain run and of one with two workers."""
    return request.param


def told(result):
    """The lines that a run wrote to stderr."""
    return [line for line in result.stderr.lines if line.strip()]


@pytest.fixture
def refused(world):
    """Runs pytest, plain and under xdist, and holds what every refusal is: gives the line.

    Exit code 4, one plain line on stderr and nothing else, and no file left.
    """

    def run(*arguments, **options):
        before = world.files()
        lines = []
        for workers in ((), ("-n", "2")):
            result = world.run(*arguments, *workers, **options)
            assert result.ret == pytest.ExitCode.USAGE_ERROR
            assert result.stdout.str().strip() == ""
            (line,) = told(result)
            assert line.startswith("ERROR: ")
            assert world.files() == before
            lines.append(line)
        assert lines[0] == lines[1]
        return lines[0]

    return run


@pytest.fixture
def world_of_models(world, model_folder):
    """The same with models instead of recorded answers: a file of prompts, a variant, a judge."""
    asked = """
    rate = "{rate}"
    threshold = 0.0
    comparison = ">="
    prompts = {{ origin = {{ source = "file", path = "{axis}.jsonl" }} }}
    """
    world.write(
        "models.toml",
        f"""
        name = "models"
        device = "cpu"
        [axes.harmlessness]
        {asked.format(rate="HmR", axis="harmlessness")}
        [axes.helpfulness]
        {asked.format(rate="HpR", axis="helpfulness")}
        [variants.candidate]
        model = "model"
        [judge]
        model = "judge"
        """,
    )
    for axis in ("harmlessness", "helpfulness"):
        world.rows(f"{axis}.jsonl", [{"prompt": question(axis, i)} for i in range(3)])
    model_folder(world.path / "model")
    model_folder(world.path / "judge", judge=True)
    return world


@pytest.fixture
def filled_store(world_of_models):
    """Fills the store with the answers and scores (1, 0, -1) that the models would give.

    `leave_out` is an axis without scores.
    """

    def fill(*, leave_out=None):
        world = world_of_models
        profile = resolve(world.path, selected=str(world.path / "models.toml"))
        store = Store(world.store)
        study = Study(profile, store, progress=Progress())
        policy = study.policy("candidate").identity()
        judge = study.judge().identity()
        for axis, prompts in study.prompts.items():
            for i, prompt in enumerate(prompts):
                answer = {"text": f"Answer {i}.", "stop": "eos", "tokens": 3}
                store.put(RESPONSE, {content_key(policy, prompt.text): answer})
                if axis != leave_out:
                    key = score_key(judge, (prompt.text, answer["text"]))
                    store.put(SCORE, {key: {"reward": 1.0 - i}})
        store.close()

    return fill
