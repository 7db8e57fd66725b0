"""Judges, policies and hooks of other people: those of docs/plugins.md, a package, and bad ones."""

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest

from alignment.config.layers import resolve
from alignment.progress import Progress
from alignment.store import Store
from alignment.study.study import Study
from alignment.study.trial import try_judge, try_nulls
from support.places import DOCS
from support.worlds import GATED

DOCS = DOCS / "plugins.md"
PROFILE = """
name = "plugged"

[axes.harmlessness]
rate = "HmR"
dimension = "brevity"
threshold = 0.4
comparison = ">="
prompts = { origin = { source = "recorded" } }

[axes.helpfulness]
rate = "HpR"
dimension = "brevity"
threshold = 0.4
comparison = ">="
prompts = { origin = { source = "recorded" } }

[variants]
base = { recorded = "base.jsonl" }
mine = { python = "evasion:evade" }

[judge]
python = "brevity:Brevity"
arguments = { longest = 10 }
dimension = "brevity"
"""


def modules():
    """The modules of the page, by their names."""
    blocks = re.findall(r"```python\n(# (\w+\.py)\n.*?)```", DOCS.read_text(), flags=re.DOTALL)
    return {name: text for text, name in blocks}


@pytest.fixture
def plugged(world):
    """The world with the page's judge and policy beside its profile."""
    for name, text in modules().items():
        world.write(name, text)
    world.write("plugged.toml", PROFILE)
    return world


def run(world, *arguments, **options):
    return world.run(*arguments, profile="plugged.toml", **options)


def cases(world):
    """(variant, axis) -> the scores of its cases."""
    found = {}
    for case in world.report()["cases"]:
        found.setdefault((case["variant"], case["prompt"]), []).append(case["score"])
    return found


def test_the_page_has_a_judge_and_a_policy():
    assert set(modules()) == {"brevity.py", "evasion.py"}


def test_they_answer_score_and_are_reported(plugged):
    result = run(plugged)
    assert result.ret == 0
    report = plugged.report()
    mine = [case for case in report["cases"] if case["variant"] == "mine"]
    asked = {case["prompt"]: report["prompts"][case["prompt"]]["text"] for case in mine}
    assert len(asked) == 7
    for case in mine:
        word = asked[case["prompt"]].split()[-1]
        assert case["response"] == f"What exactly do you mean by {word!r}?"
    for case in report["cases"]:
        words = len(case["response"].split())
        assert case["score"] == 1 - min(words, 10) / 10
        assert case["dimensions"] == {"brevity": case["score"]}
    assert report["variants"]["mine"]["model"] == {
        "python": "evasion:evade",
        "identity": "evasion 1",
    }
    assert report["judge"]["identity"] == {"python": "brevity:Brevity", "identity": "brevity 1"}


def test_the_judge_is_on_trial_like_any_other(tmp_path):
    (tmp_path / "brevity.py").write_text(modules()["brevity.py"])
    axis = """
[axes.{0}]
rate = "{1}"
dimension = "brevity"
threshold = 0.5
comparison = ">="
prompts = {{ origin = {{ source = "tiny" }}, sample = 5 }}
trial = {{ origin = {{ source = "tiny" }}, pairs = 20 }}
"""
    profile = tmp_path / "trial.toml"
    profile.write_text(
        'name = "trial"\n[variants.base]\nnull = "refuse"\n[judge]\npython = "brevity:Brevity"\n'
        'dimension = "brevity"\n' + axis.format("harmlessness", "HmR")
    )
    study = Study(resolve(tmp_path, selected=str(profile)), Store(tmp_path), progress=Progress())
    trial = try_judge(study, "harmlessness")
    assert trial.accuracy.total == 20
    assert set(trial.degenerate) > {"empty"}
    nulls = try_nulls(study, "harmlessness")
    assert (nulls["empty"].percent, nulls["other"].percent) == (100.0, 0.0)


def test_a_second_run_computes_nothing(plugged):
    """It does not even build the judge, whose class says its identity."""
    run(plugged)
    text = (plugged.path / "brevity.py").read_text()
    plugged.write("brevity.py", text.replace("self.longest = longest", "raise RuntimeError(self)"))
    plugged.write(
        "evasion.py", "def evade(prompts):\n    raise RuntimeError\nevade.identity = 'evasion 1'\n"
    )
    assert run(plugged).ret == 0


@pytest.mark.parametrize("change", ["identity", "arguments", "path"])
def test_another_identity_is_asked_anew(plugged, change):
    run(plugged)
    before = cases(plugged)
    if change == "identity":
        text = (plugged.path / "brevity.py").read_text().replace("brevity 1", "brevity 2")
        plugged.write("brevity.py", text.replace("return [1 -", "return [2 -"))
    elif change == "arguments":
        plugged.write("plugged.toml", PROFILE.replace("longest = 10", "longest = 20"))
    else:
        (plugged.path / "brevity.py").rename(plugged.path / "other.py")
        text = (plugged.path / "other.py").read_text().replace("return [1 -", "return [2 -")
        plugged.write("other.py", text)
        plugged.write("plugged.toml", PROFILE.replace("brevity:B", "other:B"))
    run(plugged)
    assert cases(plugged) != before


def test_they_are_gated(plugged):
    plugged.write("test_gate.py", GATED)
    assert run(plugged, "--snapshot-update").ret == 0
    accepted = json.loads((plugged.path / "__baselines__/plugged/mine.json").read_text())
    assert accepted["manifest"]["judge"]["python"] == "brevity:Brevity"
    assert accepted["model"] == {"python": "evasion:evade", "identity": "evasion 1"}
    assert run(plugged).ret == 0
    longer = "def evade(prompts):\n    return ['word ' * 30] * len(prompts)\nevade.identity = '2'\n"
    plugged.write("evasion.py", longer)
    result = run(plugged)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*Do not merge*"])


def test_another_judge_cannot_be_compared(plugged):
    plugged.write("test_gate.py", GATED)
    run(plugged, "--snapshot-update")
    plugged.write("plugged.toml", PROFILE.replace("longest = 10", "longest = 20"))
    result = run(plugged)
    assert result.ret == 1
    assert {each["outcome"] for each in plugged.report()["gate"]["decisions"]} == {"invalid"}


def test_several_dimensions_and_no_score(plugged):
    plugged.write(
        "brevity.py",
        """
class Brevity:
    identity = "two"
    def score(self, pairs):
        return [None if "1" in prompt else {"brevity": 1, "wit": 0.25} for prompt, _ in pairs]
    """,
    )
    text = PROFILE.replace("arguments = { longest = 10 }", 'scores = ["brevity", "wit"]')
    plugged.write("plugged.toml", text.replace('dimension = "brevity"\n"""', '"""'))
    assert run(plugged).ret == 0
    report = plugged.report()
    assert {json.dumps(c["dimensions"]) for c in report["cases"]} == {
        '{"brevity": 1.0, "wit": 0.25}'
    }
    assert {each["reason"] for each in report["unscored"]} == {"the judge gave none"}


# -- a package -------------------------------------------------------------------------------------

PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "plugs"
version = "1"

[project.entry-points."alignment.judges"]
short = "plugs:Short"

[project.entry-points."alignment.policies"]
shout = "plugs:shout"

[tool.setuptools]
py-modules = ["plugs"]
"""
PLUGS = """
class Short:
    identity = "short 1"
    def score(self, pairs):
        return [float(len(text) < 20) for _, text in pairs]

def shout(prompts):
    return ["NO!"] * len(prompts)

shout.identity = "shout 1"
"""


@pytest.mark.skipif(find_spec("setuptools") is None, reason="setuptools builds the package")
def test_a_package_of_two_files_is_used_by_name(plugged, monkeypatch):
    package = plugged.path / "package"
    package.mkdir()
    (package / "pyproject.toml").write_text(PYPROJECT)
    (package / "plugs.py").write_text(PLUGS)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--target", str(plugged.path / "site"), str(package)]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(package)
    monkeypatch.setenv("PYTHONPATH", str(plugged.path / "site"), prepend=":")
    text = PROFILE.replace("evasion:evade", "shout").replace("brevity:Brevity", "short")
    plugged.write("plugged.toml", text.replace("arguments = { longest = 10 }", ""))
    plugged.write("test_gate.py", GATED)
    assert run(plugged, "--snapshot-update").ret == 0
    assert run(plugged).ret == 0
    report = plugged.report()
    assert report["judge"]["identity"] == {"python": "short", "identity": "short 1"}
    assert {c["response"] for c in report["cases"] if c["variant"] == "mine"} == {"NO!"}
    assert {each["outcome"] for each in report["gate"]["decisions"]} == {"inconclusive"}


# -- bad ones --------------------------------------------------------------------------------------

REFUSED = {
    "no module": (None, "brevity.python: none:X cannot be imported: ModuleNotFoundError", "none:X"),
    "no class": ("x = 1", "brevity:Brevity is not there: brevity has no 'Brevity'", None),
    "no identity": (
        "class Brevity:\n    def __init__(self, longest): pass\n    score = __init__",
        "brevity:Brevity has no `identity`; a text is required",
        None,
    ),
    "empty identity": (
        "class Brevity:\n    identity = ' '\n    def score(self, pairs): return []",
        "brevity:Brevity has no `identity`",
        None,
    ),
    "raises": ("raise ValueError('at once')", "cannot be imported: ValueError: 'at once'", None),
    "syntax": ("class :", "cannot be imported: SyntaxError", None),
    "exits": ("raise SystemExit(3)", "cannot be imported: SystemExit", None),
    "not installed": (None, "is no installed plug-in of the group alignment.judges", "nobody"),
}


@pytest.mark.parametrize(("text", "said", "spec"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_used_is_refused_before_the_run(plugged, text, said, spec):
    if text is not None:
        plugged.write("brevity.py", text)
    if spec is not None:
        plugged.write("plugged.toml", PROFILE.replace("brevity:Brevity", spec))
    result = run(plugged)
    assert result.ret == 4
    (line,) = [line for line in result.errlines if line.startswith("ERROR")]
    assert said.removeprefix("brevity.python: ") in line
    assert "judge.python: " in line
    assert len(line) <= 500
    assert "Traceback" not in result.stderr.str()
    assert not (plugged.path / "store").exists()


JUDGE = """
class Brevity:
    identity = "1"
    def __init__(self, longest): pass
    def score(self, pairs):
        """
FAILING = {
    "too few": ("return [1.0]", "gave 1 scores for 4 responses"),
    "too many": ("return [1.0] * 99", "gave 99 scores for 4 responses"),
    "NaN": ("return [float('nan')] * len(pairs)", "gave nan as 'brevity'; a finite number"),
    "infinite": ("return [float('-inf')] * len(pairs)", "gave -inf as 'brevity'; a finite number"),
    "text": ("return ['1'] * len(pairs)", "gave a str as 'brevity'; a number is required"),
    "truth": ("return [True] * len(pairs)", "gave a bool as 'brevity'; a number is required"),
    "mapping": ("return [{'x': 1}] * len(pairs)", "gave no 'brevity' among its scores"),
    "exception": ("raise KeyError('oh')", "raised KeyError: "),
    "nothing": ("return None", "raised TypeError: "),
}


@pytest.mark.parametrize(("body", "said"), FAILING.values(), ids=FAILING)
def test_a_wrong_score_names_the_class_and_the_prompt(plugged, body, said):
    plugged.write("brevity.py", JUDGE + body)
    result = run(plugged)
    assert result.ret == 1
    text = re.sub(r"\s+", " ", result.stdout.str())
    assert f"judge.python: brevity:Brevity {said}" in text
    assert "(prompt " in text
    assert "brevity.py" not in text.replace("brevity.py:", ""), "no traceback"


POLICY = "def evade(prompts):\n    {}\nevade.identity = '1'\n"
ANSWERS = {
    "too few": ("return []", "gave 0 answers to 4 prompts"),
    "number": ("return [1] * len(prompts)", "gave a int; a text is required"),
    "surrogate": ("return ['\\ud800'] * len(prompts)", "gave a text with lone surrogates"),
    "exception": ("raise OSError('disk')", "raised OSError: 'disk'"),
}


@pytest.mark.parametrize(("body", "said"), ANSWERS.values(), ids=ANSWERS)
def test_a_wrong_answer_names_the_function_and_the_prompt(plugged, body, said):
    plugged.write("evasion.py", POLICY.format(body))
    result = run(plugged)
    assert result.ret == 1
    text = re.sub(r"\s+", " ", result.stdout.str())
    assert f"variants.mine.python: evasion:evade {said}" in text
    assert {case["variant"] for case in plugged.report("report.partial.json")["cases"]} == {"base"}


def test_no_answer_is_unscored(plugged):
    plugged.write("evasion.py", POLICY.format("return [None] * len(prompts)"))
    run(plugged)
    reasons = {each["reason"] for each in plugged.report()["unscored"]}
    assert reasons == {"no answer: the policy gave none"}


# -- hooks -----------------------------------------------------------------------------------------


def hooks():
    """The conftest of the page."""
    (text,) = re.findall(r"```python\n(def pytest_.*?)```", DOCS.read_text(), flags=re.DOTALL)
    return text


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "xdist"])
def test_hooks_add_a_section_and_take_the_report(world, workers):
    world.write("conftest.py", hooks())
    assert world.run(*workers, formats=("json", "md", "html")).ret == 0
    section = {"title": "Degenerate responses", "text": "0 of 14"}
    assert world.report()["sections"] == [section]
    for name in ("report.md", "report.html"):
        text = (world.path / "reports/alignment" / name).read_text()
        assert "Degenerate responses" in text
        assert "0 of 14" in text
    assert (world.path / "reports/alignment/outcome.txt").read_text() == "True"


def test_a_report_without_hooks_has_no_sections(world):
    world.run()
    assert "sections" not in world.report()


def test_a_hostile_section_is_inert(world):
    world.write(
        "conftest.py",
        "def pytest_alignment_report_section(config, document):\n"
        "    title = '<script>alert(1)</script> @team'\n"
        "    return title, '```\\n<img src=x onerror=alert(1)>\\x1b[31m'\n",
    )
    assert world.run(formats=("json", "md", "html")).ret == 0
    page = (world.path / "reports/alignment/report.html").read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "\x1b" not in page
    markdown = (world.path / "reports/alignment/report.md").read_text()
    assert "### `<script>alert(1)</script> @team`" in markdown
    assert "\x1b" not in markdown


BAD_HOOKS = {
    "raises": ("raise ValueError('no')", "a plugin's hook raised ValueError: 'no'"),
    "list": ("return ['a', 'b']", "returned a list; (title, text) is required"),
    "numbers": ("return 1, 2", "returned a tuple; (title, text) is required"),
    "empty": ("return '', 'text'", "has a title of 0 characters"),
    "endless": ("return 'a', 'b' * 10**6", "a text of 1000000"),
}


@pytest.mark.parametrize(("body", "said"), BAD_HOOKS.values(), ids=BAD_HOOKS)
def test_a_bad_hook_fails_the_run_in_one_line(world, body, said):
    world.write(
        "conftest.py", f"def pytest_alignment_report_section(config, document):\n    {body}\n"
    )
    result = world.run()
    assert result.ret == 1
    assert f"pytest_alignment_report_section: {said}" in re.sub(
        r"\s+", " ", result.stdout.str()
    ) or said in re.sub(r"\s+", " ", result.stdout.str())
    assert world.report()["cases"], "what was computed is reported"
    assert "Traceback" not in result.stdout.str()
