"""How a model can be run: packed or padded, and up to which length beside other prompts.

This is measured, not looked up: the packed way is compared with the model's own attention on a few
short prompts. So is the effect of other prompts in a row: rotary embeddings that depend on the
row's length change a short prompt beside a long one.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from alignment.policies.decoding import Decoding, Task, drafts
from alignment.policies.packing import Group, Reading, Stepping, logits_of, packing
from alignment.policies.padded import Padded
from alignment.runtime.finite import NotFiniteError

LENGTHS = (5, 8)
"""Lengths of the test prompts; a longer third one is added where that is cheap."""

OPERATIONS, LOGITS, LONGEST = 1e10, 2e7, 512
"""Limits of the third prompt: multiplications, logits in memory, and its length in tokens."""

TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-6}
"""How far logits may differ, as a share of their spread; `ROUGH` below float32."""
ROUGH = 0.1

NOISE = 4
"""A neighbour's position matters if it moves logits this many times more than its text does."""

KINDS = {"full_attention", "sliding_attention"}
"""Kinds of attention layer that the packed way supports, and that short prompts can test."""


def cache_bytes(model: Any, limit: int | None) -> int | None:
    """Bytes of keys and values per token when packed; None if the model cannot be packed.

    `limit` is how many tokens a prompt and its answer may have beside others (see `reach`).
    """
    if not _eligible(model):
        return None
    prompts = _prompts(model, limit)
    lengths = [len(prompt) - 1 for prompt in prompts]
    longest = max(lengths)
    starts = [longest - length for length in lengths]
    group = Group(list(range(len(prompts))), starts, longest, longest + 1)
    try:
        with torch.inference_mode():
            packed, plain = _packed_logits(model, group, prompts), _own_logits(model, prompts)
            same = _agrees(packed, plain, model.dtype)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # noqa: BLE001 - a model may refuse in any way what it was not written for
        return None
    if not same or not _windows_reported(model, group):
        return None
    blocks = [part for layer in group.layers.values() for part in layer]
    return sum(part.nbytes for part in blocks) // group.room


def reach(model: Any) -> int | None:
    """The most tokens that a prompt and its answer may have to be answered beside others.

    A longer one is answered alone: its positions would change its neighbours (`longrope`), or they
    exceed the model's positions, beyond which nothing was tested. None if a model has no limit of
    positions, 0 if every prompt must be answered alone. Found by bisection, assuming that a model
    switches its rule at one length only.
    """
    positions = _position_count(model)
    if positions is None or "position_ids" not in inspect.signature(model.forward).parameters:
        return positions
    try:
        with torch.inference_mode(), unchanged(model):
            return _longest_safe_end(model, positions)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # noqa: BLE001 - a model may refuse in any way what it was not written for
        return 0


def padding_agrees(model: Any, pad: int | None, limit: int | None) -> bool:
    """Whether a short prompt has the same logits padded beside a longer one as it has alone.

    `limit` as for `cache_bytes`.
    """
    prompts = _prompts(model, limit)
    try:
        together = _first_logits(model, pad, prompts)
        alone = torch.cat([_first_logits(model, pad, [prompt]) for prompt in prompts])
    except torch.OutOfMemoryError:
        raise
    except NotFiniteError:
        return True  # it fails either way, with a better error later
    except Exception:  # noqa: BLE001 - answering alone will raise it again
        return False
    return _agrees(together, alone, model.dtype)


@contextmanager
def unchanged(model: Any) -> Iterator[None]:
    """Restore a model's state afterwards: `dynamic` rotary rules remember the longest row."""
    saved = [
        (
            module,
            _copy_attributes(vars(module)),
            _copy_attributes(module._buffers),  # noqa: SLF001 - restored below
        )
        for module in model.modules()
        if module._non_persistent_buffers_set  # noqa: SLF001 - no public getter
    ]
    try:
        yield
    finally:
        for module, attributes, buffers in saved:
            for name in [name for name in _public_names(vars(module)) if name not in attributes]:
                delattr(module, name)
            vars(module).update(attributes)
            module._buffers.update(buffers)  # noqa: SLF001


def _public_names(attributes: dict[str, Any]) -> list[str]:
    return [name for name in attributes if not name.startswith("_")]


def _copy_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """A module's public attributes; tensors, which may be changed in place, are cloned."""
    return {
        name: value.clone() if isinstance(value := attributes[name], Tensor) else value
        for name in _public_names(attributes)
    }


# -- the tests -----------------------------------------------------------------------------------


def _eligible(model: Any) -> bool:
    """False for models whose attention has limits that short prompts would not show (chunks)."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    chunked = getattr(config, "attention_chunk_size", None)
    return (
        bool(getattr(model, "_supports_attention_backend", False))
        and not model.config.is_encoder_decoder
        and not chunked
        and kinds <= KINDS
    )


def _windows_reported(model: Any, group: Group) -> bool:
    """Whether every layer with a sliding window passed it to its attention."""
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None)
    if getattr(config, "sliding_window", None) is None:
        return True
    if kinds is None:
        return bool(group.windowed)
    return group.windowed == {i for i, kind in enumerate(kinds) if kind == "sliding_attention"}


def _position_count(model: Any) -> int | None:
    """The `max_position_embeddings` of a model, or None."""
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return positions if isinstance(positions, int) and positions > 0 else None


def _spread_tokens(model: Any, count: int) -> list[int]:
    """`count` token ids, spread over the vocabulary."""
    size = model.config.get_text_config().vocab_size
    return [(7919 * (n + 1)) % size for n in range(count)]


def _prompts(model: Any, limit: int | None) -> list[list[int]]:
    """The test prompts, each with one more token for a decoding step; see `LENGTHS`."""
    weights = sum(parameter.numel() for parameter in model.parameters())
    vocabulary = model.config.get_text_config().vocab_size
    affordable = min(LONGEST, int(OPERATIONS / weights), int(LOGITS / vocabulary))
    affordable = min(affordable, (limit or 0) - 1)
    lengths = (*LENGTHS, affordable) if affordable > LENGTHS[-1] else LENGTHS
    tokens = iter(_spread_tokens(model, sum(lengths) + len(lengths)))
    return [[next(tokens) for _ in range(length + 1)] for length in lengths]


def _packed_logits(model: Any, group: Group, prompts: list[list[int]]) -> Tensor:
    """Packed logits: after all but the last token of each prompt, then after its last token."""
    device = model.device
    with packing(model):
        reading = Reading(group, device)
        first = logits_of(model, [t for row in prompts for t in row[:-1]], reading, device=device)
        stepping = Stepping([group], device)
        second = logits_of(model, [row[-1] for row in prompts], stepping, device=device)
    return torch.cat([first, second])


def _own_logits(model: Any, prompts: list[list[int]]) -> Tensor:
    """The same logits from the model's own attention, one prompt at a time, without a cache."""
    rows = [torch.tensor([row], device=model.device) for row in prompts]
    ends = [model(input_ids=row, use_cache=False).logits[0, -2:].float() for row in rows]
    return torch.stack([*(end[0] for end in ends), *(end[1] for end in ends)])


def _longest_safe_end(model: Any, positions: int) -> int:
    """The furthest end position of a neighbour that leaves a prompt's logits unchanged."""
    low = LENGTHS[0]
    reference = _logits_beside(model, low, 0)
    if positions <= low or torch.equal(_logits_beside(model, positions, 0), reference):
        return positions
    noise = NOISE * float((reference - _logits_beside(model, low, 1)).abs().amax())

    def alike(end: int) -> bool:
        return not float((_logits_beside(model, end, 0) - reference).abs().amax()) > noise

    if alike(positions):
        return positions
    high = positions
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if alike(middle) else (low, middle)
    return low


def _logits_beside(model: Any, end: int, variant: int) -> Tensor:
    """Logits of a prompt beside a neighbour of the same length that ends at position `end`.

    `variant` 0 or 1 chooses the neighbour's text, whose effect is the noise of rounding.
    """
    count = LENGTHS[0]
    tokens = _spread_tokens(model, 3 * count)
    rows = [tokens[:count], tokens[(1 + variant) * count : (2 + variant) * count]]
    positions = [list(range(count)), list(range(end - count, end))]
    ids = torch.tensor(rows, device=model.device)
    logits: Tensor = model(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        position_ids=torch.tensor(positions, device=model.device),
        use_cache=False,
    ).logits[0]
    return logits.float()


def _first_logits(model: Any, pad: int | None, prompts: list[list[int]]) -> Tensor:
    """The logits of each answer's first token, answered in the padded way."""
    decoding = Decoding(1, frozenset())
    first_logits: dict[int, Tensor] = {}

    def watch(members: Any, logits: Tensor) -> None:
        first_logits.update(zip(members, logits, strict=True))

    task = Task(drafts(prompts, None), decoding, watch=watch)
    Padded(model, decoding, pad).answer(task, sum(map(len, prompts)) * 4)
    return torch.stack([first_logits[i] for i in range(len(prompts))])


def _agrees(packed: Tensor, plain: Tensor, dtype: torch.dtype) -> bool:
    if packed.shape != plain.shape:
        return False
    spread = (plain.amax() - plain.amin()).clamp(min=1e-6)
    difference = (packed - plain).abs().amax()
    return bool(difference <= TOLERANCE.get(dtype, ROUGH) * spread)
