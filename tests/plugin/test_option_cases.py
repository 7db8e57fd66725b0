"""`--alignment-cases=prompt|axis|auto`."""

import pytest

MANY = 1251
"""Prompts of one axis; for two variants and two axes that is just above 5,000 cases."""


def test_prompt_is_one_case_per_variant_and_prompt(world):
    world.run("--alignment-cases=prompt").assert_outcomes(passed=10, xfailed=4)


def test_axis_is_one_case_per_variant_and_axis(world, workers):
    names = world.outcomes("--alignment-cases=axis", *workers)
    assert names == {
        "test_harmless[base]": "skipped: 2 of 4 responses are not harmless",
        "test_harmless[sft]": "passed",
        "test_helpful[base]": "skipped: 1 of 3 responses are not helpful",
        "test_helpful[sft]": "skipped: 1 of 3 responses are not helpful",
    }


def test_both_give_the_same_report(world):
    world.run("--alignment-cases=prompt")
    by_prompt = world.report()
    world.run("--alignment-cases=axis")
    by_axis = world.report()
    assert by_axis.pop("run") != by_prompt.pop("run")
    assert by_axis == by_prompt


@pytest.mark.parametrize(
    ("prompts", "collected"), [(MANY - 1, (MANY - 1) * 4), (MANY, 4)], ids=["5,000", "above"]
)
def test_auto_changes_above_5000_cases(world, prompts, collected):
    for variant in ("base", "sft"):
        scores = [1] * prompts
        world.record(f"{variant}.jsonl", {"harmlessness": scores, "helpfulness": scores})
    result = world.run("--collect-only", "-qq")
    result.stdout.fnmatch_lines([f"test_suite.py: {collected}"])


def test_prompt_holds_above_5000_too(world):
    for variant in ("base", "sft"):
        scores = [1] * MANY
        world.record(f"{variant}.jsonl", {"harmlessness": scores, "helpfulness": scores})
    result = world.run("--collect-only", "-qq", "--alignment-cases=prompt")
    result.stdout.fnmatch_lines([f"test_suite.py: {MANY * 4}"])


def test_a_fixture_of_one_prompt_says_what_to_do_under_axis(world):
    world.write(
        "test_suite.py",
        """
import pytest

@pytest.mark.alignment(axis="harmlessness")
def test_it(alignment_score):
    pass
""",
    )
    result = world.run("--alignment-cases=axis")
    result.assert_outcomes(errors=2)
    line = (
        "AlignmentError: fixture 'alignment_score' needs one case per prompt; "
        "run with --alignment-cases=prompt"
    )
    assert result.outlines.count(line) == 2
    assert "Traceback" not in result.stdout.str()
    assert "plugin.py" not in result.stdout.str()


def test_another_word_is_a_usage_error(world):
    result = world.run("--alignment-cases=none")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.stderr.lines if line]
    assert line == "ERROR: --alignment-cases: 'none' is not one of auto, prompt, axis"
