"""The gate over real (micro) models: what makes two runs incomparable, and what does not."""

import json
import os
from types import SimpleNamespace

import pytest

from support import forks
from support.worlds import GATED

GIVEN = (
    *("-p", "no:cacheprovider", "--alignment-profile", "profile.toml"),
    *("--alignment-store", "store", "--alignment-format=json"),
)
PROFILE = """
name = "models"
device = "cpu"
threads = 1
[generation]
max_new_tokens = 6
[axes.helpfulness]
rate = "HpR"
threshold = 0.0
comparison = ">"
prompts = { origin = { source = "file", path = "prompts.jsonl" } }
[variants.candidate]
model = "./model"
[judge]
model = "./judge"
[gate]
responses = true
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory, micro, tokenizer, prompts):
    """A project with a policy and a judge, a run of which was accepted with its responses."""
    root = tmp_path_factory.mktemp("gate")
    (root / "test_suite.py").write_text(GATED)
    (root / "profile.toml").write_text(PROFILE)
    rows = [{"prompt": prompt} for prompt in prompts]
    (root / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    micro.policy(tokenizer, root / "model")
    micro.judge(tokenizer, root / "judge")
    micro.judge(tokenizer, root / "other-judge", seed=7)

    def run(*arguments):
        how = {"folder": root, "environment": os.environ | {"COLUMNS": "100"}}
        process = forks.run("pytest", [*GIVEN, *arguments], more=forks.MODELS, **how)
        report = root / "reports" / "alignment" / "report.json"
        return SimpleNamespace(
            code=process.returncode,
            text=" ".join((process.stdout + process.stderr).split()),
            gate=json.loads(report.read_text())["gate"],
        )

    accepted = run("--snapshot-update")
    assert accepted.code == 0, accepted.text
    return SimpleNamespace(root=root, run=run)


def test_a_renamed_folder_is_the_same_model(project):
    (project.root / "model").rename(project.root / "renamed")
    try:
        found = project.run("--alignment-set=variants.candidate.model=./renamed")
    finally:
        (project.root / "renamed").rename(project.root / "model")
    assert found.code == 0
    (decision,) = found.gate["decisions"]
    assert (decision["outcome"], decision["flips"]) == ("pass", [])
    # Few prompts rule out no loss: it passes as the same model that gives the same answers.
    assert decision["identical"]
    assert decision["change"]["interval"][0] <= -decision["margin"]
    assert "identical to those of the baseline, which is the same model" in found.text


@pytest.mark.parametrize(("folder", "outcome"), [("model", "pass"), ("twin", "inconclusive")])
def test_two_names_of_one_model_are_the_same_and_two_models_alike_are_not(
    project, micro, tokenizer, folder, outcome
):
    if folder == "twin":  # other weights that may well give the same verdicts
        micro.policy(tokenizer, project.root / folder, seed=5)
    found = project.run(
        f"--alignment-variant=other=./{folder}",
        "--alignment-set=gate.against=variant:candidate",
    )
    (decision,) = found.gate["decisions"]
    assert decision["identical"] == (folder == "model")
    if folder == "model":
        assert decision["outcome"] == outcome
    else:
        assert decision["outcome"] != "pass"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (
            "generation.max_new_tokens=4",
            "the decoding differs: max_new_tokens is 6 in the baseline and 4 in this run",
        ),
        ("generation.format=verbatim", "format is hh in the baseline and verbatim in this run"),
        ("judge.max_length=64", "max_length is 512 in the baseline and 64 in this run"),
        ("judge.model=./other-judge", "the judge differs: identity is weights "),
    ],
    ids=lambda value: value.partition("=")[0],
)
def test_what_makes_a_run_incomparable_is_named_with_both_values(project, setting, said):
    found = project.run(f"--alignment-set={setting}")
    assert found.code == 1
    assert "candidate HpR: INVALID: " in found.text
    assert said in found.text
    assert "Traceback" not in found.text


def test_another_judge_scores_the_stored_responses_anew(project):
    found = project.run("--alignment-set=judge.model=./other-judge", "--alignment-rescore-baseline")
    (decision,) = found.gate["decisions"]
    # The model is the same, so whatever changed, the judge did.
    assert (decision["outcome"], decision["flips"]) == ("pass", [])
    drift = found.gate["drifts"]["candidate"]["HpR"]
    assert "change caused by the judge alone: HpR" in found.text
    body = json.loads((project.root / "__baselines__/models/candidate.json").read_text())
    passed = [row["passed"] for row in body["cases"]["helpfulness"].values()]
    before = 100 * sum(passed) / len(passed)
    assert decision["change"]["after"] - before == pytest.approx(drift["difference"])


def test_both_can_have_changed(project, micro, tokenizer):
    micro.policy(tokenizer, project.root / "second", seed=5)
    found = project.run(
        "--alignment-set=judge.model=./other-judge",
        "--alignment-set=variants.candidate.model=./second",
        "--alignment-rescore-baseline",
    )
    (decision,) = found.gate["decisions"]
    body = json.loads((project.root / "__baselines__/models/candidate.json").read_text())
    passed = [row["passed"] for row in body["cases"]["helpfulness"].values()]
    before = 100 * sum(passed) / len(passed)
    model = decision["change"]["difference"]
    judge = found.gate["drifts"]["candidate"]["HpR"]["difference"]
    assert decision["change"]["after"] == pytest.approx(before + model + judge)


JUDGED = """
name = "judged"
device = "cpu"
threads = 1
[axes.helpfulness]
rate = "HpR"
threshold = 0.0
comparison = ">"
prompts = {{ origin = {{ source = "file", path = "prompts.jsonl" }} }}
[variants.candidate]
recorded = "answers.jsonl"
[training]
vocab_size = 300
max_length = 128
sources.helpfulness = {{ source = "file", path = "pairs.jsonl" }}
[judge]
architecture = {architecture}
max_length = 128
[[judge.stages]]
trainer = "reward"
data = "pairs"
args = {args}
"""


def inline(table):
    return "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in table.items()) + " }"


@pytest.fixture
def judged(tmp_path, micro, prompts):
    """A project whose judge is trained on a file of pairs; gives how to run it."""
    (tmp_path / "test_suite.py").write_text(GATED)
    text = JUDGED.format(architecture=inline(micro.architecture), args=inline(micro.args))
    (tmp_path / "profile.toml").write_text(text)
    asked = [{"prompt": prompt} for prompt in prompts]
    answers = [row | {"response": f"Rain {i}."} for i, row in enumerate(asked)]
    for name, rows in (("prompts", asked), ("answers", answers)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(pairs, *arguments):
        rows = [
            {
                "chosen": f"{pair.prompt}\n\nAssistant: {pair.chosen}",
                "rejected": f"{pair.prompt}\n\nAssistant: {pair.rejected}",
            }
            for pair in pairs
        ]
        (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        process = forks.run("pytest", [*GIVEN, *arguments], folder=tmp_path, more=forks.MODELS)
        return process.returncode, " ".join((process.stdout + process.stderr).split())

    return run


def test_a_judge_trained_on_other_data_is_another_judge(judged, micro):
    pairs = micro.lessons.pairs
    code, text = judged(pairs, "--snapshot-update")
    assert code == 0, text
    assert judged(pairs)[0] == 0
    code, text = judged(pairs[:-2])
    assert code == 1
    assert "INVALID: the judge differs: identity is recipe " in text
    # The number of threads changes the judge's last bits, and is no other recipe.
    code, text = judged(
        pairs, "--alignment-set=threads=2", "--alignment-set=gate.probe_tolerance=5"
    )
    assert code == 0, text
