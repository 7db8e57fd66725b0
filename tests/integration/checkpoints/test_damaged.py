"""Damaged models are refused in one line before any answer."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from alignment.checkpoints.loading import check_whole, load_causal, load_classifier
from alignment.errors import ModelError
from support.architectures import ENCODER
from support.whole_models import (
    added,
    cast,
    damaged,
    first_half,
    look,
    prefixed,
    refusal,
    renamed,
    same,
    saved,
    without,
)

POLICIES = {
    "no output matrix": (without("lm_head"), {}, "only model.embed_tokens.weight has a row"),
    "no output matrix, and nothing said of it": (
        without("lm_head"),
        {"tie_word_embeddings": None},
        ": of its tensors 1 missing, which would be random (lm_head.weight); save",
    ),
    "compiled": (prefixed("_orig_mod."), {}, "'_orig_mod'"),
    "compiled layers": (renamed("model.layers.0", "model.layers.0._orig_mod"), {}, "'_orig_mod'"),
    "data parallel": (prefixed("module."), {}, "'module'"),
    "FSDP": (renamed("model.", "model._fsdp_wrapped_module."), {}, "'_fsdp_wrapped_module'"),
    "an adapter not merged": (renamed("q_proj.", "q_proj.base_layer."), {}, "'base_layer'"),
    "PEFT's names": (prefixed("base_model.model."), {}, "'base_model'"),
    "a prefix nobody knows": (prefixed("policy."), {}, "have the prefix 'policy.'"),
    "a prefix of two parts": (prefixed("actor.inner."), {}, "have the prefix 'actor.inner.'"),
    "the first layer gone": (without("layers.0."), {}, "no tensor of 1 of them (0)"),
    "the last layer gone": (without("layers.1."), {}, "no tensor of 1 of them (1)"),
    "one matrix gone": (
        without("layers.1.mlp.up_proj"),
        {},
        "1 missing, which would be random (model.layers.1.mlp.up_proj.weight)",
    ),
    "one norm gone": (without("model.norm"), {}, "(model.norm.weight)"),
    "the embeddings gone": (without("embed_tokens"), {}, "only lm_head.weight has a row"),
    "a matrix under another name": (renamed("down_proj", "w2"), {}, ".mlp.w2.weight"),
    "the half of a file": (first_half, {}, "no tensor of 1 of them (1)"),
    "nothing at all": (lambda _: {"x": torch.ones(300, 64)}, {}, "only x has a row for each"),
    "fewer layers than weights": (same, {"num_hidden_layers": 1}, "would be dropped"),
    "more layers than weights": (same, {"num_hidden_layers": 4}, "no tensor of 2 of them (2, 3)"),
    "biases that the configuration denies": (
        added("model.layers.0.self_attn.q_proj.bias", 32),
        {},
        "1 unknown, which would be dropped (model.layers.0.self_attn.q_proj.bias)",
    ),
    "a norm that the class has not": (
        added("model.layers.0.self_attn.q_norm.weight", 8),
        {},
        "q_norm",
    ),
    "another width": (same, {"intermediate_size": 48}, "6 of another shape"),
    "other heads": (same, {"num_key_value_heads": 4}, "4 of another shape"),
    "another class's weights": (same, {"model_type": "gpt_neox"}, " missing, "),
    "integers without scales": (cast("q_proj", torch.int8), {}, "quantized numbers (I8)"),
    "eights without scales": (
        cast("q_proj", torch.float8_e4m3fn),
        {},
        "quantized numbers (F8_E4M3)",
    ),
    "scales of a quantization": (
        added("model.layers.0.self_attn.q_proj.weight_scale_inv", 1, 1),
        {},
        "1 unknown",
    ),
    "a quantization nobody knows": (
        cast("q_proj", torch.int8),
        {"quantization_config": {"quant_method": "theirs", "bits": 8}},
        "quant_method = theirs",
    ),
    "an end beyond the vocabulary": (same, {"eos_token_id": 99999}, "eos_token_id = 99999"),
    "a beginning of no number": (same, {"bos_token_id": "<s>"}, "bos_token_id = <s>"),
}
EXPERTS = "model.layers.1.block_sparse_moe.experts."
MIXTURES = {
    **{
        f"{part} of one layer": (
            without(f"{EXPERTS}0.{part}", f"{EXPERTS}1.{part}"),
            f"no {EXPERTS}*.{part}.",
        )
        for part in ("w1", "w2", "w3")
    },
    "w3 of all layers": (without(".w3."), "some are missing or of a shape that does not fit"),
    "an expert of another shape": (
        added(f"{EXPERTS}0.w1.weight", 7, 32),
        "some are missing or of a shape that does not fit",
    ),
    "both forms": (
        lambda weights: (
            {**weights, f"{EXPERTS}gate_up_proj": torch.ones(2, 128, 32)}
            | {f"{EXPERTS}down_proj": torch.ones(2, 32, 64)}
        ),
        "either might be taken",
    ),
    "both forms in part": (added(f"{EXPERTS}gate_up_proj", 2, 128, 32), "either might be taken"),
}
"""What is done to the experts of a Mixtral."""
JUDGES = {
    "no head": (without("score"), {}, "no head with 1 output"),
    "the head under another name": (renamed("score.", "v_head."), {}, "(score.weight)"),
    "the head of two outputs": (added("score.weight", 2, 32), {}, "no head with 1 output"),
    "a bias that the head has not": (added("score.bias", 1), {}, "(score.bias)"),
    "compiled": (prefixed("_orig_mod."), {}, "'_orig_mod'"),
    "a layer gone": (without("layers.1."), {}, "no tensor of 1 of them (1)"),
    "a matrix gone": (without("layers.1.mlp.up_proj"), {}, "(model.layers.1.mlp.up_proj.weight)"),
    "padding of -1": (same, {"pad_token_id": -1}, "pad_token_id = -1"),
    "padding beyond the vocabulary": (same, {"pad_token_id": 4000}, "pad_token_id = 4000"),
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_damaged_policy_is_refused_before_it_answers(llama, tmp_path, name):
    change, fields, reason = POLICIES[name]
    assert reason in refusal(damaged(llama, tmp_path / "model", change, fields))


@pytest.mark.parametrize("name", MIXTURES)
def test_experts_that_are_not_whole_are_refused_before_an_answer(mixtral, tmp_path, name):
    change, reason = MIXTURES[name]
    text = refusal(damaged(mixtral, tmp_path / "model", change, {}))
    assert reason in text
    assert "automatic conversion" not in text
    assert "AttributeError" not in text


@pytest.mark.parametrize("name", JUDGES)
def test_a_damaged_judge_is_refused_before_it_scores(judge, tmp_path, name):
    change, fields, reason = JUDGES[name]
    folder = damaged(judge, tmp_path / "model", change, fields)
    assert reason in refusal(folder, judge=True)


@pytest.mark.parametrize("kind", ["bert", "deberta-v2", "roberta"])
def test_an_encoder_without_its_head_is_no_judge(tokenizer, tmp_path, kind):
    auto = AutoModelForSequenceClassification
    saved(kind, tokenizer, tmp_path / "whole", auto, **ENCODER, num_labels=1)
    change = without("classifier", "pooler")
    folder = damaged(tmp_path / "whole", tmp_path / "body", change, {})
    assert "no head with 1 output" in refusal(folder, judge=True)
    one = damaged(tmp_path / "whole", tmp_path / "part", without("encoder.layer.1.output"), {})
    assert "missing, which would be random" in refusal(one, judge=True)


def test_the_parent_of_a_recipe_is_loaded_whole_but_for_a_fresh_head(llama, tmp_path):
    check_whole(look(llama), judge=False, fresh=1)
    head = load_classifier(look(llama), "float32", fresh=1)
    assert head.config.num_labels == 1
    torch.testing.assert_close(
        dict(head.model.named_parameters()),
        dict(AutoModelForCausalLM.from_pretrained(llama).model.named_parameters()),
    )
    folder = damaged(llama, tmp_path / "model", without("layers.1.mlp.up_proj"), {})
    for load in (
        lambda: load_causal(look(folder), "float32"),
        lambda: load_classifier(look(folder), "float32", fresh=1),
        lambda: check_whole(look(folder), judge=False),
        lambda: check_whole(look(folder), judge=False, fresh=1),
    ):
        with pytest.raises(ModelError, match=r"\(model\.layers\.1\.mlp\.up_proj\.weight\)"):
            load()
