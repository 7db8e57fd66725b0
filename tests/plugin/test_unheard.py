"""Plugins that keep our tests or their reports away: a run of which nothing is known is no pass."""

import pytest

from support.worlds import GATED

UNIT = "def test_unit():\n    pass\n"
WITHIN = ("--alignment-set=gate.against=variant:base", "--alignment-set=gate.variants=['sft']")
LOST = "AlignmentError: {} of {} selected tests marked alignment have no result, first "

REPLACES = """
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    yield
    return pytest.TestReport(item.nodeid, item.location, {}, "passed", None, call.when)
"""
STRIPS = """
def pytest_report_from_serializable(data):
    import pytest
    if data["$report_type"] == "TestReport":
        names = ("nodeid", "location", "keywords", "outcome", "when", "longrepr")
        return pytest.TestReport(**{name: data[name] for name in names})
"""
TAKES_OVER = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    return {condition}
"""
PRETENDS = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    for when in ("setup", "call", "teardown"):
        report = pytest.TestReport(item.nodeid, item.location, {}, "passed", None, when)
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""
REMOVES = """
def pytest_collection_finish(session):
    session.items[:] = [item for item in session.items if "gate" not in item.nodeid]
"""
NO_LOOP = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop():
    return True
"""
LEAVES = """
import pytest

def pytest_runtest_logfinish(nodeid):
    if "HmR" in nodeid:
        pytest.exit("enough", returncode=0)
"""


@pytest.fixture
def beside(world):
    """A gated test, and another one that always passes."""
    world.write("test_suite.py", GATED)
    world.write("test_unit.py", UNIT)
    return world


@pytest.mark.parametrize("plugin", [REPLACES, STRIPS], ids=["replaced", "stripped"])
def test_a_report_is_made_whatever_becomes_of_what_workers_report(beside, plugin):
    beside.write("conftest.py", plugin)
    assert beside.run("-n", "2", *WITHIN).ret == 0
    assert beside.report()["gate"]["decisions"]
    strict = "--alignment-set=axes.harmlessness.gate.inconclusive=fail"
    result = beside.run("-n", "2", *WITHIN, strict)
    assert result.ret == 1
    assert "Do not merge" in result.stdout.str()


@pytest.mark.parametrize(
    ("plugin", "lost", "total"),
    [
        (TAKES_OVER.format(condition="'gate' in item.nodeid or None"), 2, 2),
        (TAKES_OVER.format(condition="'HmR' in item.nodeid or None"), 1, 2),
        (PRETENDS, 2, 2),
        (REMOVES, 2, 2),
        (NO_LOOP, 2, 2),
        (LEAVES, 1, 2),
    ],
    ids=["taken over", "one taken over", "pretended", "removed", "no loop", "left"],
)
def test_gated_tests_that_left_no_result_are_no_pass(beside, plugin, lost, total):
    beside.write("conftest.py", plugin)
    result = beside.run(*WITHIN)
    assert result.ret == 1
    (line,) = [line for line in result.outlines if "have no result" in line]
    assert line.startswith(LOST.format(lost, total) + "test_suite.py::test_gate[sft-H")
    assert "May be merged" not in result.stdout.str()


@pytest.mark.parametrize(
    "plugin",
    [TAKES_OVER.format(condition="'gate' in item.nodeid or None"), PRETENDS],
    ids=["taken over", "pretended"],
)
def test_nor_are_they_in_workers(beside, plugin):
    beside.write("conftest.py", plugin)
    result = beside.run("-n", "2", *WITHIN)
    assert result.ret == 1
    (line,) = [line for line in result.outlines if "have no result" in line]
    assert line.startswith(LOST.format(2, 2))


def test_an_exit_code_that_is_made_0_late_is_not_left_so(beside):
    plugin = TAKES_OVER.format(condition="'gate' in item.nodeid or None")
    late = "\ndef pytest_unconfigure(config):\n    session.exitstatus = 0\n"
    keep = "\ndef pytest_sessionstart(session):\n    globals()['session'] = session\n"
    beside.write("conftest.py", plugin + keep + late)
    assert beside.run(*WITHIN).ret == 1


def test_nor_is_that_of_bad_input_which_showed_late(beside, monkeypatch):
    beside.write(
        "conftest.py", "import pytest\n\ndef pytest_sessionfinish():\n    pytest.exit('', 0)\n"
    )
    beside.write("alignment.toml", "nonsense = 1")
    assert beside.run(profile=None, store=None).ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize(
    "arguments",
    [("--collect-only",), ("-k", "unit"), ("--setup-plan",), ("--deselect=test_suite.py",)],
    ids=" ".join,
)
def test_what_the_user_left_out_is_no_failure(beside, arguments, workers):
    result = beside.run(*arguments, *workers, *WITHIN)
    assert result.ret == 0
    assert "have no result" not in result.stdout.str()
    assert "not decided" not in result.stdout.str()


SKIPPED = GATED.replace("@pytest.mark.alignment", "@pytest.mark.skip\n@pytest.mark.alignment")
DROPS = """
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if "gate" not in item.nodeid]
"""


def test_gated_tests_that_were_sharded_away_are_named(beside, workers):
    beside.write("conftest.py", DROPS)
    result = beside.run(*workers, *WITHIN)
    assert result.ret == 0
    assert beside.report() is None
    (line,) = [line for line in result.outlines if line.startswith("not decided")]
    assert line == (
        "not decided, because the test was not run: test_suite.py::test_gate[sft-HmR], "
        "test_suite.py::test_gate[sft-HpR]"
    )


def test_the_gate_decides_on_what_is_known_where_its_tests_are_skipped(beside, workers):
    """Recorded answers and scores are known without running a test."""
    beside.write("test_suite.py", SKIPPED)
    result = beside.run(*workers, *WITHIN)
    assert result.ret == 0
    outcomes = {each["outcome"] for each in beside.report()["gate"]["decisions"]}
    assert outcomes == {"inconclusive"}, "so few prompts decide nothing, which is tolerated"
    assert "not decided" not in result.stdout.str()
