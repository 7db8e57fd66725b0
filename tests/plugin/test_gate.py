"""The gate through pytest: outcomes, exit codes, accounts, the same plain and under xdist."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from alignment.gating.baseline_files import load
from support import forks
from support.worlds import GATED, QUIET

SUITE_OF_VERDICTS = """
import pytest

@pytest.mark.alignment(axis="harmlessness")
def test_harmless(alignment_verdict):
    alignment_verdict.require()
"""
N = 100
GOOD = {"harmlessness": [1] * 90 + [-1] * 10, "helpfulness": [1] * 60 + [-1] * 40}


def without(scores, axis, count, *, start=0):
    """The same scores with `count` passing ones lost on one axis."""
    changed = {name: list(values) for name, values in scores.items()}
    changed[axis][start : start + count] = [-2] * count
    return changed


@pytest.fixture
def gated(world):
    """A world with a gated test and one variant of 100 prompts per axis, its baseline accepted."""
    return world.accepted(GOOD)


def accept(world, *arguments):
    result = world.run("--snapshot-update", *arguments)
    assert result.ret == 0, result.stdout.str()
    return result


def baseline(world, variant="base"):
    return world.path / "__baselines__" / "world" / f"{variant}.json"


def decisions(world):
    """rate -> decision, of the last complete run."""
    return {each["rate"]: each for each in world.report()["gate"]["decisions"]}


def test_the_same_run_passes_without_a_flip(gated, workers):
    result = gated.run(*workers)
    result.assert_outcomes(passed=2)
    assert result.ret == 0
    for decision in decisions(gated).values():
        assert decision["outcome"] == "pass"
        assert (decision["change"]["lost"], decision["change"]["gained"]) == (0, 0)


def test_a_regression_blocks_and_names_the_flipped_prompts(gated, workers):
    gated.record("base.jsonl", without(GOOD, "harmlessness", 30))
    result = gated.run(*workers)
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == 1
    found = decisions(gated)
    assert found["HpR"]["outcome"] == "pass"
    assert found["HmR"]["outcome"] == "fail"
    flips = [flip["prompt"] for flip in found["HmR"]["flips"]]
    assert len(flips) == 30
    shown = result.stdout.str()
    assert "base HmR: FAIL: 90.0 to 60.0 %" in shown
    assert all(prompt in shown for prompt in flips[:10])
    assert "and 20 more in report.json" in shown
    assert "Traceback" not in shown
    assert "test_suite.py:" not in shown.replace("test_suite.py::", "")


def test_the_other_axis_does_not_buy_it_back(gated):
    worse = without(GOOD, "harmlessness", 30)
    gated.record("base.jsonl", worse | {"helpfulness": [1] * N})
    result = gated.run()
    result.assert_outcomes(passed=1, failed=1)
    assert "; improved" in result.stdout.str()
    assert "the new baseline" not in result.stdout.str()


def test_what_is_not_decided_warns_or_fails_as_the_profile_says(gated, workers):
    gated.record("base.jsonl", without(GOOD, "harmlessness", 8))
    result = gated.run(*workers)
    result.assert_outcomes(passed=1, xfailed=1)
    assert result.ret == 0
    assert "base HmR: INCONCLUSIVE" in result.stdout.str()
    assert "prompts like these would decide" in result.stdout.str().replace("\n  ", " ")
    strict = gated.run("--alignment-set=axes.harmlessness.gate.inconclusive=fail", *workers)
    strict.assert_outcomes(passed=1, failed=1)
    assert strict.ret == 1


@pytest.mark.parametrize("option", ["--runxfail", "-oxfail_strict=true"])
def test_how_pytest_treats_xfail_does_not_change_a_result(gated, option):
    gated.record("base.jsonl", without(GOOD, "harmlessness", 8))
    gated.run(option).assert_outcomes(passed=1, xfailed=1)


def test_the_whole_profile_is_gated_whatever_was_selected(gated, workers):
    gated.record("base.jsonl", without(GOOD, "harmlessness", 30))
    gated.run(*workers)
    whole = decisions(gated)
    gated.run("-k", "HmR", *workers).assert_outcomes(failed=1)
    assert decisions(gated) == whole


def test_without_a_baseline_the_case_says_how_to_get_one(gated, workers):
    baseline(gated).unlink()
    result = gated.run(*workers)
    result.assert_outcomes(failed=2)
    assert result.ret == 1
    shown = result.stdout.str().replace("\n  ", " ")
    assert "no baseline for 'base' at __baselines__/world/base.json" in shown
    assert "--snapshot-update" in shown
    assert "--alignment-set gate.against=variant:" in shown
    assert not baseline(gated).exists()


def test_a_variant_of_the_same_run_is_the_other_side(world, workers):
    world.write("test_suite.py", GATED)
    world.record("base.jsonl", GOOD)
    world.record("sft.jsonl", without(GOOD, "helpfulness", 30))
    result = world.run("--alignment-set=gate.against=variant:base", *workers)
    result.assert_outcomes(passed=1, failed=1)
    assert {each["variant"] for each in world.report()["gate"]["decisions"]} == {"sft"}
    assert "against variant base" in result.stdout.str()
    assert not (world.path / "__baselines__").exists()


def test_a_quick_look_is_never_compared_or_accepted(gated):
    before = baseline(gated).read_bytes()
    gated.record("base.jsonl", without(GOOD, "harmlessness", 30))
    gated.run("--alignment-limit=5").assert_outcomes(skipped=2)
    gated.run("--alignment-limit=5", "--snapshot-update").assert_outcomes(skipped=2)
    assert baseline(gated).read_bytes() == before


# -- incomparable --------------------------------------------------------------------------------


def test_an_edited_prompt_is_incomparable(gated, workers):
    path = gated.path / "base.jsonl"
    path.write_text(path.read_text().replace("harmlessness question 7?", "harmlessness question?"))
    result = gated.run(*workers)
    result.assert_outcomes(failed=2)
    assert result.ret == 1
    shown = " ".join(result.stdout.str().split())
    assert "INVALID: the prompts differ: harmlessness is 100 prompts" in shown


def test_a_moved_threshold_is_incomparable(gated, workers):
    result = gated.run("--alignment-set=axes.harmlessness.threshold=0.5", *workers)
    result.assert_outcomes(failed=2)
    shown = " ".join(result.stdout.str().split())
    assert (
        "the criteria differ: harmlessness is reward >= 0 in the baseline and reward >= 0.5 in "
        "this run"
    ) in shown


# -- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[: len(text) // 2], "is no JSON"),
        (lambda text: "", "is no JSON"),
        (lambda text: text.replace('"schema": 1', '"schema": 2'), "written by a newer release"),
        (lambda text: text.replace("-1.0,", "1.0,", 1), "the file was edited"),
        (lambda text: text.replace("false", "true", 1), "the file was edited"),
        (lambda text: text.replace('"manifest"', '"manifesto"'), "`manifest`: field required"),
        (lambda text: "[]", "is not a baseline"),
        (lambda text: "[" * 200_000, "is no JSON"),
        (lambda text: text.replace('"variant": "base"', '"variant": "sft"'), "the file was edited"),
    ],
    ids=["cut off", "empty", "newer", "score", "verdict", "key", "list", "deep", "variant"],
)
def test_a_baseline_that_is_none_is_one_line_and_stays(gated, damage, said):
    damaged = damage(baseline(gated).read_text())
    baseline(gated).write_text(damaged)
    result = gated.run()
    result.assert_outcomes(failed=2)
    assert result.ret == 1
    shown = " ".join(result.stdout.str().split())
    assert "base HmR: INVALID: baseline __baselines__/world/base.json: " in shown
    assert said in shown
    assert "Traceback" not in shown
    assert gated.run("--snapshot-update").ret == 1  # the anchor that it held would be lost unseen
    assert baseline(gated).read_text() == damaged
    accept(gated, "--alignment-reason=the file was damaged")
    gated.run().assert_outcomes(passed=2)


def test_another_variants_file_in_its_place_is_refused(world):
    world.write("test_suite.py", GATED)
    accept(world)
    baseline(world, "sft").write_bytes(baseline(world).read_bytes())
    result = world.run()
    result.assert_outcomes(xfailed=2, failed=2)  # four prompts rule out no loss
    told = " ".join(result.stdout.str().split())
    assert "sft HmR: INVALID: baseline __baselines__/world/sft.json: it belongs to 'base'" in told


def test_new_only_makes_what_is_missing_and_gates_the_rest(world, workers):
    world.write("test_suite.py", GATED)
    accept(world, "-k", "base")
    before = baseline(world).read_bytes()
    world.record("base.jsonl", {"harmlessness": [1, 1, 2, -4], "helpfulness": [1, 1, -1]})
    result = world.run("--snapshot-update-new-only", *workers)
    result.assert_outcomes(passed=2, xfailed=2)
    assert result.ret == 0
    assert baseline(world).read_bytes() == before
    assert baseline(world, "sft").is_file()


def test_an_interrupted_run_is_not_accepted(gated):
    before = baseline(gated).read_bytes()
    gated.record("base.jsonl", without(GOOD, "harmlessness", 1))
    gated.write("test_zzz.py", "def test_stops():\n    raise KeyboardInterrupt\n")
    result = gated.run("--snapshot-update")
    assert result.ret == 2
    assert "this run cannot become one, because it was interrupted" in result.stdout.str()
    assert baseline(gated).read_bytes() == before


def test_a_refused_acceptance_still_leaves_the_report(gated):
    gated.record("base.jsonl", without(GOOD, "harmlessness", 40))
    assert gated.run("--snapshot-update").ret == 1
    assert decisions(gated)["HmR"]["outcome"] == "fail"


def test_gated_tests_of_two_folders_are_run_apart(gated, workers):
    for folder in ("a", "b"):
        gated.write(f"{folder}/test_{folder}.py", GATED)
    result = gated.run("a", "b", *workers)
    assert result.ret != 0
    told = " ".join((result.stdout.str() + result.stderr.str()).split())
    assert "gated tests are in two folders" in told
    assert "run the two folders separately" in told


def test_an_ungated_suite_beside_other_baselines_does_not_take_over(gated):
    gated.write("z/test_z.py", SUITE_OF_VERDICTS)
    (gated.path / "z" / "__baselines__" / "world").mkdir(parents=True)
    gated.record("base.jsonl", without(GOOD, "harmlessness", 30))
    assert gated.run("test_suite.py", "z").ret == 1
    assert gated.run("z", "test_suite.py").ret == 1


@pytest.mark.parametrize("line", ["assert False, 'mine'", "1 / 0"])
def test_what_else_a_gated_test_finds_is_not_hidden(gated, line):
    gated.record("base.jsonl", without(GOOD, "harmlessness", 8))
    gated.write("test_suite.py", GATED.replace("    assert", f"    {line}\n    assert"))
    result = gated.run("-k", "HmR")
    result.assert_outcomes(failed=1)
    assert line.split(", ")[0] in result.stdout.str()


def test_the_same_words_on_both_axes_are_two_prompts(world, workers):
    world.write("test_suite.py", GATED)
    for name in ("base", "sft"):
        world.rows(
            f"{name}.jsonl",
            [
                {"axis": axis, "prompt": f"Human: {i}?", "response": "Yes.", "score": score}
                for axis, score in (("harmlessness", 1), ("helpfulness", -1))
                for i in range(40)
            ],
        )
    accept(world)
    world.run(*workers).assert_outcomes(passed=4)
    rates = world.report()["variants"]["base"]["rates"]
    assert (rates["HmR"]["percent"], rates["HpR"]["percent"]) == (100, 0)


def test_nothing_left_to_compare_is_a_usage_error(gated, refused):
    assert "there is no other variant to compare with 'base'" in refused(
        "--alignment-set=gate.against=variant:base"
    )


def test_a_reason_without_an_update_is_a_usage_error(refused):
    assert refused("--alignment-reason=why") == (
        "ERROR: --alignment-reason needs --snapshot-update: it is the reason for accepting a run"
    )


def test_accepting_the_same_run_writes_nothing(gated, workers):
    before = baseline(gated).stat()
    result = accept(gated, *workers)
    after = baseline(gated).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert "baseline: " not in result.stdout.str()


def test_a_run_with_a_failure_is_not_accepted(gated, workers):
    before = baseline(gated).read_bytes()
    gated.write("test_more.py", "def test_fails():\n    assert False\n")
    gated.record("base.jsonl", without(GOOD, "harmlessness", 1))
    result = gated.run("--snapshot-update", *workers)
    assert result.ret == 1
    said = "no baseline was written for base: this run cannot become one, because 1 tests failed"
    assert said in result.stdout.str()
    assert baseline(gated).read_bytes() == before


def test_only_the_selected_variant_is_accepted(world):
    world.write("test_suite.py", GATED)
    accept(world, "-k", "sft")
    assert baseline(world, "sft").is_file()
    assert not baseline(world).exists()


def test_two_profiles_have_their_baselines_side_by_side(gated):
    first = baseline(gated).read_bytes()
    text = (gated.path / "world.toml").read_text()
    gated.write("other.toml", text.replace('name = "world"', 'name = "other"'))
    other = gated.path / "__baselines__" / "other" / "base.json"
    gated.run("--snapshot-update", profile="other.toml")
    assert other.is_file()
    assert baseline(gated).read_bytes() == first
    gated.record("base.jsonl", without(GOOD, "harmlessness", 1))
    kept = other.read_bytes()
    accept(gated)
    assert other.read_bytes() == kept
    assert baseline(gated).read_bytes() != first


def test_a_baseline_is_small_and_has_a_line_per_prompt(gated):
    text = baseline(gated).read_text()
    assert len(text) < 20_000
    lines = [line for line in text.splitlines() if '"passed"' in line]
    assert len(lines) == 2 * N
    body = json.loads(text)
    assert body["reason"] is None
    assert set(body["cases"]["harmlessness"]) == {
        json.loads("{" + line.strip().rstrip(",") + "}").popitem()[0] for line in lines[:N]
    }


def test_responses_are_kept_on_request_and_shown_with_a_flip(gated):
    accept(gated, "--alignment-set=gate.responses=true")
    gated.record("base.jsonl", without(GOOD, "harmlessness", 30), response="Another answer.")
    result = gated.run()
    assert "before: An answer." in result.stdout.str()
    assert "after: Another answer." in result.stdout.str()


def test_a_killed_update_leaves_the_old_file_or_the_new_one(gated):
    def start():
        begin = forks.popen if forks.possible() else subprocess.Popen
        given = ("--alignment-profile=world.toml", "--alignment-store=store", "--snapshot-update")
        # Without figures, which the first run would draw for long and the others find drawn.
        command = [sys.executable, "-mpytest", *QUIET, "--alignment-format=json", *given]
        with Path(os.devnull).open("w") as nothing:
            return begin(command, stdout=nothing, stderr=nothing)

    old = baseline(gated).read_bytes()
    gated.record("base.jsonl", without(GOOD, "harmlessness", 2))
    begun = time.monotonic()
    assert start().wait() == 0
    seconds = time.monotonic() - begun
    new = baseline(gated).read_bytes()
    assert new != old
    for number in range(8):
        baseline(gated).write_bytes(old)
        process = start()
        time.sleep(random.Random(f"update {number}").uniform(0.2, 1.05) * seconds)
        process.kill()
        process.wait()
        assert baseline(gated).read_bytes() in (old, new)
        assert load(baseline(gated)) is not None
    accept(gated)
    assert baseline(gated).read_bytes() == new
    assert [path.name for path in baseline(gated).parent.iterdir()] == ["base.json"]


# -- the anchor ----------------------------------------------------------------------------------


def test_small_losses_do_not_add_up_unseen(gated, workers):
    for lost in (4, 8):
        gated.record("base.jsonl", without(GOOD, "harmlessness", lost))
        accept(gated, *workers)
    gated.record("base.jsonl", without(GOOD, "harmlessness", 12))
    result = gated.run(*workers)
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == 1
    assert "base HmR: FAIL: since the anchor: 90.0 to 78.0 %" in result.stdout.str()


def test_all_that_can_block_is_one_family(gated):
    gated.record("base.jsonl", without(GOOD, "harmlessness", 4))
    accept(gated)
    gated.record("base.jsonl", without(GOOD, "harmlessness", 12))
    gated.run()
    found = decisions(gated)["HmR"]
    # Three comparisons: HmR since its anchor, HmR, and HpR, which has not moved from its anchor.
    assert found["anchor"]["adjusted"] == pytest.approx(3 * 0.5**13)  # 12 losses, mid-p
    assert found["adjusted"] == pytest.approx(2 * 0.5**9)  # 8 losses
    assert decisions(gated)["HpR"]["anchor"] is None


def test_the_plan_is_made_for_the_flips_of_this_run(gated):
    gated.record("base.jsonl", without(GOOD, "harmlessness", 4))
    gated.run()
    assert gated.report()["gate"]["plan"].endswith(
        "a margin of 10 points needs 53 prompts if 2 % flip, as measured in this run"
    )


def test_only_a_reason_moves_the_anchor(gated, workers):
    for lost in (4, 8):
        gated.record("base.jsonl", without(GOOD, "harmlessness", lost))
        accept(gated)
    gated.record("base.jsonl", without(GOOD, "harmlessness", 12))
    before = baseline(gated).read_bytes()
    result = gated.run("--snapshot-update", *workers)
    assert result.ret == 1
    shown = " ".join(result.stdout.str().split())
    assert "'base' lost 12.0 points of HmR since its anchor, margin 10" in shown
    assert "--alignment-reason" in shown
    assert baseline(gated).read_bytes() == before
    accept(gated, "--alignment-reason=we know", *workers)
    assert json.loads(baseline(gated).read_text())["reason"] == "we know"
    gated.run(*workers).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "arguments",
    [("--alignment-reason=",), ("--alignment-reason=  ",)],
)
def test_a_blank_reason_is_none(gated, arguments):
    gated.record("base.jsonl", without(GOOD, "harmlessness", 40))
    before = baseline(gated).read_bytes()
    assert gated.run("--snapshot-update", *arguments).ret == 1
    assert baseline(gated).read_bytes() == before


def test_comparing_within_the_run_is_no_way_around_the_anchor(world):
    world.write("test_suite.py", GATED)
    world.record("base.jsonl", GOOD)
    world.record("sft.jsonl", GOOD)
    accept(world)
    world.record("sft.jsonl", without(GOOD, "harmlessness", 40))
    before = baseline(world, "sft").read_bytes()
    result = world.run("--snapshot-update", "--alignment-set=gate.against=variant:base")
    assert result.ret == 1
    assert baseline(world, "sft").read_bytes() == before


def test_what_the_anchor_decides_is_explained_by_the_anchor(gated):
    for lost in (4, 8):
        gated.record("base.jsonl", without(GOOD, "harmlessness", lost))
        accept(gated)
    gated.record("base.jsonl", without(GOOD, "harmlessness", 12))
    result = gated.run()
    shown = result.stdout.str()
    assert "base HmR since the anchor" in shown
    assert shown.count("  lost   ") >= 10
    assert "12 lost and 0 gained" in " ".join(shown.split())
    text = (gated.path / "reports" / "alignment" / "report.md").read_text()
    assert "`base` `HmR` since the anchor" in text
    flipped = text.split("### Flipped prompts")[1].split("###")[0]
    assert flipped.count("| lost |") == 12


def test_what_cannot_be_compared_with_the_anchor_needs_a_reason(gated):
    moved = "--alignment-set=axes.harmlessness.threshold=0.5"
    result = gated.run("--snapshot-update", moved)
    assert result.ret == 1
    assert "cannot be compared with its anchor" in " ".join(result.stdout.str().split())
    accept(gated, moved, "--alignment-reason=a stricter threshold")
    gated.run(moved).assert_outcomes(passed=2)


@pytest.mark.parametrize("first", [True, False])
def test_where_the_report_cannot_be_written_nothing_is_accepted(gated, workers, first):
    """Acceptance is taken back when no report can say so: exit code 1, one line."""
    if first:
        baseline(gated).unlink()
    before = baseline(gated).read_bytes() if not first else None
    gated.record("base.jsonl", GOOD | {"helpfulness": [1] * 100})
    (gated.path / "reports" / "alignment" / "report.json").unlink()
    (gated.path / "reports" / "alignment" / "report.json" / "mine").mkdir(parents=True)
    result = gated.run("--snapshot-update", *workers)
    assert result.ret == 1
    (line,) = [line for line in result.outlines if "report.json" in line]
    assert line.startswith("StoreError: the report cannot be written: ")
    assert not [line for line in result.outlines if line.startswith("baseline: ")]
    assert (baseline(gated).read_bytes() if baseline(gated).exists() else None) == before
    assert not list(gated.path.glob("**/.alignment-draft-*"))
