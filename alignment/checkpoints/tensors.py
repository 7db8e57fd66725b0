"""The tensors of a model's files, by the headers of safetensors: names, types and shapes.

What is found here is found before a run and without torch. It is what needs no knowledge of an
architecture: names that a wrapper left, layers that are not there, a head that nothing could be,
numbers that mean nothing without their scales. Whether every tensor of the loaded model really
came from the files only its loader knows; see `alignment.checkpoints.loading`.
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
"""Parts of names that only what was put around a model gives: torch.compile, FSDP, PEFT."""
_FIRST = ("module", "base_model")
"""The same, where a name begins with it: DataParallel and DDP, PEFT."""

_BLOCK = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)\.(\d+)\.")
_NUMBERED = re.compile(r"\.\d+\.")
_LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")

_FLOATS = frozenset({"F16", "BF16", "F32", "F64"})
_PACKED = ("I8", "U8", "F8_", "F4", "F6_")
"""Types of numbers that are no weights without the scales that a quantization keeps for them."""
_WEIGHT = re.compile(r"(?:\.weight|\.lora_\w+|_proj|\.bias)$")
"""Names of what is multiplied with; masks and positions may be of any type."""

EMBEDDINGS = ("embed_tokens.weight", "word_embeddings.weight", "wte.weight", "embed_in.weight")
"""What the names of embeddings end in, in most models."""

_OUTER = frozenset({"model", "transformer"})
_OLD = {".LayerNorm.gamma": ".LayerNorm.weight", ".LayerNorm.beta": ".LayerNorm.bias"}
"""What the weights of normalization were called, and are."""

_HEADS = ("score", "classifier", "classifier.out_proj", "classification_head.out_proj")


@dataclass(frozen=True, slots=True)
class Tensor:
    """What a header says of one tensor."""

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

    `outputs` is how many outputs the head of a judge has; None where the files need not hold it.
    Raises ModelError.
    """
    if not tensors:
        return
    text = config.get("text_config")
    inner = {**config, **text} if isinstance(text, dict) else config
    _check_names(folder, tensors)
    _check_layers(folder, inner, tensors)
    check_experts(folder, tensors, quantized=bool(config.get("quantization_config")))
    _check_once(folder, tensors)
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
    """The part of a tensor's name that a wrapper left there, if any."""
    parts = name.split(".")
    if parts[0] in _FIRST:
        return parts[0]
    return next((part for part in parts if part in WRAPPERS), None)


def _check_layers(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Every layer that the configuration counts has a tensor, where layers are numbered at all.

    Where most have none, the model may go through the same layers several times: its loader knows.
    """
    stated = next((config[key] for key in _LAYERS if isinstance(config.get(key), int)), 0)
    there = {int(found[1]) for name in tensors if (found := _BLOCK.search(name))}
    if stated > 2 * len(there):
        return
    absent = [number for number in range(stated) if number not in there]
    if absent:
        raise ModelError(
            f"model {folder}: its config.json has {counted(stated, 'layer')}, and its weights no "
            f"tensor of {len(absent)} of them ({', '.join(map(str, absent[:4]))}"
            f"{', ...' if len(absent) > 4 else ''}), which would be random; save it again with "
            f"save_pretrained"
        )


def _check_once(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """No weight may be there under two names, of which a loader would take either."""
    for name in sorted(tensors):
        outer, _, inner = name.partition(".")
        deep = _NUMBERED.search(f".{inner}") and not outer.startswith("mtp")
        other = inner if deep or outer in _OUTER else ""
        for old, now in _OLD.items():
            if name.endswith(old):
                other = name.removesuffix(old) + now
        if other in tensors:
            raise ModelError(
                f"model {folder}: its weights hold one tensor under two names "
                f"({some([name, other])}), and either might be taken; save the model again with "
                f"save_pretrained"
            )


def check_types(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Weights are numbers with a fraction, unless a quantization says what others mean.

    Raises ModelError.
    """
    if config.get("quantization_config"):
        return
    scaled = [name for name, tensor in sorted(tensors.items()) if _is_scaled(name, tensor)]
    if scaled:
        raise ModelError(
            f"model {folder}: {counted(len(scaled), 'tensor')} ({some(scaled)}) hold quantized "
            f"numbers ({tensors[scaled[0]].kind}), and config.json has no quantization_config that "
            f"says what they mean; save the model with the configuration it was quantized with"
        )


def _is_scaled(name: str, tensor: Tensor) -> bool:
    """Whether these numbers are no weights by themselves; a mask has more dimensions than two."""
    if tensor.kind in _FLOATS or not tensor.shape:
        return False
    mask = name.endswith(".bias") and len(tensor.shape) > 1
    packed = tensor.kind.startswith(_PACKED) and len(tensor.shape) == 2
    return packed or (not mask and _WEIGHT.search(name) is not None)


def _has_head(tensors: Mapping[str, Tensor], outputs: int) -> bool:
    """Whether any tensor outside the layers could be a classifier's last one."""
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
    """Untied embeddings are two matrices with a row per token at least, and not only one."""
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
    """An output matrix of its own is as large as the embeddings, whether it is tied or not."""
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
