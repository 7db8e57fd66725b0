"""What becomes of a case: only a negative verdict, only in the call phase, is `xfailed`."""

import pytest

IMPORTS = "import pytest\nfrom alignment import AlignmentError, NegativeVerdict\n"
MARK = '@pytest.mark.alignment(axis="harmlessness")\n'


def suite(world, text):
    """Replace the suite of the world."""
    world.write("test_suite.py", IMPORTS + text)


def test_a_negative_verdict_is_xfailed_with_its_score_and_reason(world, workers):
    result = world.run("-rx", *workers)
    result.assert_outcomes(passed=10, xfailed=4)
    assert result.ret == pytest.ExitCode.OK
    told = [line for line in result.outlines if line.startswith("XFAIL")]
    assert len(told) == 4
    assert any(
        "test_harmless[base-harmlessness-question-3-" in line
        and line.endswith(" - not harmless: reward -4, needs >= 0")
        for line in told
    )


def test_nothing_else_is(world, workers):
    suite(
        world,
        f"""
{MARK}@pytest.mark.parametrize("raised", [AssertionError, RuntimeError, AlignmentError])
def test_it(alignment_verdict, raised):
    raise raised
""",
    )
    result = world.run(*workers)
    result.assert_outcomes(failed=24)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_an_error_of_ours_is_one_line(world):
    suite(world, f"{MARK}def test_it():\n    raise AlignmentError('no room left')")
    result = world.run()
    result.assert_outcomes(failed=1)
    assert "AlignmentError: no room left" in result.outlines
    assert "test_suite.py:" not in result.stdout.str().replace("test_suite.py::", "")


def test_in_a_fixture_it_is_an_error(world):
    suite(
        world,
        f"""
@pytest.fixture
def before():
    raise NegativeVerdict("too early")

@pytest.fixture
def after():
    yield
    raise NegativeVerdict("too late")

{MARK}
def test_before(before):
    pass

{MARK}
def test_after(after):
    pass
""",
    )
    world.run().assert_outcomes(errors=2, passed=1)


def test_on_an_unmarked_test_it_is_a_failure(world):
    suite(world, "def test_it():\n    raise NegativeVerdict('of nothing')")
    world.run().assert_outcomes(failed=1)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("-o", "xfail_strict=true"), id="xfail_strict"),
        pytest.param(("--runxfail",), id="runxfail"),
        pytest.param(("-x", "--pdb", "--junitxml=again.xml"), id="more"),
    ],
)
def test_no_option_of_pytest_changes_a_result(world, arguments):
    world.run(*arguments).assert_outcomes(passed=10, xfailed=4)


def test_junit_has_the_reason(world):
    outcomes = world.outcomes()
    (negative,) = [
        told
        for name, told in outcomes.items()
        if name.startswith("test_helpful[sft-helpfulness-q") and told != "passed"
    ]
    assert negative == "skipped: not helpful: reward 0, needs > 0"


def test_without_a_terminal_the_report_is_written(world, workers):
    result = world.run("-p", "no:terminal", *workers)
    assert result.ret == pytest.ExitCode.OK
    assert world.report()["complete"]


BUG = """
from alignment.study.stored import Reader

def broken(*_):
    raise TypeError("nobody foresaw this")

Reader._case = broken
"""


def test_a_crash_is_an_error_with_its_traceback(world_of_models, filled_store):
    filled_store()
    world_of_models.write("conftest.py", BUG)
    result = world_of_models.run(profile="models.toml")
    result.assert_outcomes(errors=6)
    assert (
        "alignment.errors.CrashError: candidate: TypeError: nobody foresaw this"
        in result.stdout.str()
    )
