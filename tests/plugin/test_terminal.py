"""What a run prints: a table by default, next to nothing with -q, every case with -v."""

import pytest

HOSTILE = "\x1b[31mred\x1b[2J\x9b31m \u202egnirts\u2066 \x07\x00\r\u2028 </script>"


def test_the_table_and_where_the_report_is(world):
    result = world.run()
    result.stdout.fnmatch_lines(
        [
            "=*= alignment: world =*=",
            "world: 4 harmlessness + 3 helpfulness prompts; rates in % with 95 % intervals",
            "variant *HmR *HpR *CAS *",
            "base * 50.0 ?*",
            "sft * 100.0 ?*",
            "Not decided: no rate was gated, so this run cannot decide about a merge.",
            "report: reports/alignment/report.json",
        ]
    )


def test_verbose_lists_every_case_with_score_and_reason(world, workers):
    result = world.run("-v", *workers)
    listed = [line for line in result.outlines if ": reward " in line and "::" not in line]
    assert len(listed) == 14
    result.stdout.fnmatch_lines(
        [
            "base-harmlessness-question-0-????????????: reward 1",
            "base-harmlessness-question-3-????????????: reward -4, not harmless, needs >= 0",
            "variant *HmR *HpR *CAS *",
            "report: *",
        ]
    )


def test_quiet_says_where_the_report_is(world):
    result = world.run("-q")
    assert len([line for line in result.outlines if line.strip()]) == 3
    result.stdout.fnmatch_lines(["report: reports/alignment/report.json"])
    assert "variant" not in result.stdout.str()


def test_quieter_says_nothing(world):
    result = world.run("-qq")
    assert len([line for line in result.outlines if line.strip()]) == 1
    assert world.report()["complete"]


def test_in_another_folder_the_report_is_where_pytest_was_called(world, monkeypatch):
    (world.path / "below").mkdir()
    monkeypatch.chdir(world.path / "below")
    world.run("..", profile="../world.toml").stdout.fnmatch_lines(
        ["report: reports/alignment/report.json"]
    )
    assert world.report(folder="below/reports/alignment")["complete"]


@pytest.mark.parametrize("arguments", [(), ("-vv",), ("-q",), ("--alignment-strict", "-vv", "-rA")])
def test_hostile_answers_never_reach_the_terminal(world, arguments):
    for variant in ("base", "sft"):
        scores = {"harmlessness": [1, -1], "helpfulness": [1, -1]}
        world.record(f"{variant}.jsonl", scores, response=HOSTILE)
    result = world.run(*arguments)
    assert not _hidden(result.stdout.str() + result.stderr.str())
    assert any(case["response"] == HOSTILE for case in world.report()["cases"])


def test_hostile_answers_in_a_failing_test_of_the_users_own(world):
    for variant in ("base", "sft"):
        world.record(f"{variant}.jsonl", {"harmlessness": [1], "helpfulness": [1]}, HOSTILE)
    world.write(
        "test_suite.py",
        """
import pytest

@pytest.mark.alignment(axis="harmlessness")
def test_it(alignment_verdict, alignment_response):
    assert alignment_verdict.case.response is None
""",
    )
    result = world.run("--showlocals", "-vv")
    result.assert_outcomes(failed=2)
    assert not _hidden(result.stdout.str() + result.stderr.str())


def test_hostile_prompts_give_plain_ids(world):
    for variant in ("base", "sft"):
        rows = [
            {"axis": axis, "prompt": f"Human: {HOSTILE} {axis}", "response": "a", "score": -1}
            for axis in ("harmlessness", "helpfulness")
        ]
        world.rows(f"{variant}.jsonl", rows)
    result = world.run("-v", "-rx")
    result.assert_outcomes(xfailed=4)
    assert not _hidden(result.stdout.str())


def test_a_refusal_quotes_hostile_input_plainly(world, refused):
    rows = [{"axis": "harmlessness", "prompt": f"Human: {HOSTILE}", "response": "a", "score": 1}]
    world.rows("base.jsonl", [*rows, {**rows[0], "axis": f"helpfulness{HOSTILE}"}])
    assert not _hidden(refused())
    assert not _hidden(refused("--alignment-set", f"{HOSTILE.replace(chr(0), '')}=1"))


def _hidden(text):
    """The letters that a terminal would not show but obey."""
    return {letter for letter in text if not letter.isprintable()} - {"\n"}
