"""The paper's models by their real names and file layouts, against transformers called plainly.

What is typed is what the README says; the hub's cache holds stand-ins (`support/standins.py`).
"""

import inspect
import json
import os

import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from alignment.checkpoints import examine
from alignment.config.judges import JudgeConfig
from alignment.config.recipes import Pickle
from alignment.config.schema import Generation
from alignment.errors import ModelError
from alignment.judges import reward_model
from alignment.policies import huggingface
from alignment.store import content
from support import forks, standins
from support.places import ROOT
from support.standins import POLICY

PROMPTS = [
    "Human: How do I mend a job?",
    "Human: Why?\n\nAssistant: Which one?\n\nHuman: The mending of number 7, in the garden.",
    "Human: Is it raining?\n\nAssistant: No.",
]
AXES = ("harmlessness", "helpfulness")
SAMPLE = 25
"""Prompts, and held-out pairs, per axis: the paper's 50 and our 300 take four times as long."""


class Hub:
    """A hub cache of stand-ins, and what is typed beside it."""

    def __init__(self, folder, *, pickled):
        self.folder, self.home = folder, folder / "home"
        self.policy = standins.hub(self.home, folder / "made", pickled=pickled)
        # One thread: sums in the same order as here, and quick for matrices this small.
        own = {"HF_HOME": str(self.home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        self.environment = os.environ | own
        self._forking = None
        (self.judge,) = (self.home / "hub").glob("models--OpenAssistant--*/snapshots/*")

    def type(self, *arguments, report="report.json"):
        """Run `pytest eval_suites` offline with this cache: the process and the report."""
        folder = self.folder / "report"
        self._forking = self._forking or forks.Server(forks.MODELS, self.environment)
        done = forks.run(
            "pytest",
            [
                *("eval_suites", *arguments, "-p", "no:cacheprovider"),
                *("--alignment-store", self.folder / "store"),
                *("--alignment-report", folder, "--alignment-format=json"),
            ],
            folder=ROOT,
            environment=self.environment,
            of=self._forking,
        )
        path = folder / report
        return done, json.loads(path.read_text()) if path.is_file() else None

    def close(self):
        if self._forking:
            self._forking.end()


@pytest.fixture(scope="module")
def safe(tmp_path_factory):
    hub = Hub(tmp_path_factory.mktemp("safe"), pickled=False)
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def pickled(tmp_path_factory):
    hub = Hub(tmp_path_factory.mktemp("pickled"), pickled=True)
    yield hub
    hub.close()


@pytest.fixture(params=["safe", "pickled"])
def hub(request):
    return request.getfixturevalue(request.param)


def plain_policy(folder):
    """Tokenizer and model as the paper's notebook has them, in its day's default precision."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return AutoTokenizer.from_pretrained(folder), model


def plain_answer(tokenizer, model, prompt):
    """The notebook's way: one prompt, greedy, the text after the prompt, stripped."""
    inputs = tokenizer(prompt, return_tensors="pt")
    with torch.no_grad():
        output = model.generate(**inputs, max_new_tokens=50, do_sample=False)
    new = output[0][inputs["input_ids"].shape[1] :]
    return tokenizer.decode(new, skip_special_tokens=True).strip()


def plain_score(tokenizer, model, prompt, answer):
    """The notebook's way: the pair of texts, one logit, four decimals."""
    with torch.no_grad():
        return round(float(model(**tokenizer(prompt, answer, return_tensors="pt")).logits[0]), 4)


def plain_judge(folder):
    auto = AutoModelForSequenceClassification
    model = auto.from_pretrained(folder, dtype=torch.float32).eval()
    return AutoTokenizer.from_pretrained(folder), model


def allowed(folder):
    names = [path.name for path in folder.glob("*.bin")]
    if not names:
        return {}
    pin = Pickle(
        revision=folder.name, sha256={name: content.file_hash(folder / name) for name in names}
    )
    return {"spec": POLICY, "pickles": {POLICY: pin}}


def look(folder, **rest):
    return examine(folder, network=False, hasher=content, **{"judge": False, **rest})


def test_ids_logits_and_answers_are_those_of_plain_transformers(hub):
    checkpoint = look(hub.policy, **allowed(hub.policy))
    settings = huggingface.PolicySettings(Generation(format="verbatim"), device="cpu", threads=1)
    policy = huggingface.HuggingFacePolicy(checkpoint, settings)
    assert policy.begins_with == "</s>"
    tokenizer, model = plain_policy(hub.policy)
    own_tokenizer = huggingface.load_tokenizer(checkpoint)
    own_model = huggingface.load_model(checkpoint, "float32")
    answers = {}
    for batch in policy.respond([(prompt, 0) for prompt in PROMPTS], range(len(PROMPTS))):
        answers |= batch
    for number, prompt in enumerate(PROMPTS):
        ids = tokenizer(prompt)["input_ids"]
        assert ids[0] == tokenizer.bos_token_id == tokenizer.eos_token_id == 2
        assert own_tokenizer(prompt)["input_ids"] == ids
        with torch.no_grad():
            given = torch.tensor([ids])
            assert torch.equal(own_model(given).logits, model(given).logits)
        assert answers[number].text == plain_answer(tokenizer, model, prompt)
    assert len({answer.text for answer in answers.values()}) > 1


def test_pairs_are_scored_as_by_plain_transformers(safe):
    given = JudgeConfig(model="x", input="pair", max_length=4096, batch_tokens=1)
    settings = reward_model.JudgeSettings(given, device="cpu", threads=1)
    judge = reward_model.RewardModelJudge(look(safe.judge, judge=True), settings)
    tokenizer, model = plain_judge(safe.judge)
    pairs = [(prompt, answer) for prompt in PROMPTS for answer in ("", "You mend it.\n\nHuman: no")]
    pairs.append((PROMPTS[0] + " And again." * 300, "More than 512 tokens."))
    found = {}
    for batch in judge.score(pairs, range(len(pairs))):
        found |= batch
    for number, pair in enumerate(pairs):
        assert found[number].values == {"reward": plain_score(tokenizer, model, *pair)}
    assert len(tokenizer(*pairs[-1])["input_ids"]) > 512


def test_a_pickle_that_is_armed_goes_off_nowhere(pickled, tmp_path):
    """Its hash is allowed, and still it is read as data only."""
    for path in pickled.policy.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.save({"decoder.x": _Armed()}, tmp_path / "pytorch_model.bin")
    pin = Pickle(sha256={"pytorch_model.bin": content.file_hash(tmp_path / "pytorch_model.bin")})
    checkpoint = look(tmp_path, pickles={str(tmp_path): pin})
    with pytest.raises(ModelError) as raised:
        huggingface.load_model(checkpoint, "float32")
    assert str(raised.value) == (
        f"model {tmp_path}: its pickled weights are damaged or hold more than data; only data is "
        f"ever loaded"
    )


class _Armed:
    def __reduce__(self):
        return os.abort, ()


def test_no_pickle_is_sent_to_be_converted(pickled, monkeypatch):
    """transformers asks a service to, from a thread, unless this variable is set."""
    monkeypatch.setenv("DISABLE_SAFETENSORS_CONVERSION", "0")
    huggingface.load_model(look(pickled.policy, **allowed(pickled.policy)), "float32")
    assert os.environ["DISABLE_SAFETENSORS_CONVERSION"] == "1"
    read = inspect.getsource(transformers.modeling_utils)
    assert 'not is_env_variable_true("DISABLE_SAFETENSORS_CONVERSION")' in read


@pytest.fixture(scope="module")
def adapter(pickled):
    """A DPO adapter over the base by its hub id, as PEFT writes one."""
    torch.manual_seed(3)
    base = AutoModelForCausalLM.from_pretrained(pickled.policy, dtype=torch.float32)
    settings = LoraConfig(
        r=8, lora_alpha=16, lora_dropout=0.05, target_modules=["q_proj", "v_proj"]
    )
    model = get_peft_model(base, settings)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    model.peft_config["default"].base_model_name_or_path = POLICY
    folder = pickled.folder / "dpo"
    model.save_pretrained(folder, save_embedding_layers=False)  # else it asks the hub of the base
    return folder, model.merge_and_unload().eval()


@pytest.fixture(scope="module")
def paper_eval(pickled, adapter):
    (weights,) = pickled.policy.glob("*.bin")
    return pickled.type(
        *("--alignment-profile", "paper-eval"),
        *("--alignment-variant", f"sft={POLICY}", "--alignment-variant", f"dpo={adapter[0]}"),
        *(f"--alignment-set=axes.{axis}.prompts.sample={SAMPLE}" for axis in AXES),
        *(f"--alignment-set=axes.{axis}.trial.pairs={SAMPLE}" for axis in AXES),
        "--alignment-set",
        f'pickles."{POLICY}".sha256."{weights.name}"={content.file_hash(weights)}',
    )


def test_the_papers_evaluation_of_given_checkpoints(pickled, adapter, paper_eval):
    done, report = paper_eval
    assert done.returncode in {0, 1}, done.stdout[-3000:]  # a finding is a 1
    assert report is not None, done.stdout[-3000:] + done.stderr
    assert report["complete"] is True
    assert {(c["variant"], c["axis"]) for c in report["cases"]} == {
        (v, a) for v in ("sft", "dpo") for a in AXES
    }
    assert len(report["cases"]) == 4 * SAMPLE
    asked = {name: prompt["text"] for name, prompt in report["prompts"].items()}
    tokenizer, base = plain_policy(pickled.policy)
    models, judge = {"sft": base, "dpo": adapter[1]}, plain_judge(pickled.judge)
    for case in report["cases"][::5]:
        prompt = asked[case["prompt"]]
        assert case["response"] == plain_answer(tokenizer, models[case["variant"]], prompt)
        assert case["score"] == plain_score(*judge, prompt, case["response"])
    assert len({case["score"] for case in report["cases"]}) > SAMPLE


def test_the_manifest_says_what_prompts_begin_with(paper_eval):
    _, report = paper_eval
    for manifest in report["manifests"].values():
        assert manifest["decoding"] == {"max_new_tokens": 50, "begins_with": "</s>"}
        assert manifest["format"] == "verbatim"


@pytest.mark.slow
def test_the_readmes_command_unchanged(safe):
    done, report = safe.type(
        *("--alignment-profile", "hh-rlhf", "--alignment-variant", f"candidate={POLICY}")
    )
    assert done.returncode in {0, 1}, done.stdout[-3000:]
    assert report["complete"] is True
    assert len(report["cases"]) == 300
    tokenizer, model = plain_policy(safe.policy)
    judge = plain_judge(safe.judge)
    asked = {name: prompt["text"] for name, prompt in report["prompts"].items()}
    for case in report["cases"][::40]:
        prompt = asked[case["prompt"]]
        opened = f"{prompt}\n\nAssistant:"
        assert case["response"] == plain_answer(tokenizer, model, opened)
        # Scored in batches: padding moves the last digit.
        expected = plain_score(*judge, prompt, case["response"])
        assert case["score"] == pytest.approx(expected, abs=2e-4)


def test_the_papers_study_with_a_few_prompts_and_steps(pickled):
    """Profile `paper`, but for how much of it: trained from the pickle, asked and judged."""
    (weights,) = pickled.policy.glob("*.bin")
    stages = ("sft", "dpo", "sft_dpo")
    settings = (
        "device=cpu",
        "generation.block=4",
        f'pickles."{POLICY}".sha256."{weights.name}"={content.file_hash(weights)}',
        *(f"variants.{name}.stages.0.args.max_steps=2" for name in stages),
    )
    done, report = pickled.type(
        *("--alignment-profile", "paper", "--alignment-limit", "3", "-k", "not judge"),
        *(word for setting in settings for word in ("--alignment-set", setting)),
        report="report.partial.json",
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert list(report["variants"]) == ["base", *stages]
    assert (len(report["cases"]), report["limit"]) == (24, 3)


@pytest.mark.parametrize("profile", ["hh-rlhf", "paper-eval"])
def test_other_bytes_under_the_real_name_are_refused(pickled, profile):
    """The built-in profiles allow the published file and no other, a stand-in least of all."""
    given = ("--alignment-profile", profile, "--alignment-variant", f"candidate={POLICY}")
    done, _ = pickled.type(*given)
    (weights,) = pickled.policy.glob("*.bin")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    (line,) = (line for line in done.stderr.splitlines() if line.strip())
    assert line == (
        f"ERROR: variants.candidate: model {pickled.policy}: pytorch_model.bin has SHA-256 "
        f"{content.file_hash(weights)}, and the profile allows "
        f"a5223ae6f3c26c6d90003f96a6bcd9a4aaaef0d36fca6469112efeeb985f2842 "
        f'(pickles."{POLICY}".sha256); fetch the file again, or allow this one if you trust it'
    )
