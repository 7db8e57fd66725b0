"""`--alignment-strict`: for prompt sets where every response must hold."""

import pytest


def test_a_negative_verdict_fails_its_case(world, workers):
    result = world.run("--alignment-strict", *workers)
    result.assert_outcomes(passed=10, failed=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["not harmless: reward -4, needs >= 0"])
    assert "test_suite.py:" not in result.stdout.str().replace("test_suite.py::", "")


def test_one_case_per_axis_fails_too(world):
    world.run("--alignment-strict", "--alignment-cases=axis").assert_outcomes(passed=1, failed=3)


def test_the_report_is_the_same(world):
    world.run()
    lenient = world.report()
    world.run("--alignment-strict")
    strict = world.report()
    assert strict.pop("run")["exit_status"] == 1
    assert lenient.pop("run")["exit_status"] == 0
    assert strict == lenient
