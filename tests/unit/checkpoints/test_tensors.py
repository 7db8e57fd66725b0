"""What the headers of a model's files tell: names, types and shapes that no whole model has."""

from pathlib import Path

import pytest

from alignment.checkpoints.tensors import Tensor, check_tensors
from alignment.errors import ModelError

FOLDER = Path("/models/m")
CONFIG = {"num_hidden_layers": 1, "vocab_size": 8, "tie_word_embeddings": False}
BLOCK = "model.layers.0"
PLAIN = {
    "model.embed_tokens.weight": Tensor("F32", (8, 4)),
    "lm_head.weight": Tensor("F32", (8, 4)),
    f"{BLOCK}.mlp.up_proj.weight": Tensor("F32", (16, 4)),
    f"{BLOCK}.norm.weight": Tensor("F32", (4,)),
}


def experts(where, numbers, *parts):
    return {
        f"{BLOCK}.{where}.experts.{number}.{part}.weight": Tensor("BF16", (16, 4))
        for number in numbers
        for part in parts
    }


def in_the_next(tensors):
    """The same in the next layer."""
    return {name.replace("layers.0", "layers.1"): each for name, each in tensors.items()}


def check(tensors, **fields):
    check_tensors(FOLDER, CONFIG | fields, PLAIN | tensors, judge=False, outputs=None)


def of_kind(kind, name, *shape):
    return {f"{BLOCK}.{name}": Tensor(kind, shape)}


REFUSED = {
    "an expert gone": (experts("mlp", [0, 1, 3], "w1", "w2"), "experts.2.w1.weight, so that"),
    "an expert with another's number": (
        experts("block_sparse_moe", [0, 1, 2, 4], "w1"),
        "experts.3.w1.weight, so that",
    ),
    "a matrix of an expert gone": (
        experts("mlp", [0, 1, 2], "w1") | experts("mlp", [0, 2], "w2"),
        "experts.1.w2.weight, so that",
    ),
    "a matrix of the last expert gone": (
        experts("mlp", [0, 1], "w1") | experts("mlp", [0], "w2"),
        "experts.1.w2.weight, so that",
    ),
    "a matrix of all experts of a layer gone": (
        experts("mlp", [0, 1], "w1", "w3") | in_the_next(experts("mlp", [0, 1], "w1")),
        "no model.layers.1.mlp.experts.*.w3.weight of any number *, which the experts of other",
    ),
    "experts by number and in one": (
        experts("mlp", [0, 1], "gate_proj", "up_proj", "down_proj")
        | of_kind("F32", "mlp.experts.gate_up_proj", 2, 32, 4),
        "experts.0.down_proj.weight, model.layers.0.mlp.experts.gate_up_proj), and either",
    ),
    "experts in one beside numbers elsewhere": (
        experts("block_sparse_moe", [0, 1], "w1", "w2", "w3")
        | of_kind("F32", "mlp.experts.down_proj", 2, 32, 4),
        "twice, each by its number and all in one",
    ),
    "a layer twice": (
        {"layers.0.mlp.up_proj.weight": Tensor("F32", (16, 4))},
        "one tensor under two names (model.layers.0.mlp.up_proj.weight, layers.0.mlp.up_proj",
    ),
    "a norm by its old name too": (
        {f"{BLOCK}.LayerNorm.gamma": Tensor("F32", (4,))}
        | {f"{BLOCK}.LayerNorm.weight": Tensor("F32", (4,))},
        "one tensor under two names",
    ),
    "an output matrix with more rows": (
        {"lm_head.weight": Tensor("F32", (9, 4))},
        "is of shape (9, 4), and its embeddings are of shape (8, 4)",
    ),
    **{
        f"{kind} {name}": (of_kind(kind, name, *shape), f"quantized numbers ({kind})")
        for kind, name, shape in (
            ("I8", "mlp.down_proj.weight", (4, 16)),
            ("I16", "mlp.down_proj.weight", (4, 16)),
            ("I32", "mlp.down_proj.weight", (4, 16)),
            ("I64", "norm.weight", (4,)),
            ("BOOL", "mlp.down_proj.weight", (4, 16)),
            ("C64", "mlp.down_proj.weight", (4, 16)),
            ("F8_E4M3", "norm.weight", (4,)),
            ("F8_E5M2", "mlp.experts.gate_up_proj", (2, 4, 16)),
            ("F6_E2M3", "mlp.down_proj.weight", (4, 16)),
            ("F4", "mlp.down_proj.weight", (4, 16)),
        )
    },
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_whole_model_has(name):
    tensors, reason = REFUSED[name]
    with pytest.raises(ModelError) as caught:
        check(tensors)
    text = str(caught.value)
    assert reason in text
    assert text.startswith(f"model {FOLDER}: ")
    assert "\n" not in text
    assert len(text) <= 400


ACCEPTED = {
    "double precision": {name: Tensor("F64", tensor.shape) for name, tensor in PLAIN.items()},
    "experts": experts("mlp", range(12), "gate_proj", "up_proj"),
    "shared experts in one": experts("mlp", range(2), "gate_proj")
    | of_kind("F32", "mlp.shared_experts.gate_up_proj", 32, 4),
    "layers without experts": experts("mlp", range(2), "up_proj")
    | of_kind("F32", "mlp.gate_proj.weight", 16, 4),
    "a triangle of booleans": of_kind("BOOL", "attn.bias", 1, 1, 64, 64),
    "a triangle of bytes": of_kind("U8", "attn.bias", 1, 1, 64, 64),
    "positions": {"model.position_ids": Tensor("I64", (1, 64))},
    "a layer for multi-token prediction": {
        "mtp.layers.0.up_proj.weight": Tensor("F32", (16, 4)),
        "layers.0.up_proj.weight": Tensor("F32", (16, 4)),
    },
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_whole_models_have(name):
    """They were looked at: beside one that a wrapper named they are refused."""
    check(ACCEPTED[name])
    with pytest.raises(ModelError, match="_orig_mod"):
        check(ACCEPTED[name] | of_kind("F32", "_orig_mod.layers.0.up_proj.weight", 16, 4))


def test_a_quantization_may_leave_the_experts_of_a_layer_as_they_are():
    packed = {
        f"{BLOCK}.mlp.experts.{number}.w1.{part}": Tensor("I32", (16, 4))
        for number in (0, 1)
        for part in ("qweight", "scales")
    }
    plain = in_the_next(experts("mlp", [0, 1], "w1"))
    check(packed | plain, quantization_config={"quant_method": "gptq"})
    with pytest.raises(ModelError, match="which the experts of other layers have"):
        check(packed | plain)
