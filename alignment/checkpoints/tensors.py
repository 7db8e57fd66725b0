"""Checks a model's tensors by the headers of its safetensors: names, types and shapes.

These checks run before anything is loaded, without torch, and know no architecture: they find names
changed by a wrapper, missing layers, a missing classification head, and quantized numbers without a
quantization config. Whether every tensor of the loaded model came from the files is checked when it
is loaded (`alignment.checkpoints.loading`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignment.checkpoints.experts import check_experts
from alignment.checkpoints.names import counted, some
from alignment.errors import ModelError

WRAPPERS = (
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
    "_forward_module",
    "base_layer",
    "lora_A",
    "lora_B",
)
"""Parts of tensor names that come from a wrapper around a model: torch.compile, FSDP, PEFT."""
_OUTER_WRAPPERS = ("module", "base_model")
"""The same for the first part of a name: DataParallel and DDP, PEFT."""

_BLOCK = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)\.(\d+)\.")
_NUMBERED = re.compile(r"\.\d+\.")
_LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")

_FLOATS = frozenset({"F16", "BF16", "F32", "F64"})
_PACKED = ("I8", "U8", "F8_", "F4", "F6_")
"""Beginnings of the types of quantized numbers, which mean nothing without their scales."""
_WEIGHT = re.compile(r"(?:\.weight|\.lora_\w+|_proj|\.bias)$")
"""Names of weights; other tensors, such as masks and positions, may be of any type."""

EMBEDDINGS = ("embed_tokens.weight", "word_embeddings.weight", "wte.weight", "embed_in.weight")
"""How the names of embedding matrices end, in most models."""

_OUTER = frozenset({"model", "transformer"})
_RENAMED = {".LayerNorm.gamma": ".LayerNorm.weight", ".LayerNorm.beta": ".LayerNorm.bias"}
"""Old -> new endings of the names of normalization weights."""

_HEADS = ("score", "classifier", "classifier.out_proj", "classification_head.out_proj")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor's entry in a header: its type, such as `BF16`, and its shape."""

    kind: str
    shape: tuple[int, ...]


def check_tensors(
    folder: Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    *,
    judge: bool,
    outputs: int | None,
) -> None:
    """Refuse weights that cannot be those of a model with this `config.json`.

    `outputs` is the number of outputs of a judge's head; None where the head may be in other files.
    Raises ModelError.
    """
    if not tensors:
        return
    text = config.get("text_config")
    inner = {**config, **text} if isinstance(text, dict) else config
    _check_names(folder, tensors)
    _check_layers(folder, inner, tensors)
    check_experts(folder, tensors, quantized=bool(config.get("quantization_config")))
    _check_duplicates(folder, tensors)
    check_types(folder, config, tensors)
    if outputs is not None and not _has_head(tensors, outputs):
        raise ModelError(
            f"model {folder}: its weights hold no head with {counted(outputs, 'output')} (such as "
            f"score.weight or classifier.weight), so its scores would be random; save the trained "
            f"sequence classifier itself with save_pretrained"
        )
    if not judge:
        _check_output_matrix(folder, config, inner, tensors)
        _check_rows(folder, tensors)


def _check_names(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    wrapped = [name for name in sorted(tensors) if wrapper_of(name)]
    if wrapped:
        raise ModelError(
            f"model {folder}: {len(wrapped)} of its {counted(len(tensors), 'tensor')} "
            f"({some(wrapped)}) have names that a wrapper around the model gave them "
            f"({wrapper_of(wrapped[0])!r}); save the model inside it with save_pretrained"
        )


def wrapper_of(name: str) -> str | None:
    """The part of a tensor's name that comes from a wrapper; None without one."""
    parts = name.split(".")
    if parts[0] in _OUTER_WRAPPERS:
        return parts[0]
    return next((part for part in parts if part in WRAPPERS), None)


def _check_layers(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Refuse weights in which layers are missing that the configuration counts.

    Where most of them are missing, the model may use the same layers several times: that is checked
    when it is loaded.
    """
    count = next((config[key] for key in _LAYERS if isinstance(config.get(key), int)), 0)
    present = {int(match[1]) for name in tensors if (match := _BLOCK.search(name))}
    if count > 2 * len(present):
        return
    absent = [number for number in range(count) if number not in present]
    if absent:
        raise ModelError(
            f"model {folder}: its config.json has {counted(count, 'layer')}, and its weights no "
            f"tensor of {len(absent)} of them ({', '.join(map(str, absent[:4]))}"
            f"{', ...' if len(absent) > 4 else ''}), which would be random; save it again with "
            f"save_pretrained"
        )


def _check_duplicates(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Refuse a weight that is there under two names, because either of them might be loaded."""
    for name in sorted(tensors):
        outer, _, inner = name.partition(".")
        deep = _NUMBERED.search(f".{inner}") and not outer.startswith("mtp")
        other = inner if deep or outer in _OUTER else ""
        for old, new in _RENAMED.items():
            if name.endswith(old):
                other = name.removesuffix(old) + new
        if other in tensors:
            raise ModelError(
                f"model {folder}: its weights hold one tensor under two names "
                f"({some([name, other])}), and either might be taken; save the model again with "
                f"save_pretrained"
            )


def check_types(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Refuse quantized weights without a `quantization_config`. Raises ModelError."""
    if config.get("quantization_config"):
        return
    quantized = [name for name, tensor in sorted(tensors.items()) if _is_quantized(name, tensor)]
    if quantized:
        raise ModelError(
            f"model {folder}: {counted(len(quantized), 'tensor')} ({some(quantized)}) hold "
            f"quantized numbers ({tensors[quantized[0]].kind}), and config.json has no "
            f"quantization_config that says what they mean; save the model with the configuration "
            f"it was quantized with"
        )


def _is_quantized(name: str, tensor: Tensor) -> bool:
    """Whether a tensor is a quantized weight; a `bias` of several dimensions is a mask."""
    if tensor.kind in _FLOATS or not tensor.shape:
        return False
    mask = name.endswith(".bias") and len(tensor.shape) > 1
    packed = tensor.kind.startswith(_PACKED) and len(tensor.shape) == 2
    return packed or (not mask and _WEIGHT.search(name) is not None)


def _has_head(tensors: Mapping[str, Tensor], outputs: int) -> bool:
    """Whether any tensor outside the layers could be the output matrix of a classifier."""
    return any(
        tensor.shape[:1] == (outputs,)
        and len(tensor.shape) == 2
        and "F" in tensor.kind
        and not _NUMBERED.search(name)
        for name, tensor in tensors.items()
    )


def _check_output_matrix(
    folder: Path,
    config: Mapping[str, Any],
    inner: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
) -> None:
    """Refuse untied embeddings of which only one of the two matrices is there.

    `inner` is the configuration of the part for text.
    """
    tied, size = config.get("tie_word_embeddings"), inner.get("vocab_size")
    if tied is not False or not isinstance(size, int):
        return
    matrices = [
        name
        for name, tensor in tensors.items()
        if len(tensor.shape) == 2 and tensor.shape[0] >= size and not _NUMBERED.search(name)
    ]
    if len(matrices) == 1:
        raise ModelError(
            f"model {folder}: its config.json has tie_word_embeddings = false, and only "
            f"{some(matrices)} has a row for each of {size} tokens: the other matrix of the "
            f"embeddings and the output (lm_head.weight) is missing and would be random; save the "
            f"model again, or set tie_word_embeddings = true if it is tied"
        )


def _check_rows(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Refuse an output matrix whose shape is not that of the embeddings, whether tied or not."""
    output = tensors.get("lm_head.weight")
    inputs = [tensor for name, tensor in tensors.items() if name.endswith(EMBEDDINGS)]
    if output is not None and len(inputs) == 1 and inputs[0].shape != output.shape:
        raise ModelError(
            f"model {folder}: its output matrix (lm_head.weight) is of shape {output.shape}, and "
            f"its embeddings are of shape {inputs[0].shape}; both must be of one: save the model "
            f"again after resize_token_embeddings"
        )


def head_outputs(tensors: Mapping[str, Tensor]) -> int | None:
    """How many outputs the classification head in an adapter's file has; None without one."""
    for name, tensor in tensors.items():
        path = name.removeprefix("base_model.model.").removesuffix(".weight")
        if path in _HEADS and name.endswith(".weight") and len(tensor.shape) == 2:
            return tensor.shape[0]
    return None
