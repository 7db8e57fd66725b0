"""Compares the sizes in a configuration with the weights, before a model is built from it."""

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
_POSITIVE = frozenset(
    {"num_attention_heads", "n_head", "n_heads", "encoder_attention_heads", "hidden_size", "n_embd"}
    | {"num_hidden_layers", "n_layer", "n_layers", "num_key_value_heads", "head_dim"}
)
"""Sizes that must not be 0."""
_MOST_POSITIONS = 2**28
"""The longest context of a published model is 10 million."""
_ALWAYS_ACCEPTED = {True: 100, False: 1000}
"""Counts that need no comparison with the weights: of layers, if the weights are known (True), and
of everything else."""
_FACTOR = 64
"""How many times the largest dimension of the weights a size may be (matrices may be packed)."""
_SMALL = 10_000
"""Sizes up to this one need no comparison with the weights."""
_DTYPE = re.compile(
    r"^(?:torch\.)?(?:auto|half|double|float|bool|bfloat16|float(?:4|6|8|16|32|64)(?:_\w+)?|"
    r"u?int(?:[1-8]|16|32|64))$"
)


def check_sizes(
    folder: Path, name: str, config: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """Refuse sizes that no model has, or that are far larger than the weights. Raises ModelError.

    `name` is the file of `config`; `tensors` is empty where they are not known (pickles). A model
    is built from its configuration before its weights are read: a wrong size would cost time and
    memory without bound.
    """
    largest = max((side for each in tensors.values() for side in each.shape), default=0)
    for key, value in _find_sizes(config):
        where = f"model {folder}: {name} has {key} = {quoted(value)}"
        least = 1 if key in _POSITIVE else 0
        if not isinstance(value, int) or isinstance(value, bool):
            raise ModelError(f"{where}; a whole number is required")
        if value < least:
            raise ModelError(f"{where}; at least {least} is required")
        if _LAYERS.match(key) or _COUNTS.match(key):
            layers = _LAYERS.match(key) is not None
            accepted = _ALWAYS_ACCEPTED[layers and bool(tensors)]
            if value > max(len(tensors) if layers else largest, accepted):
                of = f"{len(tensors)} tensors, the largest of {largest}" if tensors else "a pickle"
                raise ModelError(f"{where}, far beyond its weights ({of})")
        elif key == _POSITIONS:
            if value > _MOST_POSITIONS:
                raise ModelError(f"{where}; at most {_MOST_POSITIONS} positions are possible")
        elif value > (max(_FACTOR * largest, _SMALL) if tensors else _MOST_POSITIONS):
            bound = f"its weights, whose largest dimension is {largest}" if tensors else "any model"
            raise ModelError(f"{where}, far beyond {bound}")


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
    """Refuse an `eos_token_id` that is neither an id nor a list of ids. Raises ModelError."""
    value = config.get("eos_token_id")
    ids = value if isinstance(value, list) else [value]
    if value is not None and not all(type(each) is int for each in ids):
        raise ModelError(
            f"model {folder}: {name} has eos_token_id = {quoted(value)}; a token's number or "
            f"a list of them is required"
        )


def _find_sizes(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(key, value) of every count and size, also of nested configs; lists have one per layer."""
    for key, value in config.items():
        if isinstance(value, dict):
            if key.endswith("_config"):
                yield from _find_sizes(value)
        elif value is None or not (
            key == _POSITIONS or _LAYERS.match(key) or _COUNTS.match(key) or _SIZES.match(key)
        ):
            continue
        elif isinstance(value, list):
            yield from ((key, each) for each in value if type(each) is int)
        else:
            yield key, value
