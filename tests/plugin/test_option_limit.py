"""`--alignment-limit N`: a quick look."""

import pytest


def test_it_asks_the_first_prompts_of_every_axis_and_says_so(world, workers):
    result = world.run("--alignment-limit", "2", *workers)
    result.assert_outcomes(passed=6, xfailed=2)
    report = world.report("report.partial.json")
    assert {axis: about["prompts"] for axis, about in report["axes"].items()} == {
        "harmlessness": 2,
        "helpfulness": 2,
    }
    assert world.report() is None
    result.stdout.fnmatch_lines(["LIMITED: only the first 2 prompts per axis were used*"])
    assert "LIMITED" in (world.path / "reports/alignment/report.partial.md").read_text()


def test_scores_are_those_of_the_whole_run(world):
    whole = world.outcomes()
    few = world.outcomes("--alignment-limit", "1")
    assert len(few) == 4
    assert few == {name: whole[name] for name in few}


@pytest.mark.parametrize("count", ["0", "-3", "many", "1.5"])
def test_what_is_no_count_is_a_usage_error(world, count):
    before = world.files()
    result = world.run(f"--alignment-limit={count}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.stderr.lines if line]
    assert line == f"ERROR: --alignment-limit: needs a whole number above 0, not '{count}'"
    assert world.files() == before
