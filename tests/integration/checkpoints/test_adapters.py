"""PEFT's adapters: applied whole or not at all, and merged they say what they said before."""

import copy
import json
import shutil

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from alignment.checkpoints import examine
from alignment.checkpoints.loading import check_whole, load_causal, load_classifier
from alignment.config.judges import JudgeConfig
from alignment.config.schema import Generation
from alignment.errors import ModelError
from alignment.judges import reward_model
from alignment.policies.huggingface import HuggingFacePolicy, PolicySettings
from alignment.store import content

LLAMA = {
    "model_type": "llama",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
}
IDS = torch.tensor([[5, 3, 7, 90, 150, 250, 2]])
HALF = {"target_modules": ["q_proj", "v_proj"]}
KINDS = {
    "LoRA": peft.LoraConfig(r=4, **HALF),
    "DoRA": peft.LoraConfig(r=4, use_dora=True, **HALF),
    "rsLoRA": peft.LoraConfig(r=4, use_rslora=True, **HALF),
    "PiSSA": peft.LoraConfig(r=4, init_lora_weights="pissa", **HALF),
    "ranks and alphas by pattern": peft.LoraConfig(
        r=4, rank_pattern={"q_proj": 2}, alpha_pattern={"v_proj": 16}, **HALF
    ),
    "all linear": peft.LoraConfig(r=4, target_modules="all-linear"),
    "one layer": peft.LoraConfig(r=4, layers_to_transform=[1], **HALF),
    "the embeddings": peft.LoraConfig(r=4, target_modules=["embed_tokens", "q_proj"]),
    "the output": peft.LoraConfig(r=4, target_modules=["lm_head", "q_proj"]),
    "the embeddings and the output": peft.LoraConfig(
        r=4, target_modules=["lm_head", "embed_tokens"]
    ),
    "a matrix by its name": peft.LoraConfig(
        r=4, target_parameters=["q_proj.weight"], target_modules=["v_proj"]
    ),
    "modules_to_save: the output": peft.LoraConfig(r=4, modules_to_save=["lm_head"], **HALF),
    "modules_to_save: the embeddings": peft.LoraConfig(
        r=4, modules_to_save=["embed_tokens"], **HALF
    ),
    "modules_to_save: both": peft.LoraConfig(
        r=4, modules_to_save=["embed_tokens", "lm_head"], **HALF
    ),
    "modules_to_save: norms": peft.LoraConfig(r=4, modules_to_save=["norm"], **HALF),
    "trainable tokens beside LoRA": peft.LoraConfig(r=4, trainable_token_indices=[3, 5], **HALF),
    "trainable tokens": peft.TrainableTokensConfig(token_indices=[3, 5]),
    "IA3": peft.IA3Config(
        target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]
    ),
    "VeRA": peft.VeraConfig(r=8, **HALF),
    "VeRA without projections": peft.VeraConfig(r=8, save_projection=False, **HALF),
    "AdaLoRA": peft.AdaLoraConfig(total_step=10, **HALF),
    "LoHa": peft.LoHaConfig(r=4, **HALF),
    "LoKr": peft.LoKrConfig(r=4, **HALF),
    "OFT": peft.OFTConfig(r=0, oft_block_size=4, **HALF),
    "layer norms": peft.LNTuningConfig(),
}
RARE = {
    "PiSSA",
    "all linear",
    "one layer",
    "a matrix by its name",
    "AdaLoRA",
    "LoHa",
    "LoKr",
    "OFT",
}


@pytest.fixture(scope="module")
def bases(micro, tokenizer, tmp_path_factory):
    """Folders of a language model: whether its embeddings are tied -> where."""
    root = tmp_path_factory.mktemp("bases")
    for tied in (True, False):
        micro.policy(tokenizer, root / str(tied), **LLAMA, tie_word_embeddings=tied)
    return {tied: root / str(tied) for tied in (True, False)}


def trained(base, folder, config, auto=AutoModelForCausalLM, task="CAUSAL_LM", **settings):
    """Save an adapter with weights of some size over a base; gives the adapted model."""
    config = copy.deepcopy(config)
    config.task_type = task
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = peft.get_peft_model(auto.from_pretrained(base, **settings), config)
        for _, weight in sorted(model.named_parameters()):
            if weight.requires_grad:
                weight.data += 0.2 * torch.randn_like(weight)
    model.save_pretrained(folder)
    return model.eval()


def look(folder, *, judge=False, outputs=0):
    return examine(folder, judge=judge, network=False, hasher=content, outputs=outputs)


def judge_of(folder, **settings):
    given = JudgeConfig.model_validate({"model": "./judge", "max_length": 64, **settings})
    checkpoint = look(folder, judge=True, outputs=given.named)
    return reward_model.RewardModelJudge(
        checkpoint, reward_model.JudgeSettings(given, device="cpu", threads=1)
    )


def logits(model):
    with torch.inference_mode():
        return model(input_ids=IDS).logits


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.slow) if kind in RARE else kind for kind in KINDS],
)
def test_every_kind_says_merged_what_it_says_over_its_base(bases, tmp_path, kind, tied):
    adapted = trained(bases[tied], tmp_path, KINDS[kind])
    expected, plain = logits(adapted), logits(load_causal(look(bases[tied]), "float32"))
    assert (expected - plain).abs().max() > 0.1
    check_whole(look(tmp_path), judge=False)
    loaded = load_causal(look(tmp_path), "float32")
    torch.testing.assert_close(logits(loaded), expected, atol=1e-3, rtol=1e-3)


def test_an_adapter_that_learned_nothing_is_an_adapter(bases, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(bases[False])
    peft.get_peft_model(model, peft.LoraConfig(r=4, **HALF)).save_pretrained(tmp_path)
    loaded, plain = (load_causal(look(each), "float32") for each in (tmp_path, bases[False]))
    torch.testing.assert_close(logits(loaded), logits(plain))


# -- applied in part -----------------------------------------------------------------------------


def renamed(old, new):
    return lambda weights: {name.replace(old, new): value for name, value in weights.items()}


def without(part):
    return lambda weights: {name: value for name, value in weights.items() if part not in name}


def same(weights):
    return weights


PARTS = {
    "another path": (renamed("model.layers", "transformer.h"), {}, "8 of its 8 tensors"),
    "a compiled base": (renamed("base_model.model.", "base_model.model._orig_mod."), {}, "8 of"),
    "no prefix": (renamed("base_model.model.", ""), {}, "8 of its 8 tensors"),
    "an adapter's name": (renamed("lora_A.", "lora_A.mine."), {}, "4 of its 8 tensors"),
    "the model of images and text": (renamed("model.model.", "model.language_model."), {}, "8 of"),
    "another layer": (renamed("layers.1.", "layers.7."), {}, "4 of its 8 tensors"),
    "one matrix gone": (without("layers.1.self_attn.q_proj.lora_B"), {}, "1 missing from"),
    "one layer gone": (without("layers.1."), {}, "4 missing from"),
    "more than it targets": (same, {"target_modules": ["q_proj"]}, "4 of its 8 tensors"),
    "less than it targets": (same, {"target_modules": ["q_proj", "v_proj", "o_proj"]}, "4 missing"),
    "layers it is not for": (same, {"layers_to_transform": [0]}, "4 of its 8 tensors"),
    "magnitudes gone": (same, {"use_dora": True}, "4 missing from"),
    "a module gone": (same, {"modules_to_save": ["lm_head"]}, "has no tensor"),
    "another rank": (same, {"r": 8}, "is of shape [4, 32], and by its adapter_config.json and its"),
    "a target that is nowhere": (same, {"target_modules": ["w_q"]}, "not found"),
    "nothing but its name": (lambda _: {"x": torch.ones(1)}, {}, "1 of its 1 tensor"),
}


@pytest.fixture(scope="module")
def lora(bases, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lora")
    trained(bases[False], folder, KINDS["LoRA"])
    return folder


def changed(adapter, folder, change, fields):
    shutil.copytree(adapter, folder)
    path = folder / "adapter_model.safetensors"
    save_file(change(load_file(path)), path, {"format": "pt"})
    config = json.loads((folder / "adapter_config.json").read_text()) | fields
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("name", PARTS)
def test_an_adapter_is_never_applied_in_part(lora, tmp_path, name):
    change, fields, reason = PARTS[name]
    folder = changed(lora, tmp_path / "adapter", change, fields)
    with pytest.raises(ModelError) as caught:
        load_causal(look(folder), "float32")
    text = str(caught.value)
    assert reason in text
    if "would be applied only partly" in text:
        with pytest.raises(ModelError) as before:
            check_whole(look(folder), judge=False)
        assert str(before.value) == text
    assert text.startswith(f"model {folder}: ")
    assert "\n" not in text
    assert len(text.replace(str(folder), "")) <= 400


@pytest.mark.parametrize(
    "config",
    [
        peft.PromptTuningConfig(num_virtual_tokens=3),
        peft.PrefixTuningConfig(num_virtual_tokens=3),
        peft.PromptEncoderConfig(num_virtual_tokens=3, encoder_hidden_size=8),
    ],
    ids=lambda config: config.peft_type.value,
)
def test_what_no_weights_can_hold_is_refused_without_torch(bases, tmp_path, config):
    trained(bases[False], tmp_path, config)
    with pytest.raises(ModelError) as caught:
        look(tmp_path)
    assert str(caught.value) == (
        f"model {tmp_path}: is a {config.peft_type.value} adapter, which cannot be merged into its "
        f"base's weights; a kind such as LORA is required: serve this one and name its `endpoint`"
    )


# -- judges --------------------------------------------------------------------------------------


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("kind", ["LoRA", "DoRA", "IA3"])
def test_a_reward_adapter_brings_its_head_to_a_language_model(bases, tmp_path, kind, outputs):
    auto = AutoModelForSequenceClassification
    settings = {"num_labels": outputs, "pad_token_id": 0}
    adapted = trained(bases[False], tmp_path, KINDS[kind], auto, "SEQ_CLS", **settings)
    check_whole(look(tmp_path, judge=True, outputs=outputs), judge=True)
    loaded = load_classifier(look(tmp_path, judge=True, outputs=outputs), "float32")
    torch.testing.assert_close(logits(loaded), logits(adapted), atol=1e-3, rtol=1e-3)
    named = {"outputs": {"reward": {"index": outputs - 1}}} if outputs > 1 else {}
    pairs = [("Human: rain?", "Snow."), ("Human: rain and snow?", "A longer answer.")]
    both = [list(judge_of(tmp_path, **named).score(pairs, [0, 1])) for _ in range(2)]
    assert both[0] == both[1]


def test_how_many_outputs_an_adapters_head_has_is_known_before_a_run(bases, tmp_path):
    auto = AutoModelForSequenceClassification
    trained(bases[False], tmp_path, KINDS["LoRA"], auto, "SEQ_CLS", num_labels=3, pad_token_id=0)
    said = {0: "has 3 outputs; a reward model", 5: r"has 3 outputs; judge\.outputs names number 4"}
    for outputs, what in said.items():
        with pytest.raises(ModelError, match=f"^model {tmp_path}: {what}"):
            look(tmp_path, judge=True, outputs=outputs)


def test_an_adapter_without_a_head_needs_a_base_that_has_one(bases, micro, tokenizer, tmp_path):
    trained(bases[False], tmp_path / "bare", KINDS["LoRA"], task=None)
    with pytest.raises(ModelError) as caught:
        look(tmp_path / "bare", judge=True)
    assert str(caught.value) == (
        f"model {tmp_path / 'bare'}: its base {bases[False]} is a LlamaForCausalLM; a sequence "
        f"classifier is required under an adapter that brings no head (score.weight); name another "
        f"adapter, or correct base_model_name_or_path in adapter_config.json"
    )
    model = micro.judge(tokenizer, tmp_path / "judge", **LLAMA, num_labels=3)
    assert model.config.num_labels == 3
    auto = AutoModelForSequenceClassification
    adapted = trained(tmp_path / "judge", tmp_path / "over", KINDS["LoRA"], auto, None)
    loaded = load_classifier(look(tmp_path / "over", judge=True, outputs=3), "float32")
    torch.testing.assert_close(logits(loaded), logits(adapted), atol=1e-3, rtol=1e-3)


def test_an_adapters_head_takes_the_place_of_another(micro, tokenizer, tmp_path):
    micro.judge(tokenizer, tmp_path / "judge", **LLAMA, num_labels=3)
    auto = AutoModelForSequenceClassification
    settings = {"num_labels": 1, "ignore_mismatched_sizes": True}
    adapted = trained(
        tmp_path / "judge", tmp_path / "over", KINDS["LoRA"], auto, "SEQ_CLS", **settings
    )
    loaded = load_classifier(look(tmp_path / "over", judge=True), "float32")
    torch.testing.assert_close(logits(loaded), logits(adapted), atol=1e-3, rtol=1e-3)


def test_a_base_that_lacks_more_than_its_head_is_not_whole_under_any_adapter(bases, tmp_path):
    auto = AutoModelForSequenceClassification
    base = tmp_path / "base"
    shutil.copytree(bases[False], base)
    trained(base, tmp_path / "over", KINDS["LoRA"], auto, "SEQ_CLS", num_labels=1, pad_token_id=0)
    weights = without("layers.1.mlp.up_proj")(load_file(base / "model.safetensors"))
    save_file(weights, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"\(model\.layers\.1\.mlp\.up_proj\.weight\)"):
        load_classifier(look(tmp_path / "over", judge=True), "float32")


def test_an_adapters_head_is_no_policys(bases, tmp_path):
    auto = AutoModelForSequenceClassification
    trained(bases[False], tmp_path, KINDS["LoRA"], auto, "SEQ_CLS", num_labels=1, pad_token_id=0)
    with pytest.raises(ModelError, match=f"^model {tmp_path}: .* has task_type = SEQ_CLS, and a "):
        look(tmp_path)
    folder = changed(tmp_path, tmp_path / "untold", same, {"task_type": None})
    with pytest.raises(
        ModelError, match=r"1 of its 9 tensors without .*\(base_model\.model\.score"
    ):
        load_causal(look(folder), "float32")


TASKS = {
    "a judge with a language model's": (True, "CAUSAL_LM", "a sequence classifier's adapter"),
    "a judge with an extractor's": (True, "FEATURE_EXTRACTION", "a sequence classifier's adapter"),
    "a policy with a classifier's": (False, "SEQ_CLS", "a language model's adapter"),
    "a policy with a tagger's": (False, "TOKEN_CLS", "a language model's adapter"),
}


@pytest.mark.parametrize("name", TASKS)
def test_an_adapter_for_another_kind_of_head_is_named(bases, micro, tokenizer, tmp_path, name):
    judge, task, required = TASKS[name]
    micro.judge(tokenizer, tmp_path / "judge", **LLAMA)
    base = tmp_path / "judge" if judge else bases[False]
    trained(base, tmp_path / "plain", KINDS["LoRA"], task=None)
    folder = changed(tmp_path / "plain", tmp_path / "adapter", same, {"task_type": task})
    assert look(tmp_path / "plain", judge=judge)
    with pytest.raises(ModelError) as caught:
        look(folder, judge=judge)
    text = str(caught.value)
    assert text.startswith(f"model {folder}: adapter_config.json has task_type = {task}, and ")
    assert required in text
    assert "\n" not in text
    assert len(text.replace(str(folder), "")) <= 400


def test_a_policys_adapter_over_a_classifier_is_named(micro, tokenizer, tmp_path):
    micro.judge(tokenizer, tmp_path / "judge", **LLAMA)
    auto = AutoModelForSequenceClassification
    trained(tmp_path / "judge", tmp_path / "adapter", KINDS["LoRA"], auto, None)
    folder = changed(
        tmp_path / "adapter", tmp_path / "causal", without("score"), {"task_type": "CAUSAL_LM"}
    )
    with pytest.raises(ModelError) as caught:
        look(folder)
    assert str(caught.value).startswith(
        f"model {folder}: its base {tmp_path / 'judge'} is a LlamaForSequenceClassification; a "
        f"causal language model is required; "
    )


def test_a_head_above_makes_a_judge_of_any_adapter_below(bases, tmp_path):
    trained(bases[False], tmp_path / "below", KINDS["LoRA"])
    auto = AutoModelForSequenceClassification
    settings = {"num_labels": 1, "pad_token_id": 0}
    trained(bases[False], tmp_path / "head", KINDS["LoRA"], auto, "SEQ_CLS", **settings)
    above = {"base_model_name_or_path": str(tmp_path / "below")}
    folder = changed(tmp_path / "head", tmp_path / "above", same, above)
    check_whole(look(folder, judge=True), judge=True)
    assert load_classifier(look(folder, judge=True), "float32").config.num_labels == 1
    untold = changed(folder, tmp_path / "causal", same, {"task_type": "CAUSAL_LM"})
    assert look(untold, judge=True)


# -- an adapter's own tokenizer ------------------------------------------------------------------


def test_an_adapters_tokenizer_may_know_a_token_that_no_text_has(bases, tokenizer, tmp_path):
    trained(bases[False], tmp_path, KINDS["LoRA"])
    plain = answers(tmp_path, "Human: rain?")
    own = type(tokenizer).from_pretrained(bases[False])
    own.add_tokens(["<unused>"])
    own.save_pretrained(tmp_path)
    assert answers(tmp_path, "Human: rain?") == plain
    with pytest.raises(ModelError) as caught:
        answers(tmp_path, "Human: <unused>?")
    assert str(caught.value).startswith(
        f"model {tmp_path}: a text has token {len(tokenizer)}, and the embedding matrix "
        f"{len(tokenizer)} rows: "
    )
    assert "\n" not in str(caught.value)


def answers(folder, text):
    settings = PolicySettings(Generation(max_new_tokens=4), device="cpu", threads=1)
    return list(HuggingFacePolicy(look(folder), settings).respond([(text, 0)], [0]))
