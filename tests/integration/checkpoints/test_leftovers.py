"""What lies in published files beside weights, and weights that are nothing but zeros."""

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from alignment.checkpoints.loading import check_whole, load_causal
from alignment.errors import AlignmentError
from support.whole_models import damaged, look, opened, refusal, renamed, same, saved

GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
NEO = {
    "hidden_size": 32,
    "num_layers": 2,
    "num_heads": 4,
    "attention_types": [[["global", "local"], 1]],
    "max_position_embeddings": 64,
}
OPT = {"hidden_size": 32, "ffn_dim": 64, "word_embed_proj_dim": 32} | {
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
XGLM = {"d_model": 32, "num_layers": 2, "attention_heads": 4, "ffn_dim": 64}
TRIANGLE = torch.ones(64, 64).tril().bool()[None, None]
NUMBER = torch.tensor(-1e9)

COMPUTED = {
    "gpt2": (GPT2, {"transformer.h.0.attn.masked_bias": NUMBER}),
    "gptj": (
        GPT2 | {"rotary_dim": 4},
        {"transformer.h.0.attn.bias": TRIANGLE, "transformer.h.0.attn.masked_bias": NUMBER},
    ),
    "gpt_neo": (
        NEO,
        {
            "transformer.h.1.attn.attention.bias": TRIANGLE,
            "transformer.h.1.attn.attention.masked_bias": NUMBER,
        },
    ),
    "codegen": (GPT2 | {"rotary_dim": 4}, {"transformer.h.0.attn.causal_mask": TRIANGLE}),
    "openai-gpt": (GPT2, {"h.0.attn.bias": TRIANGLE}),
    "opt": (OPT, {"model.decoder.version": torch.tensor([3.0])}),
    "xglm": (XGLM, {"model.embed_positions.weights": torch.ones(66, 32)}),
}
"""Architecture -> its fields, and what older releases of transformers wrote beside its weights."""


@pytest.mark.parametrize("kind", COMPUTED)
def test_what_a_model_computes_for_itself_may_lie_beside_its_weights(tokenizer, tmp_path, kind):
    fields, beside = COMPUTED[kind]
    model = saved(kind, tokenizer, tmp_path / "plain", **fields)
    folder = damaged(tmp_path / "plain", tmp_path / "old", lambda weights: weights | beside, {})
    check_whole(look(folder), judge=False)
    loaded = load_causal(look(folder), "float32")
    torch.testing.assert_close(loaded.state_dict(), model.state_dict())


def test_a_bias_that_a_class_lacks_is_never_taken_for_a_mask(llama, tmp_path):
    more = {"model.layers.0.self_attn.q_proj.bias": torch.ones(32), "attn.bias": torch.ones(4)}
    for name, value in more.items():
        folder = damaged(
            llama, tmp_path / name, lambda weights, n=name, v=value: {**weights, n: v}, {}
        )
        assert "1 unknown, which would be dropped" in refusal(folder)


def test_double_precision_is_loaded(llama, tmp_path):
    folder = damaged(
        llama, tmp_path / "m", lambda weights: {n: v.double() for n, v in weights.items()}, {}
    )
    loaded, plain = (load_causal(look(each), "float32") for each in (folder, llama))
    torch.testing.assert_close(loaded.state_dict(), plain.state_dict())


def test_a_model_without_a_limit_of_positions_answers_and_scores(tokenizer, tmp_path):
    fields = {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64}
    saved("xlnet", tokenizer, tmp_path / "model", **fields)
    auto = AutoModelForSequenceClassification
    saved("xlnet", tokenizer, tmp_path / "judge", auto, **fields, num_labels=1)
    assert list(opened(tmp_path / "model").respond([("Human: rain?", 0)], [0]))
    assert list(opened(tmp_path / "judge", judge=True).score([("Human: rain?", "Snow.")], [0]))


def test_a_head_under_the_name_of_another_task_is_named(judge, tmp_path):
    folder = damaged(judge, tmp_path / "judge", renamed("score.", "v_head."), {})
    assert "1 missing, which would be random (score.weight); 1 beside them for something else" in (
        text := refusal(folder, judge=True)
    )
    assert "(v_head.weight)" in text


# -- zeros ---------------------------------------------------------------------------------------


def zeroed(part):
    return lambda weights: {
        name: value * 0 if part in name else value for name, value in weights.items()
    }


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ("lm_head", "lm_head.weight"),
        ("embed_tokens", "model.embed_tokens.weight"),
        ("layers.1.", "model.layers.1"),
        ("", "model.embed_tokens.weight, model.layers.0, ..."),
    ],
)
def test_a_policy_with_a_hole_does_not_answer(llama, tmp_path, part, named):
    folder = damaged(llama, tmp_path / "m", zeroed(part), {})
    with pytest.raises(AlignmentError, match=f"nothing but zeros in {named}, as in a file"):
        opened(folder)


@pytest.mark.parametrize("part", ["score", "layers.0."])
def test_a_judge_with_a_hole_does_not_score(judge, tmp_path, part):
    folder = damaged(judge, tmp_path / "judge", zeroed(part), {})
    with pytest.raises(AlignmentError, match="nothing but zeros in "):
        opened(folder, judge=True)


def test_a_layer_that_changes_nothing_is_whole(llama, tmp_path):
    change = zeroed("layers.1.self_attn.o_proj")
    first = damaged(llama, tmp_path / "first", change, {})
    folder = damaged(first, tmp_path / "second", zeroed("layers.1.mlp.down_proj"), {})
    assert opened(folder)


def test_an_adapter_of_integers_is_refused(llama, tmp_path):
    base = AutoModelForCausalLM.from_pretrained(llama)
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    peft.get_peft_model(base, config).save_pretrained(tmp_path)
    path = tmp_path / "adapter_model.safetensors"
    save_file({n: (100 * v).to(torch.int8) for n, v in load_file(path).items()}, path)
    with pytest.raises(AlignmentError, match=r"quantized numbers \(I8\)"):
        look(tmp_path)


# -- fields that a run trips over ------------------------------------------------------------------


def test_a_configuration_that_asks_for_tuples_changes_nothing(llama, judge, tmp_path):
    plain, old = (
        opened(folder)
        for folder in (llama, damaged(llama, tmp_path / "m", same, {"return_dict": False}))
    )
    texts = [("Human: rain?", 0)]
    assert list(old.respond(texts, [0])) == list(plain.respond(texts, [0]))
    folder = damaged(judge, tmp_path / "judge", same, {"return_dict": False})
    assert list(opened(folder, judge=True).score([("Human: rain?", "Snow.")], [0]))


def test_what_only_reading_shows_is_told_of_the_folder(llama, tmp_path):
    pytest.importorskip("bitsandbytes")

    quantized = {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    folder = damaged(llama, tmp_path / "m", same, quantized)
    with pytest.raises(AlignmentError) as caught:
        opened(folder)
    assert str(caught.value).startswith(f"model {folder}: cannot be loaded: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["bart", "funnel"])
def test_encoders_that_pool_or_need_an_end_score(tokenizer, tmp_path, kind):
    fields = {
        "bart": {f"{side}_layers": 1 for side in ("encoder", "decoder")}
        | {f"{side}_attention_heads": 4 for side in ("encoder", "decoder")},
        "funnel": {"block_sizes": [1, 1], "n_head": 4, "d_head": 8, "d_inner": 64},
    }[kind]
    auto = AutoModelForSequenceClassification
    saved(kind, tokenizer, tmp_path, auto, **fields, d_model=32, num_labels=1)
    assert list(opened(tmp_path, judge=True).score([("Human: rain?", "Snow.")], [0]))
