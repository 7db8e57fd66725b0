"""Recipes carried out on micro models: what comes out, what its key is, what is refused."""

import copy
import json
import random
import shutil
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from peft import AutoPeftModelForSequenceClassification, PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from alignment.errors import StoreError, TrainingError
from alignment.judges.reward_model import JudgeSettings, RewardModelJudge
from alignment.policies.huggingface import load_model
from alignment.training import models
from alignment.training.context import JUDGE
from alignment.training.keys import recipe_key, seed_of

NAMES = ("base", "sft", "dpo", "sft_dpo", JUDGE)


@pytest.fixture(scope="module")
def trained(micro, tmp_path_factory):
    """A workshop with every model of the micro profile made, children first."""
    context = micro.context(tmp_path_factory.mktemp("trained"), micro.profile(), micro.lessons)
    for name in reversed(NAMES):
        models.make(context, name)
    return context


def changed(micro, tmp_path, **changes):
    """A workshop over an empty store whose base (or another variant) is made otherwise."""
    return micro.context(tmp_path / "store", micro.profile(**changes), micro.lessons)


def base_with(micro, **stage):
    first = {"trainer": "sft", "data": "unfiltered", "args": micro.args, **stage}
    return {"base": {"architecture": micro.architecture, "stages": [first]}}


def variants(micro, **more):
    return {"variants": {**base_with(micro), **more}}


def refused(context, name="base"):
    with pytest.raises(TrainingError) as caught:
        models.make(context, name)
    assert "\n" not in str(caught.value)
    assert list(context.store.models.glob("*")) in (
        [],
        [context.store.models / recipe_key(context, "base")],
    )
    return str(caught.value)


# -- what comes out ----------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_gives_safetensors_and_a_manifest(trained, name):
    key = recipe_key(trained, name)
    folder = trained.store.models / key
    manifest = trained.store.manifest(key)
    found = models.find(trained, name)
    assert list(folder.glob("*.safetensors"))
    assert not [path for path in folder.rglob("*") if path.suffix in {".bin", ".pt", ".md"}]
    assert manifest["name"] == name
    assert manifest["identity"] == found.identity
    assert manifest["seed"] == seed_of(trained.profile, name)
    assert manifest["lessons"] == trained.data.training_digest()
    assert manifest["stages"][0]["rows"] > 0
    assert manifest["adapter"] == (name in {"dpo", "sft_dpo"})
    assert not list(trained.store.models.glob(".draft*"))


def test_dpo_keeps_its_adapter_over_the_parent(trained):
    base = models.find(trained, "base")
    for name, parent in (("dpo", "base"), ("sft_dpo", "sft")):
        found = models.find(trained, name)
        assert found.folder == models.find(trained, parent).folder
        assert found.adapters == (trained.store.models / recipe_key(trained, name),)
        weights = load_file(found.outermost / "adapter_model.safetensors")
        assert all("lora" in name and ("q_proj" in name or "v_proj" in name) for name in weights)
        assert any(weight.abs().max() > 0 for n, weight in weights.items() if "lora_B" in n)
    assert base.adapters == ()


def test_training_changes_the_weights_as_far_as_it_should(trained):
    one, sft, dpo = (
        load_model(models.find(trained, name), "float32").state_dict()
        for name in ("base", "sft", "dpo")
    )
    assert not torch.equal(
        one["model.decoder.embed_tokens.weight"], sft["model.decoder.embed_tokens.weight"]
    )
    moved = {name for name, weight in dpo.items() if not torch.equal(weight, one[name])}
    assert moved
    assert all("q_proj.weight" in name or "v_proj.weight" in name for name in moved)


def test_nothing_is_trained_twice(trained):
    before = {p: p.stat().st_mtime_ns for p in trained.store.models.rglob("*")}
    unread = {"training_data": lambda: pytest.fail("lessons were read again")}
    again = replace(trained, data=SimpleNamespace(**vars(trained.data) | unread))
    assert len({models.make(again, name).identity for name in NAMES}) == 5
    assert {p: p.stat().st_mtime_ns for p in trained.store.models.rglob("*")} == before


def test_the_same_recipes_in_another_store_give_the_same_weights(micro, trained, tmp_path):
    random.seed(99)
    torch.manual_seed(99)
    context = micro.context(tmp_path / "elsewhere", micro.profile(), micro.lessons)
    for name in NAMES:
        assert recipe_key(context, name) == recipe_key(trained, name)
        assert models.make(context, name).identity == models.find(trained, name).identity


def test_a_store_that_moved_keeps_its_keys_and_models(micro, trained, tmp_path):
    shutil.copytree(trained.store.root, tmp_path / "moved")
    context = micro.context(tmp_path / "moved", micro.profile(), micro.lessons)
    for name in NAMES:
        found = models.find(context, name)
        assert found.identity == models.find(trained, name).identity
        assert found.folder.is_relative_to(tmp_path / "moved")
    weights = load_model(models.find(context, "sft_dpo"), "float32").state_dict()
    before = load_model(models.find(trained, "sft_dpo"), "float32").state_dict()
    assert all(torch.equal(weights[name], before[name]) for name in before)


def test_a_lost_parent_is_made_again_and_the_adapter_fits(micro, trained, tmp_path):
    shutil.copytree(trained.store.root, tmp_path / "pruned")
    context = micro.context(tmp_path / "pruned", micro.profile(), micro.lessons)
    shutil.rmtree(models.find(context, "base").folder)
    assert models.find(context, "dpo") is None
    assert models.make(context, "dpo").identity == models.find(trained, "dpo").identity


def test_the_hash_of_an_adapter_does_not_depend_on_the_order_of_a_set(micro, tmp_path):
    """PEFT keeps the names of modules in a set, whose order differs from process to process."""
    modules = ["v_proj", "q_proj", "fc2", "out_proj", "k_proj", "fc1"]
    lora = {**micro.lora, "target_modules": modules}
    stage = {"trainer": "dpo", "data": "pairs", "args": micro.args, "lora": lora}
    context = changed(micro, tmp_path, **variants(micro, dpo={"parent": "base", "stages": [stage]}))
    found = models.make(context, "dpo")
    config = json.loads((found.outermost / "adapter_config.json").read_text())
    assert config["target_modules"] == sorted(modules)


# -- keys ----------------------------------------


def test_another_seed_argument_lesson_or_name_gives_another_key(micro, trained, tmp_path):
    profile = micro.profile()
    args = {**micro.args, "max_steps": 4}
    fewer = replace(micro.lessons, pairs=micro.lessons.pairs[1:])
    root = trained.store.root
    shops = [
        trained,
        micro.context(root, micro.profile(seed=1), micro.lessons),
        micro.context(root, profile, fewer),
        micro.context(root, micro.profile(variants=base_with(micro, args=args)), micro.lessons),
        micro.context(root, micro.profile(variants=base_with(micro, rows=5)), micro.lessons),
        micro.context(root, micro.profile(threads=2), micro.lessons),
        micro.context(root, micro.profile(dtype="bfloat16"), micro.lessons),
        micro.context(
            root, micro.profile(training={"vocab_size": 301, "max_length": 128}), micro.lessons
        ),
        micro.context(
            root, micro.profile(training={"vocab_size": 300, "max_length": 99}), micro.lessons
        ),
    ]
    assert len({recipe_key(context, "base") for context in shops}) == len(shops)

    renamed = {"first": base_with(micro)["base"]}
    other = micro.context(
        root,
        micro.profile(variants=renamed, reference="first", judge={"model": "./judge"}),
        micro.lessons,
    )
    assert recipe_key(other, "first") != recipe_key(trained, "base")


def test_a_key_changes_with_the_parents_and_with_nothing_beside(micro, trained):
    root = trained.store.root
    args = {**micro.args, "max_steps": 4}
    child = {"parent": "base", "stages": [{"trainer": "sft", "data": "chosen", "args": micro.args}]}
    longer = micro.profile(variants={**base_with(micro, args=args), "sft": child})
    assert recipe_key(micro.context(root, longer, micro.lessons), "sft") != recipe_key(
        trained, "sft"
    )
    alone = micro.profile(
        variants={**base_with(micro), "sft": child, "more": child},
        generation={"max_new_tokens": 3},
        name="renamed",
        description="another",
    )
    context = micro.context(root, alone, micro.lessons)
    assert recipe_key(context, "sft") == recipe_key(trained, "sft")
    assert recipe_key(context, "more") != recipe_key(context, "sft")


# -- stages one after the other --------------------


def test_lora_after_another_stage_counts_over_that_stage(micro, tmp_path):
    """An adapter over weights that are in no folder of the store would change the wrong ones."""
    stages = [
        {"trainer": "sft", "data": "chosen", "args": micro.args},
        {"trainer": "dpo", "data": "pairs", "args": micro.args, "lora": micro.lora},
    ]
    both = {"parent": "base", "stages": stages}
    fresh = {"architecture": micro.architecture, "stages": [{**stages[0]}, stages[1]]}
    context = changed(micro, tmp_path, **variants(micro, both=both, fresh=fresh))
    base = load_model(models.make(context, "base"), "float32").state_dict()
    weights = load_model(models.make(context, "both"), "float32").state_dict()
    embedding = "model.decoder.embed_tokens.weight"
    assert not torch.equal(weights[embedding], base[embedding])  # what the first stage trained
    assert models.make(context, "fresh").adapters == ()
    manifest = context.store.manifest(recipe_key(context, "both"))
    assert manifest["identity"] == models.find(context, "both").identity
    assert len(manifest["stages"]) == 2


def test_a_judge_trained_with_lora_is_judged_with_its_adapter(micro, tmp_path):
    stage = {"trainer": "reward", "data": "pairs", "args": micro.args, "lora": micro.lora}
    judge = {"parent": "base", "max_length": 128, "stages": [stage]}
    context = changed(micro, tmp_path, judge=judge, **variants(micro))
    found = models.make(context, JUDGE)
    assert found.adapters
    worker = RewardModelJudge(found, JudgeSettings(context.profile.judge, device="cpu", threads=1))
    ids = worker._encode("Human: rain?", "Yes.")["input_ids"]
    (batch,) = worker.score([("Human: rain?", "Yes.")], [0])
    plain = AutoPeftModelForSequenceClassification.from_pretrained(found.outermost, num_labels=1)
    plain.eval()
    with torch.inference_mode():
        expected = float(plain(torch.tensor([ids])).logits[0, 0])
    assert batch[0].values["reward"] == pytest.approx(expected, abs=1e-4)


# -- what is refused ---------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": "fast"},
        {"lr_scheduler_type": "steep"},
        {"optim": "magic"},
        {"max_steps": "many"},
        {"per_device_train_batch_size": 0},
        {"loss_type": "guess"},
        {"gradient_accumulation_steps": 0},
        {"warmup_steps": -1},
        {"report_to": "nobody"},
        {"fsdp": "wrong"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_wrong_value_of_an_argument_is_one_line(micro, tmp_path, wrong):
    args = {**micro.args, **wrong}
    context = changed(micro, tmp_path, variants=base_with(micro, args=args))
    assert refused(context).startswith("sft stage: ")


@pytest.mark.parametrize(
    ("field", "value"),
    [("hidden_size", "wide"), ("model_type", "unheard_of"), ("num_attention_heads", 5)],
)
def test_a_wrong_architecture_is_one_line(micro, tmp_path, field, value):
    base = copy.deepcopy(base_with(micro))
    base["base"]["architecture"][field] = value
    said = refused(changed(micro, tmp_path, variants=base))
    assert said.startswith("architecture ")


def test_a_wrong_lora_is_one_line(micro, tmp_path):
    stage = {
        "trainer": "dpo",
        "data": "pairs",
        "args": micro.args,
        "lora": {"target_modules": ["nowhere"]},
    }
    context = changed(micro, tmp_path, **variants(micro, dpo={"parent": "base", "stages": [stage]}))
    assert "nowhere" in refused(context, "dpo")


@pytest.mark.parametrize("steps", [3, 12])
@pytest.mark.parametrize("trainer", ["sft", "reward"])
def test_a_loss_that_is_not_finite_is_an_error(micro, tmp_path, trainer, steps):
    args = {**micro.args, "max_steps": steps, "learning_rate": 1e30}
    judge = {"parent": "base", "stages": [{"trainer": "reward", "data": "pairs", "args": args}]}
    sft = {"parent": "base", "stages": [{"trainer": "sft", "data": "chosen", "args": args}]}
    context = changed(micro, tmp_path, judge=judge, **variants(micro, sft=sft))
    said = refused(context, JUDGE if trainer == "reward" else "sft")
    assert said.startswith(f"{trainer} stage: the loss is ")
    assert "lower args.learning_rate" in said


@pytest.mark.parametrize("lora", [None, {"r": 2, "target_modules": ["q_proj", "v_proj"]}])
def test_weights_that_the_last_step_spoilt_are_an_error(micro, tmp_path, lora):
    """Its loss is that of the weights before it."""
    args = {**micro.args, "max_steps": 1, "learning_rate": 1e39, "max_grad_norm": 0.0}
    stage = {"trainer": "sft", "data": "chosen", "args": args, "lora": lora}
    context = changed(micro, tmp_path, **variants(micro, sft={"parent": "base", "stages": [stage]}))
    said = refused(context, "sft")
    assert said.startswith("sft stage: NaN or infinity stands in ")
    assert said.endswith("lower args.learning_rate")


def test_a_judge_for_which_every_row_is_too_long_is_an_error(micro, tmp_path):
    judge = {
        "parent": "base",
        "max_length": 3,
        "stages": [{"trainer": "reward", "data": "pairs", "args": micro.args}],
    }
    said = refused(changed(micro, tmp_path, judge=judge, **variants(micro)), JUDGE)
    assert "all are longer than 3 tokens" in said


def test_a_reward_model_does_not_start_from_an_adapter(micro, tmp_path):
    dpo = {
        "parent": "base",
        "stages": [{"trainer": "dpo", "data": "pairs", "args": micro.args, "lora": micro.lora}],
    }
    judge = {
        "parent": "dpo",
        "stages": [{"trainer": "reward", "data": "pairs", "args": micro.args}],
    }
    context = changed(micro, tmp_path, judge=judge, **variants(micro, dpo=dpo))
    with pytest.raises(TrainingError, match="starts from a full model, not from an adapter"):
        models.make(context, JUDGE)


def test_what_failed_is_not_tried_again_for_every_child(micro, tmp_path):
    profile = micro.profile()
    read = []

    def lessons():
        read.append(1)
        raise TrainingError("no lessons today")

    context = micro.context(tmp_path, profile, micro.lessons)
    context.data.training_data = lessons
    for name in NAMES:
        with pytest.raises(TrainingError, match="no lessons today"):
            models.make(context, name)
    assert read == [1]


def test_a_store_that_is_full_is_one_line(micro, tmp_path):
    wide = micro.architecture | {"hidden_size": 64, "word_embed_proj_dim": 64}
    base = base_with(micro)["base"] | {"architecture": wide}
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(tmp_path)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        context = micro.context(tmp_path, micro.profile(variants={"base": base}), micro.lessons)
        with pytest.raises(StoreError) as caught:
            models.make(context, "base")
        assert list(context.store.models.iterdir()) == []
        context.store.close()
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)
    assert str(caught.value).startswith(f"store {tmp_path}: cannot be written: ")
    assert "No space left on device" in str(caught.value)
    assert "\n" not in str(caught.value)


# -- a good guest --------------------------------


def test_training_leaves_the_global_random_state_alone(micro, tmp_path):
    context = changed(micro, tmp_path, **variants(micro))
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    models.make(context, "base")
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    assert before == after


def test_a_manifest_is_json_that_says_what_made_the_model(trained):
    path = trained.store.models / recipe_key(trained, "dpo") / "manifest.json"
    manifest = json.loads(path.read_text())
    assert manifest["recipe"]["parent"] == "base"
    assert manifest["recipe"]["stages"][0]["lora"]["r"] == 2
    assert {"torch", "trl", "peft", "transformers"} <= manifest["versions"].keys()
    folder = path.parent
    model = AutoModelForCausalLM.from_pretrained(models.find(trained, "dpo").folder)
    assert PeftModel.from_pretrained(model, folder).peft_config["default"].r == 2
