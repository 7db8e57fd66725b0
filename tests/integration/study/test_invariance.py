"""`check-invariance`: what it measures, says and keeps."""

import json

import pytest
import torch

from alignment.commands import main
from alignment.judges.model import judge_settings
from alignment.judges.reward_model import RewardModelJudge
from alignment.policies.huggingface import HuggingFacePolicy
from alignment.policies.model import policy_settings
from alignment.progress import Progress
from alignment.reporting.document import document
from alignment.reporting.markdown import markdown
from alignment.reporting.terminal import summary
from alignment.store import Store
from alignment.study.invariance import measure_invariance, noise_floor
from alignment.study.results import collect
from alignment.study.study import Study
from alignment.training.context import JUDGE


@pytest.fixture
def study(micro, tmp_path):
    return Study(micro.profile(), Store(tmp_path / "store"), progress=Progress())


@pytest.fixture(scope="module")
def folder(micro, tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    micro.policy(tokenizer, folder)
    return folder


@pytest.fixture(scope="module")
def judge(micro, tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")
    micro.judge(tokenizer, folder)
    return folder


def test_in_float32_no_answer_differs_and_logits_hardly_move(micro, study, folder):
    record = measure_invariance(study, str(folder), judge=False, count=20)
    assert (record["differing"], record["total"], record["percent"]) == (0, 20, 0.0)
    assert record["low"] == 0.0 < record["high"] < 20.0
    assert 0 < record["logit_drift"] < 1e-4
    assert record["smallest_gap"] > 0
    assert record["way"] == "packed"
    policy = HuggingFacePolicy(micro.checkpoint(folder), policy_settings(study.context, None))
    assert noise_floor(study.store, policy.identity) == record
    assert noise_floor(study.store, "another") is None


def test_a_later_measurement_takes_the_place_of_an_earlier_one(micro, study, folder):
    measure_invariance(study, str(folder), judge=False, count=3)
    record = measure_invariance(study, str(folder), judge=False, count=5)
    policy = HuggingFacePolicy(micro.checkpoint(folder), policy_settings(study.context, None))
    assert noise_floor(study.store, policy.identity) == record
    assert record["total"] == 5


def test_a_model_that_answers_otherwise_together_is_seen(micro, study, folder, monkeypatch):
    """Part of the logits is moved wherever several prompts are read at once."""
    load = HuggingFacePolicy.__init__

    def spoilt(policy, *args, **settings):
        load(policy, *args, **settings)
        head = policy._model.get_output_embeddings()

        def shift(_, __, logits):
            if logits.numel() // logits.shape[-1] > 1:
                logits = logits.clone()
                logits[..., 70] += 50.0
            return logits

        head.register_forward_hook(shift)

    monkeypatch.setattr(HuggingFacePolicy, "__init__", spoilt)
    record = measure_invariance(study, str(folder), judge=False, count=8)
    assert record["differing"] == 8
    assert record["logit_drift"] == pytest.approx(50.0, abs=0.1)


def test_a_judges_scores_hardly_move(micro, study, judge):
    record = measure_invariance(study, str(judge), judge=True, count=20)
    assert record["total"] == 20
    assert 0 <= record["score_drift"] < 1e-4
    own = RewardModelJudge(
        micro.checkpoint(judge, judge=True), judge_settings(study.context, JUDGE)
    )
    assert noise_floor(study.store, own.identity) == record


def test_the_command_says_it_in_a_short_table(folder, judge, tmp_path, capsys):
    common = ["--prompts", "2", "--device", "cpu", "--alignment-store", str(tmp_path)]
    assert main(["check-invariance", str(folder), "--dtype", "bfloat16", *common]) == 0
    out = capsys.readouterr().out
    assert "bfloat16, cpu" in out
    assert " of 4: " in out
    assert main(["check-invariance", str(judge), "--judge", *common]) == 0
    assert "largest difference of a score" in capsys.readouterr().out
    assert [kind for kind, count, _ in Store(tmp_path).contents() if count == 2] == ["invariance"]


def test_what_is_no_model_is_one_line(tmp_path, capsys):
    assert main(["check-invariance", "./nowhere", "--alignment-store", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "error: model ./nowhere: no such folder\n"


@pytest.fixture(autouse=True)
def threads_are_given_back():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_report_shows_what_was_measured_of_its_own_models(micro, study, folder, judge):
    models = {"variants": {"mine": {"model": str(folder)}}, "judge": {"model": str(judge)}}
    own = micro.study(study.store.root, sample=2, **models)
    assert collect(own, {}).noise == {}
    measure_invariance(own, str(folder), judge=False, count=2)
    measure_invariance(own, str(judge), judge=True, count=2)
    own.cases("mine")
    results = collect(own, {})
    assert set(results.noise) == {"mine", "judge"}
    told = document(results)
    text = " ".join(" ".join(summary(told, width=100)).split())
    assert "noise floor of mine: 0 of 4 answers (0.0 [0.0, 49.0] %) differ from" in text
    assert "noise floor of judge: scores change by at most" in text
    assert "### Noise floor" in markdown(told)
    assert str(folder) not in json.dumps(told["noise"])
