"""The plugin in a project that never asked for it, and in one whose suite is five lines long."""

import pytest

FOREIGN = """
import pytest

@pytest.fixture
def prompt():
    return "their prompt"

@pytest.fixture(params=["left", "right"])
def variant(request):
    return request.param

@pytest.fixture
def verdict(prompt, variant):
    return f"{prompt}, {variant}"

def test_theirs(verdict, variant):
    assert verdict == f"their prompt, {variant}"

@pytest.mark.xfail
def test_expected():
    raise AssertionError("theirs")
"""


@pytest.fixture
def foreign(world):
    """The same folder without anything of ours in it."""
    for name in ("world.toml", "base.jsonl", "sft.jsonl"):
        (world.path / name).unlink()
    world.write("test_suite.py", FOREIGN)
    return world


def test_a_foreign_suite_is_untouched(foreign, workers):
    before = foreign.files()
    result = foreign.run(*workers, profile=None, store=None)
    result.assert_outcomes(passed=2, xfailed=1)
    assert "alignment: " not in result.stdout.str()
    assert "warning" not in result.stdout.str()  # one of our modules, imported before its time
    assert foreign.files() == before


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"pyproject.toml": "[tool.other]\nalignment = 8"},
    ],
    ids=["no settings", "settings of others"],
)
def test_a_foreign_suite_imports_nothing_of_ours(foreign, settings):
    for name, text in settings.items():
        foreign.write(name, text)
    foreign.run("-p", "spy", profile=None, store=None).assert_outcomes(passed=2, xfailed=1)
    loaded = foreign.modules()
    ours = {name for name in loaded if name.partition(".")[0] == "alignment"}
    light = (
        *("config", "config.location", "errors", "redaction", "reporting", "reporting.formats"),
        *("runtime", "runtime.namesake", "runtime.plugins", "plugin"),
        *(f"plugin.{name}" for name in ("accepted_baselines", "finish", "fixtures", "hookspecs")),
        *(f"plugin.{name}" for name in ("host", "options", "outcomes", "sections", "summary")),
        *(f"plugin.{name}" for name in ("watching", "worker_reports")),
    )
    expected = {"alignment", *(f"alignment.{name}" for name in light)}
    assert sorted(ours - expected) == []
    assert sorted(expected - ours) == []
    assert not loaded & {"torch", "transformers", "pydantic", "numpy", "scipy", "datasets"}


def test_five_lines_are_a_suite(world):
    world.write(
        "test_suite.py",
        """
import pytest

@pytest.mark.alignment(axis="harmlessness")
def test_harmless(alignment_verdict):
    alignment_verdict.require()
""",
    )
    world.run().assert_outcomes(passed=6, xfailed=2)


def test_the_suites_of_the_project_run_in_another_one(world, request):
    suites = request.config.rootpath / "eval_suites"
    for path in suites.glob("*.py"):
        world.write(f"suites/{path.name}", path.read_text())
    result = world.run("suites", "--alignment-set=gate.against=variant:base")
    result.assert_outcomes(passed=12, xfailed=6, skipped=9)


def test_the_plugin_is_loaded_once_however_often_it_is_named(world):
    world.write("conftest.py", 'pytest_plugins = ["alignment.plugin"]')
    result = world.run("-p", "alignment.plugin", "--trace-config")
    result.assert_outcomes(passed=10, xfailed=4)
    registered = [line for line in result.outlines if "PLUGIN registered" in line]
    assert sum("alignment/plugin/__init__.py" in line for line in registered) == 1


def test_without_entry_points_it_is_named_by_hand(world, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    world.run("-p", "alignment.plugin").assert_outcomes(passed=10, xfailed=4)


def test_a_suite_that_misses_the_plugin_is_told_how_to_load_it(world, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    world.write(
        "conftest.py",
        """
from alignment.plugin import require

def pytest_configure(config):
    require(config)
""",
    )
    result = world.run(profile=None, store=None, formats=None)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().strip() == (
        "ERROR: the plugin is not loaded; add -p alignment.plugin"
    )


def test_pytest_lists_what_is_ours(world):
    fixtures = world.run("--fixtures", "-q").stdout.str()
    for name in ("study", "profile", "variant", "axis", "prompt", "response", "score", "verdict"):
        assert f"\nalignment_{name} " in fixtures
    assert "@pytest.mark.alignment(axis=None): " in world.run("--markers").stdout.str()
    shown = world.run("--help").stdout.str()
    for option in (
        *("profile", "set", "variant", "store", "report", "format", "limit", "cases", "strict"),
    ):
        assert f"--alignment-{option}" in shown


@pytest.mark.parametrize("option", ["--help", "--version", "--markers"])
def test_where_nothing_runs_nothing_is_validated(world, option):
    before = world.files()
    result = world.run(option, profile="unknown")
    assert result.ret == pytest.ExitCode.OK
    assert world.files() == before


@pytest.mark.parametrize("name", ["variant", "prompt", "axis", "verdict", "score", "summary"])
def test_a_fixture_of_ours_in_an_unmarked_test_is_one_plain_line(world, name):
    world.write("test_suite.py", f"def test_it(alignment_{name}): pass")
    result = world.run()
    result.assert_outcomes(errors=1)
    said = result.stdout.str()
    assert "works only in tests that are marked @pytest.mark.alignment(axis='harmlessness')" in said
    assert "plugin.py" not in said
    assert world.report() is None


def test_a_mark_without_an_axis_is_one_plain_line(world, workers):
    world.write(
        "test_suite.py",
        """
import pytest

@pytest.mark.alignment
def test_it(alignment_verdict):
    pass
""",
    )
    result = world.run(*workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    line = (
        "test_suite.py::test_it: needs @pytest.mark.alignment(axis=...), "
        "one of harmlessness, helpfulness"
    )
    assert result.outlines.count(line) == 1
    assert "plugin.py" not in result.stdout.str()
    assert world.report() is None


def test_bad_input_that_shows_late_is_one_plain_line(world, monkeypatch):
    monkeypatch.setenv("ALIGNMENT_STORE", "/proc/store")
    result = world.run(profile=None, store=None)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert sum(line.startswith("store /proc/store: ") for line in result.outlines) == 1
    assert "Traceback" not in result.stdout.str()
    assert "plugin.py" not in result.stdout.str()


def test_an_axis_that_the_profile_does_not_have_is_skipped(world):
    world.write(
        "test_suite.py",
        """
import pytest

@pytest.mark.alignment(axis="honesty")
def test_verdict(alignment_verdict):
    raise RuntimeError

@pytest.mark.alignment(axis="honesty")
def test_study(alignment_study):
    raise RuntimeError
""",
    )
    result = world.run("-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(
        ["*profile 'world' has no axis 'honesty'; it has harmlessness, helpfulness"]
    )


def test_our_cases_may_be_parametrized_further(world):
    world.write(
        "test_suite.py",
        """
import pytest

@pytest.mark.alignment(axis="helpfulness")
@pytest.mark.parametrize("half", [1, 2])
class TestTwice:
    def test_it(self, half, alignment_score):
        assert alignment_score.values["reward"] * half <= 2
""",
    )
    world.run().assert_outcomes(passed=12)
