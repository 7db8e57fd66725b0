"""Checkpoints that answer nothing, or what another one answers, whatever the judge makes of it."""

import json

import pytest

from support.worlds import GATED

N = 40
GOOD = {"harmlessness": [1] * N, "helpfulness": [1] * N}
WITHIN = "--alignment-set=gate.against=variant:base"
WARN = (
    "--alignment-set=axes.harmlessness.gate.uninformative=warn",
    "--alignment-set=axes.helpfulness.gate.uninformative=warn",
)


@pytest.fixture
def gated(world):
    """A world with a gated test, in which every response passes."""
    world.write("test_suite.py", GATED)
    world.record("base.jsonl", GOOD)
    return world


def says(world, name, answer):
    """Record what a variant answers: `answer(prompt)`, each with a score that passes."""
    world.record(name, GOOD)
    path = world.path / name
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["response"] = answer(row["prompt"].removeprefix("Human: "))
    world.rows(name, rows)


COLLAPSED = {
    "empty": lambda _: "",
    "symbols": lambda _: "?",
    "echo": lambda prompt: prompt,
    "repetition": lambda _: "the " * 50,
}
ONLY_BASE = 'sft = { recorded = "sft.jsonl" }\n'


def test_collapsed_policies_are_blocked_though_every_response_passes(gated):
    for kind, answer in COLLAPSED.items():
        says(gated, f"{kind}.jsonl", answer)
    lines = "".join(f'{kind} = {{ recorded = "{kind}.jsonl" }}\n' for kind in COLLAPSED)
    text = (gated.path / "world.toml").read_text()
    gated.write("world.toml", text.replace(ONLY_BASE, lines))
    result = gated.run(WITHIN, *WARN)
    assert result.ret == 1
    shown = " ".join(result.stdout.str().split())
    assert "Do not merge: 40 of 40 responses of empty on harmlessness are degenerate" in shown
    report = gated.report()
    for decision in report["gate"]["decisions"]:
        kind, found = decision["variant"], decision["degenerate"]
        assert decision["outcome"] == "fail"
        assert (found["before"], found["kinds"], found["total"]) == (0, {kind: 40}, 40)
        assert (
            f"DEGENERATE: 40 of 40 responses of {kind} on {decision['axis']} are degenerate"
            in shown
        )
    text = (gated.path / "reports/alignment/report.md").read_text()
    assert text.startswith("## Do not merge: 40 of 40 responses of `empty`")


def test_a_baseline_knows_which_of_its_responses_were_none(gated):
    """Accepted for a reason, a broken model is uninformative next time: it never passes."""
    world = gated
    text = (world.path / "world.toml").read_text()
    world.write("world.toml", text.replace(ONLY_BASE, ""))
    assert world.run("--snapshot-update").ret == 0
    says(world, "base.jsonl", COLLAPSED["empty"])
    assert world.run().ret == 1
    refused = world.run("--snapshot-update")
    assert refused.ret == 1
    assert "40 degenerate responses of 40 on harmlessness" in refused.stdout.str()
    assert world.run("--snapshot-update", "--alignment-reason=an empty model").ret == 0
    row = next(iter(json.loads(baseline(world))["cases"]["harmlessness"].values()))
    assert row["degenerate"] == "empty"
    again = world.run()
    assert again.ret == 1
    assert {each["outcome"] for each in world.report()["gate"]["decisions"]} == {"uninformative"}
    assert world.run(*WARN).ret == 0


def baseline(world):
    return (world.path / "__baselines__" / "world" / "base.json").read_text()


def test_a_recorded_variant_that_says_what_its_base_says_is_no_plain_pass(gated):
    says(gated, "sft.jsonl", lambda _: "An answer.")
    result = gated.run(WITHIN)
    assert result.ret == 0
    shown = result.stdout.str()
    assert "Check before you merge: all answers of sft are identical to those of base" in shown
    assert "SAME ANSWERS: all 80 answers of sft are identical to those of base" in shown
    assert gated.report()["variants"]["sft"]["same_as"] == "base"


def test_answers_that_the_baseline_stores_are_known_again(gated):
    """The base is no variant of this run: what was accepted stands for it."""
    text = (gated.path / "world.toml").read_text()
    gated.write("world.toml", text.replace(ONLY_BASE, ""))
    stored = "--alignment-set=gate.responses=true"
    assert gated.run("--snapshot-update", stored).ret == 0
    result = gated.run(stored)
    assert result.ret == 0
    assert gated.report()["gate"]["unchanged"] == ["base"]
    assert "all answers of base are identical to those of its baseline" in result.stdout.str()
    gated.record("base.jsonl", GOOD, response="Another answer.")
    assert gated.run(stored).ret == 0
    assert gated.report()["gate"]["unchanged"] == []


def test_a_rise_that_the_judge_passes_is_no_pass(gated, monkeypatch):
    """Eighteen of forty responses are empty, of the base none: each with a score that passes."""
    gated.record("sft.jsonl", GOOD)
    assert "May be merged" in gated.run(WITHIN).stdout.str()
    count = iter(range(2 * N))
    says(gated, "sft.jsonl", lambda _: "" if next(count) % N < 18 else "Another answer.")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = gated.run(WITHIN, "--junitxml=junit.xml")
    assert result.ret == 1
    shown = " ".join(result.stdout.str().split())
    told = "18 (before: 0) of 40 responses of sft on harmlessness are degenerate"
    assert f"Do not merge: {told}." in shown
    assert shown.index(f"DEGENERATE: {told}: read them") < shown.index("gate against")
    assert "::warning title=alignment%3A degenerate::18 (before: 0) of 40 responses of sft" in shown
    assert f"Do not merge: {told}" in (gated.path / "junit.xml").read_text()
    text = (gated.path / "reports/alignment/report.md").read_text()
    assert text.startswith("## Do not merge: 18 (before: 0) of 40 responses of `sft`")
    found = gated.report()["gate"]["decisions"]
    sft = [each["spoiled"]["kinds"] for each in found if each["variant"] == "sft"]
    assert sft == [{"empty": 18}, {"empty": 18}]
