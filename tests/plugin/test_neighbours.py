"""Other tests of a repository with our settings: they pay nothing, and hear nothing of ours."""

import shutil

import pytest

GATED = """
import pytest

@pytest.mark.alignment
def test_gate(alignment_report, alignment_baseline):
    assert alignment_report == alignment_baseline

@pytest.mark.alignment(axis="harmlessness")
def test_harmless(alignment_verdict):
    alignment_verdict.require()
"""
HUB = """
[axes.harmlessness]
rate = "HmR"
threshold = 0.0
comparison = ">="
prompts = { origin = { source = "dataset", dataset = "nobody/nothing" } }
[variants.candidate]
model = "./nowhere"
[judge]
model = "nobody/judge"
"""
CONFTEST = """
from alignment.plugin import require

def pytest_configure(config):
    require(config)
"""
UNIT = "def test_unit():\n    pass\n"


@pytest.fixture
def repository(world):
    """A repository whose settings need what is not there: a hub, or a profile that is valid."""
    world.write("pytest.ini", "[pytest]\n")
    world.write("tests/test_unit.py", UNIT)
    world.write("eval_suites/test_gate.py", GATED)
    (world.path / "test_suite.py").unlink()
    return world


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("alignment.toml", HUB),
        ("alignment.toml", "no toml"),
        ("pyproject.toml", "[tool.alignment]\nnonsense = 1"),
    ],
    ids=["hub", "broken", "unknown key"],
)
def test_tests_beside_our_settings_are_run_without_looking_at_these(repository, name, text):
    repository.write(name, text)
    before = repository.files()
    for arguments in (("tests",), ("tests", "--co"), ("tests", "-n", "2"), ("--fixtures",)):
        result = repository.run("-pspy", *arguments, profile=None, store=None, formats=None)
        assert result.ret == 0
        loaded = repository.modules()
        assert not loaded & {"alignment.plugin.session", "alignment.config.layers", "pydantic"}
    assert repository.files() - {"modules.json"} == before


@pytest.mark.parametrize("conftest", [True, False])
def test_a_marked_test_has_the_settings_looked_at(repository, conftest, workers):
    repository.write("alignment.toml", "nonsense = 1")
    if conftest:
        repository.write("eval_suites/conftest.py", CONFTEST)
    for arguments in (("eval_suites",), ()):
        result = repository.run(*arguments, *workers, profile=None, store=None)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        said = result.outlines + result.errlines
        assert sum("nonsense: unknown key" in line for line in said if "ERROR e" not in line) == 1
        assert "Traceback" not in "".join(said)


def test_an_option_has_the_settings_looked_at(repository):
    repository.write("alignment.toml", "nonsense = 1")
    result = repository.run("tests", profile=None)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "nonsense: unknown key" in result.stderr.str()


@pytest.mark.parametrize(
    "arguments",
    [
        ("-k", "test_unit"),
        ("-m", "not alignment"),
        ("-k", "test_unit", "-n", "2"),
        ("-k", "nothing"),
        ("--deselect=eval_suites",),
        ("--setup-plan",),
        ("--setup-only",),
        ("--setup-plan", "-n", "2"),
        ("--collect-only",),
        ("--fixtures",),
        ("--fixtures-per-test",),
        ("--markers",),
    ],
    ids=" ".join,
)
def test_where_no_test_of_ours_ran_nothing_of_ours_is_said_or_written(repository, arguments):
    reports = repository.path / "reports"
    repository.run("--alignment-set=gate.against=variant:base", "-k", "gate")
    before = (reports / "alignment/report.json").read_bytes()
    for kept in (True, False):
        if not kept:
            shutil.rmtree(reports)
        result = repository.run("--alignment-set=gate.against=variant:base", *arguments)
        said = result.stdout.str()
        assert "alignment: world" not in said
        assert "Do not merge" not in said
        assert "report: " not in said
        assert result.ret in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
        if kept:
            assert (reports / "alignment/report.json").read_bytes() == before
        else:
            assert not reports.exists()


@pytest.mark.parametrize("conftest", ["", CONFTEST], ids=["", "required"])
def test_who_leaves_our_tests_out_by_their_mark_needs_none_of_our_settings(repository, conftest):
    repository.write("alignment.toml", HUB)
    repository.write("eval_suites/conftest.py", conftest)
    before = repository.files()
    for marks in (
        "not alignment",
        "not alignment and (slow or not slow)",
        "not (alignment or gpu)",
    ):
        result = repository.run("-m", marks, profile=None, store=None, formats=None)
        result.assert_outcomes(passed=1, deselected=2)
        assert repository.files() == before


def test_a_mark_that_a_test_may_yet_get_is_no_reason_to_leave_it_out(gated_by_hand):
    result = gated_by_hand.run("-m", "late and not early")
    result.assert_outcomes(passed=2)


@pytest.fixture
def gated_by_hand(world):
    """A world whose tests get a mark of the repository's own after they were collected."""
    marks = "[pytest]\nmarkers =\n    late: ours\n    early: theirs\n"
    world.write("pytest.ini", marks)
    world.write(
        "test_suite.py",
        "import pytest\n\n@pytest.mark.alignment\ndef test_all(alignment_variant):\n    pass\n",
    )
    world.write(
        "conftest.py",
        "import pytest\n\n@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items:\n        item.add_marker('late')\n",
    )
    return world


SAID = "alignment: its tests cannot run{}: dataset 'nobody/nothing' "


@pytest.fixture
def unread(repository):
    """A repository whose profile is good, and whose prompts are at a hub that is not asked."""
    judged = HUB.replace('model = "nobody/judge"', "recorded = true")
    answered = judged.replace('model = "./nowhere"', 'recorded = "base.jsonl"')
    repository.write("far.toml", f'name = "far"\n{answered}')
    repository.write("alignment.toml", 'extends = "far.toml"')
    repository.write("eval_suites/conftest.py", CONFTEST)
    return repository


@pytest.mark.parametrize("arguments", [(), ("eval_suites", "tests")], ids=["", "named"])
def test_who_selects_none_of_ours_by_name_needs_no_prompts(unread, workers, arguments):
    result = unread.run(*arguments, "-k", "unit", *workers, profile=None)
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] == 1
    (line,) = [line for line in result.outlines if line.startswith("alignment: ")]
    assert line.startswith(SAID.format(", and none was selected"))


@pytest.mark.parametrize("chosen", ["unit or candidate", "not unit", "HmR or unit", "harmless"])
def test_who_may_select_one_of_ours_is_told_why_it_cannot_run(unread, workers, chosen):
    before = unread.files()
    result = unread.run("-k", chosen, *workers, profile=None, store=None)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = [line for line in result.outlines if line.startswith("dataset 'nobody/nothing' ")]
    assert len(said) == 1
    assert "Traceback" not in result.stdout.str()
    assert unread.files() == before


def test_a_case_that_is_named_by_its_id_is_refused_at_once(unread):
    name = "eval_suites/test_gate.py::test_harmless[candidate-x]"
    result = unread.run(name, "-k", "unit", profile=None)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "dataset 'nobody/nothing' " in result.stderr.str()


def test_our_tests_are_listed_without_their_prompts(unread):
    result = unread.run("--collect-only", "-q", profile=None)
    assert result.ret == 0
    assert "eval_suites/test_gate.py::test_harmless[candidate]" in result.outlines
    assert "eval_suites/test_gate.py::test_gate[candidate-HmR]" in result.outlines
    (line,) = [line for line in result.outlines if line.startswith("alignment: ")]
    assert line.startswith(SAID.format(""))
