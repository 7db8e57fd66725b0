"""The numbers of a configuration, held against the weights before anything is built by them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from alignment.checkpoints.tensors import Tensor
from alignment.errors import ModelError, quoted

_LAYERS = re.compile(
    r"^(?:num_(?:hidden_|decoder_|encoder_)?layers|n_layers?|(?:en|de)coder_layers|"
    r"num_nextn_predict_layers)$"
)
_COUNTS = re.compile(
    r"^(?:num_(?:attention_|key_value_|kv_|linear_)?heads|n_heads?|(?:en|de)coder_attention_heads|"
    r"(?:moe_)?num_(?:local_|routed_|shared_)?experts|n_(?:routed|shared)_experts|num_labels)$"
)
_SIZES = re.compile(
    r"^(?:hidden_size|(?:\w+_)?intermediate_size|d_model|d_ff|d_kv|d_head|d_state|state_size|"
    r"(?:\w+_)?ffn_dim|n_embd|n_inner|n_positions|head_dim|embedding_size|word_embed_proj_dim|"
    r"vocab_size|r)$"
)
_POSITIONS = "max_position_embeddings"
_NEEDED = frozenset(
    {"num_attention_heads", "n_head", "n_heads", "encoder_attention_heads", "hidden_size", "n_embd"}
    | {"num_hidden_layers", "n_layer", "n_layers", "num_key_value_heads", "head_dim"}
)
"""What is divided by, or holds everything: 0 of them is no model."""
_FARTHEST = 2**28
"""Positions; the longest context of a model that is published is 10 million."""
_FEW = {True: 100, False: 1000}
"""How many layers of known weights, or whatever else, there may be whatever the weights say."""
_BEYOND = 64
"""How many times the largest dimension of its weights a size may be: what is packed or fused."""
_SMALL = 10_000
"""A size that costs nothing, whatever the weights say."""
_DTYPE = re.compile(
    r"^(?:torch\.)?(?:auto|half|double|float|bool|bfloat16|float(?:4|6|8|16|32|64)(?:_\w+)?|"
    r"u?int(?:[1-8]|16|32|64))$"
)


def check_sizes(
    folder: Path, name: str, config: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """Refuse numbers that no model has, or far from those of the weights (none: not known).

    A model is built by its configuration before its weights are read: a number that is wrong costs
    time and memory without bound. Raises ModelError.
    """
    largest = max((side for each in tensors.values() for side in each.shape), default=0)
    for key, value in _numbers(config):
        where = f"model {folder}: {name} has {key} = {quoted(value)}"
        least = 1 if key in _NEEDED else 0
        if not isinstance(value, int) or isinstance(value, bool):
            raise ModelError(f"{where}; a whole number is required")
        if value < least:
            raise ModelError(f"{where}; at least {least} is required")
        if _LAYERS.match(key) or _COUNTS.match(key):
            layers = _LAYERS.match(key) is not None
            if value > max(len(tensors) if layers else largest, _FEW[layers and bool(tensors)]):
                of = f"{len(tensors)} tensors, the largest of {largest}" if tensors else "a pickle"
                raise ModelError(f"{where}, far beyond its weights ({of})")
        elif key == _POSITIONS:
            if value > _FARTHEST:
                raise ModelError(f"{where}; at most {_FARTHEST} positions are possible")
        elif value > (max(_BEYOND * largest, _SMALL) if tensors else _FARTHEST):
            there = f"its weights, whose largest dimension is {largest}" if tensors else "any model"
            raise ModelError(f"{where}, far beyond {there}")


def check_dtype(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a dtype that torch does not have. Raises ModelError."""
    for key in ("dtype", "torch_dtype"):
        value = config.get(key)
        if value is not None and not (isinstance(value, str) and _DTYPE.match(value)):
            raise ModelError(
                f"model {folder}: config.json has {key} = {quoted(value)}; a dtype of torch "
                f"is required, such as 'bfloat16'"
            )


def check_ends(folder: Path, name: str, config: Mapping[str, Any]) -> None:
    """The tokens that end an answer: one id or a list of them. Raises ModelError."""
    value = config.get("eos_token_id")
    ids = value if isinstance(value, list) else [value]
    if value is not None and not all(type(each) is int for each in ids):
        raise ModelError(
            f"model {folder}: {name} has eos_token_id = {quoted(value)}; a token's number or "
            f"a list of them is required"
        )


def _numbers(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is a count or a size, here and in the parts of a model; lists say it for each layer."""
    for key, value in config.items():
        if isinstance(value, dict):
            if key.endswith("_config"):
                yield from _numbers(value)
        elif value is None or not (
            key == _POSITIONS or _LAYERS.match(key) or _COUNTS.match(key) or _SIZES.match(key)
        ):
            continue
        elif isinstance(value, list):
            yield from ((key, each) for each in value if type(each) is int)
        else:
            yield key, value
