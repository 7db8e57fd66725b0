"""Whether a model can be packed: tried on two short prompts, held against its own attention."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from alignment.policies.packing import Group, Reading, Stepping, logits_of, packing

LENGTHS = (5, 8)
"""Of the prompts that it is tried on."""

TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-6}
"""How far logits may be off, as a share of their spread; in less than float32, `ROUGH`."""
ROUGH = 0.1

KINDS = {"full_attention", "sliding_attention"}
"""Kinds of layer that short prompts tell apart from what the engine does, or the rule names."""


def cache_bytes(model: Any) -> int | None:
    """Bytes of keys and values per token when packed; None when the model cannot be packed."""
    if not _eligible(model):
        return None
    group = Group([0, 1], [LENGTHS[1] - LENGTHS[0], 0], LENGTHS[1], LENGTHS[1] + 1)
    try:
        with torch.inference_mode():
            same = _agrees(_packed(model, group), _plain(model), model.dtype)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # noqa: BLE001 - a model may refuse in any way what it was not written for
        return None
    if not same or not _windows_told(model, group):
        return None
    blocks = [part for layer in group.layers.values() for part in layer]
    return sum(part.nbytes for part in blocks) // group.room


def _eligible(model: Any) -> bool:
    """What short prompts cannot show: layers that look back in a way attention is not told of."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    chunked = getattr(config, "attention_chunk_size", None)
    return (
        bool(getattr(model, "_supports_attention_backend", False))
        and not model.config.is_encoder_decoder
        and not chunked
        and kinds <= KINDS
    )


def _windows_told(model: Any, group: Group) -> bool:
    """Whether every layer with a sliding window has told its attention so."""
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None)
    if getattr(config, "sliding_window", None) is None:
        return True
    if kinds is None:
        return bool(group.windowed)
    return group.windowed == {i for i, kind in enumerate(kinds) if kind == "sliding_attention"}


def _prompts(model: Any) -> list[list[int]]:
    """Different tokens from all over the vocabulary."""
    size = model.config.get_text_config().vocab_size
    tokens = [(7919 * (n + 1)) % size for n in range(sum(LENGTHS) + 2)]
    return [tokens[: LENGTHS[0] + 1], tokens[LENGTHS[0] + 1 :]]


def _packed(model: Any, group: Group) -> Tensor:
    """Logits (4, vocabulary): after both prompts but for their last token, then after that."""
    rows, place = _prompts(model), model.device
    with packing(model):
        told = Reading(group, place)
        first = logits_of(model, [t for row in rows for t in row[:-1]], told, device=place)
        step = Stepping([group], place)
        then = logits_of(model, [row[-1] for row in rows], step, device=place)
    return torch.cat([first, then])


def _plain(model: Any) -> Tensor:
    """The same logits from the model's own attention, one prompt at a time, without a cache."""
    rows = [torch.tensor([row], device=model.device) for row in _prompts(model)]
    ends = [model(input_ids=row, use_cache=False).logits[0, -2:].float() for row in rows]
    return torch.stack([*(end[0] for end in ends), *(end[1] for end in ends)])


def _agrees(packed: Tensor, plain: Tensor, dtype: torch.dtype) -> bool:
    spread = (plain.amax() - plain.amin()).clamp(min=1e-6)
    off = (packed - plain).abs().amax()
    return packed.shape == plain.shape and bool(off <= TOLERANCE.get(dtype, ROUGH) * spread)
