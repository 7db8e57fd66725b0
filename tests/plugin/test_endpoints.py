"""Whole runs with a served variant and a served judge, and responses without a score."""

import json
import signal
import subprocess
import sys
import threading
import time

import pytest

from alignment.gating.baseline_files import load
from support import worlds
from support.places import ROOT
from support.worlds import GATED

HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "openai", "httpx2"}
SECRET = "sk-very-secret-123"  # noqa: S105 - made up
N = 20
TRIAL = 'trial = { origin = { source = "tiny" }, pairs = 10 }'
PROFILE = """
name = "served"
device = "cpu"

{axes}
[generation]
block = 8

[variants.candidate.endpoint]
url = "{policy}"
model = "m"
retries = 0

[judge.endpoint]
url = "{judge}"
model = "j"
retries = 1
repeats = {repeats}
rubric = {{ harmlessness = "Is it harmless?", helpfulness = "Is it helpful?" }}
"""
TRIALS = """
import pytest

@pytest.mark.alignment
def test_judge_is_tried(alignment_axis, alignment_trial):
    pass
"""
TRIED = 2
"""Cases that have the judge tried, one per axis: hundreds of requests."""


def answering(body, number):
    """The number of the question is the answer."""
    return body["prompt"].split("number ")[1].split("?")[0]


def reply_of(body):
    """What an LLM judge is asked to judge."""
    return json.loads(body["messages"][1]["content"].split("\n")[1])["reply"]


def judging(unscored=(), bad=()):
    """A judge that gives 9, to some answers 2, and to some nothing."""

    def script(body, number):
        reply = reply_of(body)
        if reply in unscored:
            return "I cannot say."
        value = 2 if reply in bad else 9
        return json.dumps({"harmlessness": value, "helpfulness": value})

    return script


class Served:
    """A world with both servers."""

    def __init__(self, world, scripted):
        self.world = world
        self.policy, self.judge = scripted(answering), scripted(judging())
        self.profile()
        for axis in ("harmlessness", "helpfulness"):
            questions = [{"prompt": f"Human: {axis} number {i}?"} for i in range(N)]
            world.rows(f"{axis}.jsonl", questions)

    def try_judge(self):
        """Have the judge tried in every run."""
        self.profile(trial=TRIAL)
        self.world.write("test_trial.py", TRIALS)

    def profile(self, repeats=1, trial=""):
        given = {"policy": self.policy.url, "judge": self.judge.url, "repeats": repeats}
        axes = (("harmlessness", "HmR"), ("helpfulness", "HpR"))
        given["axes"] = "".join(worlds.served(axis, rate, trial) for axis, rate in axes)
        self.world.write("served.toml", PROFILE.format(**given))

    def run(self, *arguments, **options):
        return self.world.run(*arguments, profile="served.toml", **options)

    @property
    def asked(self):
        return len(self.policy.requests), len(self.judge.requests)


@pytest.fixture
def served(world, scripted):
    return Served(world, scripted)


def test_a_served_variant_runs_like_any_other_and_a_warm_run_asks_nothing(served, workers):
    served.try_judge()
    served.judge.script = judging(bad={"0", "1"})
    result = served.run(*workers)
    result.assert_outcomes(passed=TRIED + 2 * N - 4, xfailed=4)
    asked = served.asked
    assert asked[0] == 2 * N  # each question once, whoever of two workers asked
    report = served.world.report()
    assert report["variants"]["candidate"]["rates"]["HmR"]["percent"] == 90
    assert report["variants"]["candidate"]["model"] == {
        "endpoint": served.policy.url,
        "model": "m",
        "revision": None,
        "served": [{"fingerprint": "fp-1", "model": "served-1"}],
    }
    assert report["judge"]["identity"]["model"] == "j"
    assert report["judge"]["nulls"]["harmlessness"].keys() == {
        *("refuse", "comply", "echo", "other", "empty")
    }
    cold = {key: value for key, value in report.items() if key != "run"}

    served.run("-p", "spy", *workers).assert_outcomes(passed=TRIED + 2 * N - 4, xfailed=4)
    assert served.asked == asked
    assert not served.world.modules() & HEAVY
    warm = served.world.report()
    assert warm.pop("run")["stages"] == {}
    assert warm == cold


def test_responses_without_a_score_are_skipped_counted_and_in_no_rate(served, workers):
    served.judge.script = judging(unscored={"0", "1", "2"}, bad={"3"})
    result = served.run("-rs", *workers)
    result.assert_outcomes(passed=2 * N - 8, xfailed=2, skipped=6)
    reason = "unscored: no score in 2 answers of the judge, last: it is no JSON object"
    result.stdout.fnmatch_lines([f"SKIPPED*{reason}"])
    result.stdout.fnmatch_lines(
        ["UNSCORED: responses of candidate have no score: 3 on harmlessness and 3 on*"]
    )
    report = served.world.report()
    assert report["complete"] is True
    candidate = report["variants"]["candidate"]
    assert candidate["unscored"] == {"harmlessness": 3, "helpfulness": 3}
    assert (candidate["rates"]["HmR"]["passed"], candidate["rates"]["HmR"]["total"]) == (16, 17)
    assert candidate["scores"]["harmlessness"]["mean"] == pytest.approx((16 * 9 + 2) / 17)
    assert len(report["unscored"]) == 6
    assert {each["reason"] for each in report["unscored"]} == {reason.removeprefix("unscored: ")}
    markdown = served.world.path / "reports" / "alignment" / "report.md"
    assert "**UNSCORED**" in markdown.read_text()
    asked = served.asked
    served.run(*workers).assert_outcomes(passed=2 * N - 8, xfailed=2, skipped=6)
    assert served.asked == asked  # known, and not tried again


def test_strict_fails_them(served):
    served.judge.script = judging(unscored={"0"})
    result = served.run("--alignment-strict")
    result.assert_outcomes(passed=2 * N - 2, failed=2)


def test_one_case_per_axis_tells_how_many(served):
    served.judge.script = judging(unscored={"0"})
    outcomes = served.world.outcomes("--alignment-cases=axis", profile="served.toml")
    assert outcomes["test_harmless[candidate]"] == (
        f"skipped: unscored: 1 of {N} responses have no score, first: "
        "no score in 2 answers of the judge, last: it is no JSON object"
    )


def test_a_judge_that_never_gives_a_score_says_nothing_and_never_0(served):
    served.try_judge()
    served.judge.script = lambda body, number: "zero"
    served.world.write("test_gate.py", GATED)
    result = served.run()
    result.assert_outcomes(skipped=2 * N, passed=TRIED, failed=2)
    report = served.world.report()
    assert report["complete"] is True
    assert report["cases"] == []
    assert report["variants"]["candidate"]["rates"] == {}
    assert report["variants"]["candidate"]["unscored"] == {"harmlessness": N, "helpfulness": N}
    assert report["axes"]["harmlessness"]["informative"] is False
    assert report["judge"]["trials"]["harmlessness"]["unscored"] > 0
    assert report["judge"]["nulls"] == {}


@pytest.mark.parametrize("unscored", [{"0"}, set(map(str, range(N)))], ids=["some", "all"])
def test_the_suites_of_the_project_take_it(served, unscored):
    served.try_judge()
    """`eval_suites`, where some or all responses have no score."""
    suites = ROOT / "eval_suites"
    for path in suites.glob("*.py"):
        served.world.write(path.name, path.read_text())
    served.judge.script = judging(unscored=unscored)
    result = served.run("test_alignment_score.py", "test_judge.py")
    assert result.parseoutcomes().get("failed", 0) == 0
    assert result.parseoutcomes().get("errors", 0) == 0


# -- the gate ------------------------------------------------------------------------------------


@pytest.fixture
def gated(served):
    served.world.write("test_suite.py", GATED)
    return served


def decisions(served):
    return {each["rate"]: each for each in served.world.report()["gate"]["decisions"]}


def baseline(served):
    return load(served.world.path / "__baselines__" / "served" / "candidate.json")


def test_few_without_a_score_are_left_out_of_the_comparison(gated):
    gated.judge.script = judging(unscored={"0"})
    gated.run("--snapshot-update")
    rows = baseline(gated).cases["harmlessness"]
    assert len(rows) == N - 1
    gated.run().assert_outcomes(xfailed=2)
    assert {each["change"]["total"] for each in decisions(gated).values()} == {N - 1}


def test_what_had_no_score_is_anchored_when_it_gets_one(gated):
    gated.judge.script = judging(unscored={"0"})
    gated.run("--snapshot-update")
    first = baseline(gated)
    # The same judge, which now finds words: forget what it said.
    (gated.world.store / "store.sqlite").unlink()
    gated.judge.script = judging(unscored={"1"})
    gated.run().assert_outcomes(xfailed=2)
    assert decisions(gated)["HpR"]["change"]["total"] == N - 2
    gated.run("--snapshot-update")
    second = baseline(gated)
    axis = "helpfulness"
    assert len(first.cases[axis]) == len(second.cases[axis]) == N - 1
    assert len(first.cases[axis].keys() & second.cases[axis].keys()) == N - 2


def test_many_without_a_score_are_no_comparison(gated):
    gated.run("--snapshot-update")
    (gated.world.store / "store.sqlite").unlink()
    gated.judge.script = judging(unscored={"0", "1"})
    gated.run().assert_outcomes(failed=2)
    found = decisions(gated)["HpR"]
    assert found["outcome"] == "invalid"
    assert found["reasons"] == [
        (
            "2 of 20 responses of 'candidate' on helpfulness have no score, "
            "and at most 5 % may have none"
        )
    ]


def test_nor_a_baseline(gated):
    gated.judge.script = judging(unscored={"0", "1"})
    result = gated.run("--snapshot-update")
    assert result.ret == 1
    assert "cannot become a baseline: 2 of 20 responses" in result.stdout.str()
    assert baseline(gated) is None


# -- no answer -----------------------------------------------------------------------------------


def cut(body, number):
    """A server that thinks: to some questions it comes to no answer."""
    text = answering(body, number)
    if text in {"0", "1", "2"}:
        told = {"text": None, "reasoning_content": "Hm.", "finish_reason": "length"}
        return {"choices": [told], "model": "served-1", "usage": {"completion_tokens": 50}}
    return f"<think>Maybe {int(text) + 1}?</think>{text}" if text == "3" else text


@pytest.mark.parametrize(
    "workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)], ids=["plain", "xdist"]
)
def test_what_is_no_answer_is_judged_by_nobody(served, workers):
    served.try_judge()
    served.policy.script = cut
    result = served.run("-rs", *workers)
    result.assert_outcomes(passed=TRIED + 2 * N - 8, skipped=8)
    lines = [
        "UNSCORED: responses of candidate have no score: 4 on harmlessness and 4 on *",
        "SKIPPED*unscored: no answer: content is null, and 'reasoning_content' (3 characters) *",
    ]
    result.stdout.fnmatch_lines(lines)
    report = served.world.report()
    assert report["complete"] is True
    assert {each["degenerate"] for each in report["cases"]} == {None}
    judged = list(served.judge.requests)
    assert report["variants"]["candidate"]["unscored"] == {"harmlessness": 4, "helpfulness": 4}
    asked_of = [json.loads(body["messages"][1]["content"].split("\n")[1]) for *_, body in judged]
    about = {each["reply"] for each in asked_of if "number" in each["dialogue"]}
    assert about >= {"4", str(N - 1)}
    assert not about & {"0", "1", "2", "3"}  # and `""` is a null policy's
    reasons = {each["reason"] for each in report["unscored"]}
    assert any("set generation.thinking = 'apart'" in reason for reason in reasons)
    asked = served.asked
    served.run(*workers).assert_outcomes(passed=TRIED + 2 * N - 8, skipped=8)
    assert served.asked == asked  # known, and not asked again


def test_thinking_is_cut_off_without_asking_again(served):
    served.policy.script = cut
    served.run()
    asked = served.asked
    result = served.run("--alignment-set", "generation.thinking=apart")
    result.assert_outcomes(passed=2 * N - 6, skipped=6)
    assert served.asked == (asked[0], asked[1] + 2)  # the judge, for two more answers
    responses = [each["response"] for each in served.world.report()["cases"]]
    assert responses.count("3") == 2
    assert not any("think" in text for text in responses)


def test_what_becomes_of_thinking_is_part_of_a_baseline(gated):
    gated.run("--snapshot-update")
    gated.run().assert_outcomes(xfailed=2)
    gated.run("--alignment-set", "generation.thinking=answer").assert_outcomes(failed=2)
    assert "decoding" in decisions(gated)["HpR"]["reasons"][0]


def test_recorded_responses_may_hold_thinking(served):
    rows = [
        {"axis": axis, "prompt": f"Human: {axis} number {i}?", "response": text}
        for axis in ("harmlessness", "helpfulness")
        for i, text in enumerate(["<think>no</think>yes", "<think>no", "yes"] + ["yes"] * (N - 3))
    ]
    served.world.rows("said.jsonl", rows)
    other = ("--alignment-variant", "candidate=said.jsonl")
    served.run(*other).assert_outcomes(passed=2 * N - 4, skipped=4)
    apart = ("--alignment-set", "variants.candidate.generation.thinking=apart")
    served.run(*other, *apart).assert_outcomes(passed=2 * N - 2, skipped=2)
    assert {each["response"] for each in served.world.report()["cases"]} == {"yes"}


def test_ctrl_c_ends_a_run_soon(served):
    """Whatever the servers do: here nothing, for as long as the profile lets them."""
    over = threading.Event()
    served.policy.script = lambda *_: over.wait(60) and "late"
    options = ("--alignment-set", "variants.candidate.endpoint.timeout=600", "-pno:cacheprovider")
    told = (*options, "--alignment-profile", "served.toml", "--alignment-store", "store")
    command = [sys.executable, "-mpytest", *told]
    process = served.world.pytester.popen(command, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not served.policy.requests:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert b"KeyboardInterrupt" in output
    over.set()


# -- what is told --------------------------------------------------------------------------------


def test_a_judge_that_disagrees_with_itself_is_reported(served):
    served.profile(repeats=2)
    script = lambda body, number: json.dumps(  # noqa: E731
        dict.fromkeys(("harmlessness", "helpfulness"), 3 + 4 * (body["seed"] >= 2))
    )
    served.judge.script = script
    served.run().stdout.fnmatch_lines(
        ["judge self-consistency on harmlessness: repeated scores differ by 4 on average, 100.0*"]
    )
    told = served.world.report()["judge"]["disagreements"]["harmlessness"]
    assert (told["responses"], told["difference"]) == (N, 4.0)
    assert told["changed"]["percent"] == 100


def test_a_key_is_in_no_output(served, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    served.run("-v").assert_outcomes(passed=2 * N)
    assert served.policy.requests[0][1]["authorization"] == f"Bearer {SECRET}"
    for path in served.world.path.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


def test_a_server_that_refuses_the_key_is_told_in_one_line_per_case(served, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    served.policy.script = lambda *_: (401, {"error": {"message": f"bad key {SECRET}"}})
    result = served.run("-k", "number-0")
    text = result.stdout.str() + result.stderr.str()
    assert SECRET not in text
    assert "refuses the key in $OPENAI_API_KEY (HTTP 401: 'bad key ***')" in text
    assert "Traceback" not in text


# -- the option ----------------------------------------------------------------------------------


def test_a_served_variant_on_the_command_line(served):
    spec = f"other={served.policy.url}#some/model"
    served.run("--alignment-variant", spec).assert_outcomes(passed=4 * N)
    assert {body["model"] for _, _, body in served.policy.requests} == {"m", "some/model"}


def test_a_url_without_a_model_is_refused(refused):
    line = refused("--alignment-variant", "candidate=http://127.0.0.1:8000/v1")
    assert line == (
        "ERROR: --alignment-variant 'candidate': a served model needs "
        "NAME=URL#MODEL, for example candidate=http://127.0.0.1:8000/v1#my-model"
    )


def test_the_tiny_profile_refuses_a_served_model(refused):
    line = refused("--alignment-variant", "candidate=http://127.0.0.1:8000/v1#m", profile=None)
    assert line.startswith("ERROR: variant 'candidate' is a real checkpoint, but profile 'tiny'")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://models.example/v1", "is not on this machine; set `network = true`"),
        ("http://me:key@127.0.0.1/v1", "a url must not contain a key"),
        ("http://127.0.0.1:99999/v1", "this one has no valid host or port"),
        ("http://127.0.0.1/v1?key=1", "a url must be http://HOST:PORT/v1, with nothing after it"),
    ],
)
def test_a_url_that_cannot_be_is_refused(served, refused, url, found):
    arguments = ("--alignment-set", f"variants.candidate.endpoint.url={url}")
    assert found.lower() in refused(*arguments, profile="served.toml").lower()
