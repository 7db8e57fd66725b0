"""The gate is not what a test's body makes of it, and the exit code says what the report says."""

import os
import subprocess
import sys

import pytest

from support.worlds import GATED

N = 100
GOOD = {"harmlessness": [1] * 90 + [-1] * 10, "helpfulness": [1] * 60 + [-1] * 40}
FALLEN = {"harmlessness": [-2] * 30 + [1] * 60 + [-1] * 10, "helpfulness": GOOD["helpfulness"]}
OPEN = {"harmlessness": [-2] * 8 + [1] * 82 + [-1] * 10, "helpfulness": GOOD["helpfulness"]}
BODIES = """
import unittest
import pytest

pytestmark = pytest.mark.alignment

def test_compares(alignment_report, alignment_baseline):
    alignment_report == alignment_baseline

def test_asserts_something_else(alignment_report, alignment_baseline):
    assert True

def test_swallows(alignment_report, alignment_baseline):
    try:
        assert alignment_report == alignment_baseline
    except AssertionError:
        pass

def test_suppresses_all(alignment_report, alignment_baseline):
    with pytest.raises(AssertionError):
        assert alignment_report == alignment_baseline
        raise AssertionError

def test_skips(alignment_report, alignment_baseline):
    pytest.skip("later")

def test_skips_as_unittest_does(alignment_report, alignment_baseline):
    raise unittest.SkipTest("later")

def test_expects(alignment_report, alignment_baseline):
    pytest.xfail("known")

@pytest.mark.xfail
def test_is_expected_to_fail(alignment_report, alignment_baseline):
    assert alignment_report == alignment_baseline

@pytest.mark.xfail(raises=ZeroDivisionError)
def test_is_expected_to_crash(alignment_report, alignment_baseline):
    1 / 0

def test_never_asks_for_the_baseline(alignment_report):
    pass

def test_changes_the_report(alignment_report, alignment_baseline):
    alignment_report.passes = True
    assert alignment_report == alignment_baseline

def test_finds_a_negative_verdict(alignment_report, alignment_baseline):
    from alignment import NegativeVerdict
    raise NegativeVerdict("mine")

async def test_is_never_awaited(alignment_report, alignment_baseline):
    assert alignment_report == alignment_baseline

def test_asks_while_it_runs(request, alignment_variant, alignment_axis):
    request.getfixturevalue("alignment_report")

def test_forgets_what_it_was_given(request, alignment_report):
    request.node.funcargs.clear()

@pytest.fixture
def another(alignment_report):
    return alignment_report

def test_asks_by_another_name(another):
    pass

class TestMethod:
    def test_returns(self, alignment_report, alignment_baseline):
        return None
"""


@pytest.fixture
def gated(world):
    """A world with an accepted baseline of one variant."""
    return world.accepted(GOOD)


def agrees(world, result):
    """The exit code, which has to be what the terminal and the report say."""
    said = " ".join(result.outlines)
    forbids = "Do not merge" in said
    allows = any(lead in said for lead in ("May be merged", "Check before you merge"))
    assert forbids != allows, said
    assert (result.ret == 0) == allows
    assert world.report()["run"]["exit_status"] == result.ret
    text = (world.path / "reports/alignment/report.md").read_text()
    assert text.startswith("## Do not merge") == forbids
    return result.ret


def test_a_gated_test_fails_whatever_its_body_does(gated, workers):
    gated.record("base.jsonl", FALLEN)
    gated.write("test_suite.py", BODIES)
    found = gated.outcomes(*workers)
    lost = {name: outcome for name, outcome in found.items() if name.endswith("[base-HmR]")}
    assert len(lost) == 16
    assert {outcome.partition(":")[0] for outcome in lost.values()} == {"failure"}, lost
    own = ("crash", "finds", "awaited")
    for name, outcome in lost.items():
        headline = outcome.startswith("failure: base HmR: FAIL: 90.0 to 60.0 %")
        assert headline != any(word in name for word in own), name
    asked = [outcome for name, outcome in sorted(found.items()) if "asks_while" in name]
    assert [outcome.startswith("failure: base HmR: FAIL") for outcome in asked] == [True, False]
    # The axis that kept its rate is left to the bodies.
    assert found["test_compares[base-HpR]"] == "passed"
    assert found["test_skips[base-HpR]"].startswith("skipped")
    assert found["test_is_expected_to_crash[base-HpR]"].startswith("skipped")


def test_what_the_profile_tolerates_is_xfailed_whatever_a_body_does(gated):
    gated.record("base.jsonl", OPEN)
    gated.write(
        "test_suite.py",
        BODIES + "\n\ndef test_compares_and_finds_more(alignment_report, alignment_baseline):\n"
        "    alignment_report == alignment_baseline\n    assert 1 == 2\n",
    )
    found = gated.outcomes()
    for name in ("compares", "asserts_something_else", "swallows", "skips", "expects"):
        assert found[f"test_{name}[base-HmR]"].startswith("skipped: base HmR: INCONCLUSIVE"), name
    assert found["test_compares_and_finds_more[base-HmR]"].startswith("failure: assert 1 == 2")
    assert found["test_finds_a_negative_verdict[base-HmR]"] == "skipped: mine"


@pytest.mark.parametrize("update", [(), ("--snapshot-update", "--alignment-reason=why")])
def test_stripped_assertions_change_nothing(gated, update):
    gated.record("base.jsonl", FALLEN)
    before = (gated.path / "__baselines__/world/base.json").read_bytes()
    command = [
        *(sys.executable, "-O", "-m", "pytest", "--assert=plain", "-p", "no:cacheprovider"),
        *("--alignment-profile=world.toml", "--alignment-store=store", "--alignment-format=json"),
    ]
    done = subprocess.run(
        [*command, *update], cwd=gated.path, env=os.environ, capture_output=True, check=False
    )
    after = (gated.path / "__baselines__/world/base.json").read_bytes()
    assert (done.returncode, after == before) == ((0, False) if update else (1, True))


NEVER_RUN = """
import pytest

@pytest.fixture
def out_of_reach(alignment_baseline):
    pytest.skip("not here")

@pytest.mark.skip
@pytest.mark.alignment
def test_skipped(alignment_report, alignment_baseline):
    assert alignment_report == alignment_baseline

@pytest.mark.xfail(run=False)
@pytest.mark.alignment
def test_not_run(alignment_report, alignment_baseline):
    assert alignment_report == alignment_baseline

@pytest.mark.alignment
def test_out_of_reach(alignment_report, alignment_baseline, out_of_reach):
    assert alignment_report == alignment_baseline
"""
ANOTHER = """
import pytest

@pytest.mark.alignment(axis="helpfulness")
def test_helpful(alignment_score):
    pass
"""
HELPFUL = """
import pytest

@pytest.mark.alignment(axis="helpfulness")
def test_helpful(alignment_verdict):
    alignment_verdict.require()
"""
CHEATS = """
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport():
    report = yield
    report.outcome = "passed"
    return report
"""

REPLACES = """
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    yield
    return pytest.TestReport(item.nodeid, item.location, {}, "passed", None, call.when)
"""
LAST = """
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session):
    yield
    session.exitstatus = 0
"""
LEAVES = """
import pytest

def pytest_sessionfinish():
    pytest.exit("enough", returncode=0)
"""


@pytest.mark.parametrize(
    ("hook", "workers"), [(LAST, ()), (LAST, ("-n", "2")), (LEAVES, ())], ids=["", "n2", "leaves"]
)
def test_whoever_sets_the_exit_code_last_does_not_open_the_gate(gated, hook, workers):
    gated.write("conftest.py", hook)
    assert gated.run(*workers).ret == 0
    gated.record("base.jsonl", FALLEN)
    result = gated.run(*workers)
    assert result.ret == gated.report()["run"]["exit_status"] == 1
    assert result.stderr.str().splitlines()[-1].startswith("Do not merge: harmlessness (HmR)")


def test_an_exit_code_that_comes_late_is_told_last(gated):
    gated.write("conftest.py", LAST.replace("= 0", "= 7"))
    result = gated.run()
    assert result.ret == gated.report()["run"]["exit_status"] == 7
    said = "Do not merge yet: the run ended with exit code 7; no gated rate"
    assert said in result.stderr.str()
    text = (gated.path / "reports/alignment/report.md").read_text()
    assert text.startswith(f"## {said}")


@pytest.mark.parametrize(
    ("files", "arguments"),
    [
        ({"test_suite.py": NEVER_RUN}, ()),
        ({"test_suite.py": NEVER_RUN}, ("-n", "2")),
        ({"test_more.py": ANOTHER}, ("-k", "helpful")),
        ({"test_more.py": ANOTHER}, ("--deselect=test_suite.py::test_gate[base-HmR]",)),
        ({"conftest.py": CHEATS}, ()),
        ({"conftest.py": REPLACES}, ()),
    ],
    ids=["never run", "by workers", "deselected", "one deselected", "turned round", "replaced"],
)
def test_a_gate_that_blocks_is_never_exit_code_0(gated, files, arguments):
    for name, text in files.items():
        gated.write(name, text)
    assert agrees(gated, gated.run(*arguments)) == 0
    gated.record("base.jsonl", FALLEN)
    result = gated.run(*arguments)
    assert agrees(gated, result) == 1
    assert "the gate does not pass, although no test failed: see the report" in result.outlines


def test_a_run_that_fails_never_may_be_merged(gated):
    gated.write("test_more.py", "def test_fails():\n    assert False\n")
    for scores in (GOOD, OPEN):
        gated.record("base.jsonl", scores)
        result = gated.run()
        assert agrees(gated, result) == 1
        assert "Do not merge yet: the run ended with exit code 1; " in " ".join(result.outlines)


@pytest.mark.parametrize("arguments", [("-x",), ("--maxfail=1", "-n", "2")], ids=" ".join)
def test_a_run_that_is_cut_short_says_what_its_exit_code_says(gated, arguments):
    gated.record("base.jsonl", FALLEN)
    assert agrees(gated, gated.run(*arguments)) != 0


@pytest.mark.parametrize("inconclusive", ["warn", "fail"])
@pytest.mark.parametrize("strict", [(), ("--alignment-strict",)])
def test_what_is_tolerated_is_what_the_exit_code_tolerates(gated, inconclusive, strict):
    gated.record("base.jsonl", OPEN)
    setting = f"--alignment-set=axes.harmlessness.gate.inconclusive={inconclusive}"
    assert agrees(gated, gated.run(setting, *strict)) == (inconclusive == "fail")
    gated.write("test_more.py", HELPFUL)
    found = agrees(gated, gated.run(setting, *strict))
    assert found == (inconclusive == "fail" or bool(strict))


@pytest.mark.parametrize("obstacle", ["report", "summary"])
def test_what_cannot_be_written_is_no_reason_to_merge(gated, obstacle, monkeypatch):
    if obstacle == "summary":
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(gated.path))
        result = gated.run()
        assert gated.report()["run"]["exit_status"] == 1
    else:
        (gated.path / "reports/alignment/report.md").unlink()
        (gated.path / "reports/alignment/report.md/in/the/way").mkdir(parents=True)
        result = gated.run()
    assert result.ret == 1
    assert "Do not merge yet: the run ended with exit code 1; " in result.stdout.str()
    assert sum(line.startswith("StoreError: ") for line in result.outlines) == 1


def test_without_a_terminal_the_exit_code_has_its_line(gated):
    gated.write("test_suite.py", NEVER_RUN)
    gated.record("base.jsonl", FALLEN)
    result = gated.run("-p", "no:terminal")
    assert result.ret == 1
    assert result.errlines == ["the gate does not pass, although no test failed: see the report"]


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (
            "axis='harmlesness'",
            (
                "test_suite.py::test_gate: is a gated test, but profile 'world' has no axis "
                "'harmlesness'; it has harmlessness, helpfulness"
            ),
        ),
        (
            "axes='harmlessness'",
            (
                "test_suite.py::test_gate: @pytest.mark.alignment(axes='harmlessness'): the only "
                "argument is axis='NAME'; write @pytest.mark.alignment(axis='harmlessness') or "
                "another axis of the profile"
            ),
        ),
        ("'harmlessness'", "@pytest.mark.alignment('harmlessness'): the only argument is"),
        (
            "axis=['harmlessness']",
            "@pytest.mark.alignment(axis=['harmlessness']): the only argument",
        ),
    ],
)
def test_a_misspelled_mark_of_a_gated_test_is_bad_input(gated, mark, said):
    gated.write("test_suite.py", GATED.replace("alignment\n", f"alignment({mark})\n", 1))
    result = gated.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert sum(said in line for line in result.outlines) == 1
    assert "Traceback" not in result.stdout.str()


def test_a_test_that_is_run_again_is_told_once(gated):
    gated.write(
        "conftest.py",
        """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    for reports in [runtestprotocol(item, nextitem=nextitem, log=False) for _ in range(3)][-1:]:
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
    return True
""",
    )
    gated.record("base.jsonl", FALLEN)
    result = gated.run("--junitxml=junit.xml")
    result.assert_outcomes(failed=1, passed=1)
    assert agrees(gated, result) == 1
    assert (gated.path / "junit.xml").read_text().count('name="alignment.rate"') == 2


def test_the_flips_are_shown_whatever_is_captured(gated, workers):
    gated.record("base.jsonl", FALLEN)
    for option in ("no", "stdout"):
        shown = gated.run("-q", f"--show-capture={option}", *workers).stdout.str()
        assert shown.count("  lost   ") == 10
