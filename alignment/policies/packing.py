"""Many sequences in one row: what a model's attention sees while the engine answers.

A prompt and its answer lie nowhere next to padding: prompts are read end to end in one row, and
each decoding step is one row of the latest tokens. Only attention knows where one sequence ends.
Models of transformers hand it their queries, keys and values (`AttentionInterface`); it keeps the
keys and values itself, in one block per *group* of sequences of like length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface

from alignment.errors import ModelError

NAME = "alignment_packed"
"""Of our attention among those of transformers. No mask is registered under it, so none is made."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one layer asks of its attention."""

    scale: float | None
    window: int | None
    """How many tokens back it sees, itself counted; None for all."""
    softcap: float | None
    sinks: Tensor | None
    """(heads,): the logit of attending to nothing."""


@dataclass(slots=True)
class Group:
    """Sequences of like length that are read together and share a block of keys and values.

    They end at the same place of the block, and a shorter one begins later in it. So all of them
    write their next token to the same slot, and a sliding window is a slice.
    """

    members: list[int]
    """Who they are, in the caller's numbers."""
    starts: list[int]
    """Where each begins in the block."""
    filled: int
    """Slots in use."""
    capacity: int
    layers: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    """Layer -> keys, values, each (members, key-value heads, capacity, dimension)."""
    windowed: set[int] = field(default_factory=set)
    """Layers that have a sliding window."""

    @property
    def room(self) -> int:
        """How many tokens the block has room for."""
        return len(self.members) * self.capacity

    def open(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """A layer's block, made where there is none; `keys` and `values` tell its shape."""
        if layer not in self.layers:
            shape = (len(self.members), keys.shape[0], self.capacity)
            self.layers[layer] = (
                keys.new_zeros(*shape, keys.shape[-1]),
                values.new_zeros(*shape, values.shape[-1]),
            )
        return self.layers[layer]

    def keep(self, rows: Sequence[int]) -> None:
        """Drop every sequence but these, and give their memory back."""
        if len(rows) == len(self.members):
            return
        self.members = [self.members[row] for row in rows]
        self.starts = [self.starts[row] for row in rows]
        if not rows:
            self.layers.clear()
        for layer, block in self.layers.items():
            index = torch.tensor(rows, device=block[0].device)
            self.layers[layer] = (block[0][index], block[1][index])

    def mask(self, device: torch.device) -> Tensor | None:
        """(members, 1, 1, filled): which slots are a sequence's own; None where all are."""
        first = min(self.starts)
        if first == max(self.starts) == 0:
            return None
        starts = torch.tensor(self.starts, device=device)
        slots = torch.arange(self.filled, device=device)
        return (slots >= starts[:, None])[:, None, None]


class Reading:
    """Prompts of a new group, end to end in one row."""

    def __init__(self, group: Group, device: torch.device) -> None:
        self._group = group
        lengths = [group.filled - start for start in group.starts]
        self._lengths = lengths
        ends = torch.tensor(lengths).cumsum(0)
        self.last = (ends - 1).to(device)
        """Where each prompt's last token lies in the row."""
        self.positions = torch.cat([torch.arange(length) for length in lengths])[None].to(device)

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> Tensor:
        """Each prompt with itself: (heads, tokens, dimension) throughout."""
        group, ends, found = self._group, self._group.filled, []
        keys, values = group.open(layer, key, value)
        if rule.window is not None:
            group.windowed.add(layer)
        rows = zip(
            *(part.split(self._lengths, dim=1) for part in (query, key, value)), strict=True
        )
        for row, (q, k, v) in enumerate(rows):
            keys[row, :, group.starts[row] : ends] = k
            values[row, :, group.starts[row] : ends] = v
            length = k.shape[1]
            banded = rule.window is not None and rule.window < length
            mask = _band(length, rule.window, k.device) if banded else None
            found.append(attention(q[None], k[None], v[None], mask, rule, causal=mask is None)[0])
        return torch.cat(found, dim=1)


class Stepping:
    """The latest token of every sequence of some groups, in one row."""

    def __init__(self, groups: Sequence[Group], device: torch.device) -> None:
        self._groups = groups
        for group in groups:
            group.filled += 1
        self._sizes = [len(group.members) for group in groups]
        self._masks = [group.mask(device) for group in groups]
        places = [group.filled - 1 - start for group in groups for start in group.starts]
        self.positions = torch.tensor(places, device=device)[None]

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> Tensor:
        """Each token with its own past: (heads, tokens, dimension) throughout."""
        parts = zip(*(part.split(self._sizes, dim=1) for part in (query, key, value)), strict=True)
        found = []
        for group, mask, (q, k, v) in zip(self._groups, self._masks, parts, strict=True):
            keys, values = group.open(layer, k, v)
            keys[:, :, group.filled - 1] = k.transpose(0, 1)
            values[:, :, group.filled - 1] = v.transpose(0, 1)
            first = 0 if rule.window is None else max(0, group.filled - rule.window)
            seen = slice(first, group.filled)
            out = attention(
                q.transpose(0, 1)[:, :, None],
                keys[:, :, seen],
                values[:, :, seen],
                None if mask is None else mask[..., seen],
                rule,
            )
            found.append(out[:, :, 0].transpose(0, 1))
        return torch.cat(found, dim=1)


def _band(length: int, window: int | None, device: torch.device) -> Tensor:
    """(length, length): what each of `length` tokens sees, at most the last `window`."""
    seen = torch.ones(length, length, dtype=torch.bool, device=device).tril()
    return seen if window is None else seen.triu(1 - window)


def attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, rule: Rule, *, causal: bool = False
) -> Tensor:
    """Attention of (batch, heads, tokens, dimension); keys and values may have fewer heads.

    `mask` is true where a query sees a key; `causal`, in its place, is as many keys as queries.
    """
    share = q.shape[1] // k.shape[1]
    if rule.softcap is not None or rule.sinks is not None:
        mask = _band(k.shape[2], None, k.device) if causal else mask
        return _weighed(q, _spread(k, share), _spread(v, share), mask, rule)
    fused = functional.scaled_dot_product_attention
    if share > 1 and q.shape[2] == 1:  # the heads that share keys are queries of one head
        grouped = q.reshape(q.shape[0], k.shape[1], share, q.shape[3])
        out = fused(grouped, k, v, attn_mask=mask, scale=rule.scale)
        return out.reshape(q.shape[0], q.shape[1], 1, v.shape[3])
    k, v = _spread(k, share), _spread(v, share)
    return fused(q, k, v, attn_mask=mask, scale=rule.scale, is_causal=causal)


def _spread(heads: Tensor, share: int) -> Tensor:
    """Keys or values for every query's head."""
    return heads if share == 1 else heads.repeat_interleave(share, dim=1)


def _weighed(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, rule: Rule) -> Tensor:
    """Attention step by step, for what the fused one cannot do."""
    scale = q.shape[-1] ** -0.5 if rule.scale is None else rule.scale
    weights = q @ k.transpose(-1, -2) * scale
    if rule.softcap is not None:
        weights = torch.tanh(weights / rule.softcap) * rule.softcap
    if mask is not None:
        weights = weights.masked_fill(~mask, float("-inf"))
    if rule.sinks is not None:
        sinks = rule.sinks.to(weights.dtype)[None, :, None, None]
        weights = torch.cat([weights, sinks.expand(*weights.shape[:3], 1)], dim=-1)
    chances = weights.softmax(-1, dtype=torch.float32).to(v.dtype)
    return chances[..., : k.shape[2]] @ v


def packed_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,  # noqa: ARG001 - transformers hands it on; there is none
    *,
    packed: Reading | Stepping,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    position_bias: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Our attention as transformers calls it: (1, heads, tokens, dimension) in.

    Gives (1, tokens, heads, dimension). Raises ModelError for what a row cannot express.
    """
    if position_bias is not None:
        raise ModelError("attention with a position bias cannot be packed")
    rule = Rule(scaling, sliding_window, softcap, s_aux)
    out = packed.attend(module.layer_idx, query[0], key[0], value[0], rule)
    return out.transpose(0, 1)[None].contiguous(), None


AttentionInterface.register(NAME, packed_attention)


@contextmanager
def packing(model: Any) -> Iterator[None]:
    """Let a model use our attention for a while."""
    before = model.config._attn_implementation  # noqa: SLF001 - transformers has no other reader
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def logits_of(
    model: Any, tokens: Sequence[int], packed: Reading | Stepping, *, device: torch.device
) -> Tensor:
    """Float32 logits (sequences, vocabulary) after each sequence's last token in a packed row."""
    last = packed.last if isinstance(packed, Reading) else None
    output = model(
        input_ids=torch.tensor([tokens], device=device),
        position_ids=packed.positions,
        use_cache=False,
        packed=packed,
        **({} if last is None else {"logits_to_keep": last}),
    )
    logits: Tensor = output.logits[0]
    return logits.float()
