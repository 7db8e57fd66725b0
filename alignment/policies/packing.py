"""Packed attention: many sequences in one row, without padding.

Prompts are read end to end in one row, and each decoding step is one row of all latest tokens. Only
the attention function here knows where one sequence ends. Models of transformers pass it their
queries, keys and values (`AttentionInterface`); it keeps the key-value cache itself, as one block
per *group* of sequences of similar length.
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
"""Name of this attention in transformers. No mask function is registered, so no mask is built."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The attention settings of one layer."""

    scale: float | None
    window: int | None
    """Sliding window: how many tokens a token sees, itself included; None for all."""
    softcap: float | None
    sinks: Tensor | None
    """(heads,): attention sinks, the logit of attending to nothing."""


@dataclass(slots=True)
class Group:
    """Sequences of similar length that are read together and share a block of keys and values.

    They are aligned at their ends: a shorter one begins later in the block. So all of them write
    their next token to the same slot, and a sliding window is a slice.
    """

    members: list[int]
    """The sequences, by the caller's indices."""
    starts: list[int]
    """The slot of each sequence's first token."""
    filled: int
    """Slots in use."""
    capacity: int
    layers: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    """Layer -> keys, values, each (members, key-value heads, capacity, dimension)."""
    windowed: set[int] = field(default_factory=set)
    """Layers that have a sliding window."""
    mask: Tensor | None = None
    """(members, 1, 1, capacity): 0 for slots of the sequence, minus infinity for those before it;
    None if all sequences begin at slot 0."""

    @property
    def room(self) -> int:
        """How many tokens the block has room for."""
        return len(self.members) * self.capacity

    def open(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """A layer's keys and values; allocated for (tokens, key-value heads, dimension) if new."""
        if layer not in self.layers:
            # Zeros, because masked values are multiplied by 0 and must not be NaN.
            self.layers[layer] = (self._zeros(keys), self._zeros(values))
            if self.mask is None and any(self.starts):
                slots = torch.arange(self.capacity, device=keys.device)
                before = slots < torch.tensor(self.starts, device=keys.device)[:, None]
                empty = torch.zeros(before.shape, dtype=keys.dtype, device=keys.device)
                self.mask = empty.masked_fill(before, float("-inf"))[:, None, None]
        return self.layers[layer]

    def _zeros(self, like: Tensor) -> Tensor:
        return like.new_zeros(len(self.members), like.shape[1], self.capacity, like.shape[2])

    def keep(self, rows: Sequence[int]) -> None:
        """Keep only these rows of `members`, and free the memory of the others."""
        if len(rows) == len(self.members):
            return
        self.members = [self.members[row] for row in rows]
        self.starts = [self.starts[row] for row in rows]
        if not rows:
            self.layers.clear()
        for layer, block in self.layers.items():
            index = torch.tensor(rows, device=block[0].device)
            self.layers[layer] = (block[0][index], block[1][index])
        if self.mask is not None:
            self.mask = self.mask[rows]


class Reading:
    """The forward pass over the prompts of a new group, end to end in one row."""

    def __init__(self, group: Group, device: torch.device) -> None:
        self._group = group
        lengths = [group.filled - start for start in group.starts]
        self._lengths = lengths
        self.last = (torch.tensor(lengths).cumsum(0) - 1).to(device)
        """The index of each prompt's last token in the row."""
        self.positions = torch.cat([torch.arange(length) for length in lengths])[None].to(device)

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> Tensor:
        """Each prompt attends to itself; all tensors are (tokens, heads, dimension)."""
        group, end = self._group, self._group.filled
        keys, values = group.open(layer, key, value)
        if rule.window is not None:
            group.windowed.add(layer)
        outputs = []
        for row, prompt in enumerate(_split(self._lengths, query, key, value)):
            q, k, v = (part.transpose(0, 1) for part in prompt)
            keys[row, :, group.starts[row] : end] = k
            values[row, :, group.starts[row] : end] = v
            length = k.shape[1]
            banded = rule.window is not None and rule.window < length
            mask = _band(length, rule.window, k.device) if banded else None
            out = attention(q[None], k[None], v[None], mask, rule, causal=not banded)
            outputs.append(out[0].transpose(0, 1))
        return torch.cat(outputs)


class Stepping:
    """The forward pass over the latest token of every sequence of some groups, in one row."""

    def __init__(self, groups: Sequence[Group], device: torch.device) -> None:
        self._groups = groups
        for group in groups:
            group.filled += 1
        self._sizes = [len(group.members) for group in groups]
        places = [group.filled - 1 - start for group in groups for start in group.starts]
        self.positions = torch.tensor([places], device=device)

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> Tensor:
        """Each token attends to its own sequence; all tensors are (tokens, heads, dimension)."""
        outputs = []
        parts = _split(self._sizes, query, key, value)
        for group, (q, k, v) in zip(self._groups, parts, strict=True):
            keys, values = group.open(layer, k, v)
            end, mask = group.filled, group.mask
            keys[:, :, end - 1] = k
            values[:, :, end - 1] = v
            first = 0 if rule.window is None else max(0, end - rule.window)
            mask = None if mask is None else mask[..., first:end]
            out = attention(
                q[:, :, None], keys[:, :, first:end], values[:, :, first:end], mask, rule
            )
            outputs.append(out[:, :, 0])
        return torch.cat(outputs)


def _split(sizes: list[int], *parts: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Split queries, keys and values (tokens, heads, dimension) into runs of these sizes."""
    return zip(*(torch.split_with_sizes(part, sizes) for part in parts), strict=True)


def _band(length: int, window: int | None, device: torch.device) -> Tensor:
    """(length, length), boolean: the causal mask, limited to the last `window` tokens."""
    visible = torch.ones(length, length, dtype=torch.bool, device=device).tril()
    return visible if window is None else visible.triu(1 - window)


def attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, rule: Rule, *, causal: bool = False
) -> Tensor:
    """Attention of (batch, heads, tokens, dimension); keys and values may have fewer heads.

    `mask` is a float tensor to add, or boolean and true where a query sees a key. `causal` may
    replace it if there are as many keys as queries. Returns the shape of `q`, with `v`'s dimension.
    """
    share = q.shape[1] // k.shape[1]
    if rule.softcap is not None or rule.sinks is not None:
        mask = _band(k.shape[2], None, k.device) if causal else mask
        return _eager_attention(q, _repeat_heads(k, share), _repeat_heads(v, share), mask, rule)
    fused = functional.scaled_dot_product_attention
    if share > 1 and q.shape[2] == 1:  # heads that share keys become queries of one head
        grouped = q.reshape(q.shape[0], k.shape[1], share, q.shape[3])
        out = fused(grouped, k, v, attn_mask=mask, scale=rule.scale)
        return out.reshape(q.shape[0], q.shape[1], 1, v.shape[3])
    k, v = _repeat_heads(k, share), _repeat_heads(v, share)
    return fused(q, k, v, attn_mask=mask, scale=rule.scale, is_causal=causal)


def _repeat_heads(heads: Tensor, share: int) -> Tensor:
    """Keys or values, repeated for every query head that shares them."""
    return heads if share == 1 else heads.repeat_interleave(share, dim=1)


def _eager_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, rule: Rule) -> Tensor:
    """Attention without a fused kernel, for soft caps and sinks, which those lack."""
    scale = q.shape[-1] ** -0.5 if rule.scale is None else rule.scale
    weights = q @ k.transpose(-1, -2) * scale
    if rule.softcap is not None:
        weights = torch.tanh(weights / rule.softcap) * rule.softcap
    if mask is not None and mask.dtype == torch.bool:
        weights = weights.masked_fill(~mask, float("-inf"))
    elif mask is not None:
        weights = weights + mask
    if rule.sinks is not None:
        sinks = rule.sinks.to(weights.dtype)[None, :, None, None]
        weights = torch.cat([weights, sinks.expand(*weights.shape[:3], 1)], dim=-1)
    probabilities = weights.softmax(-1, dtype=torch.float32).to(v.dtype)
    return probabilities[..., : k.shape[2]] @ v


def packed_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,  # noqa: ARG001 - always None here
    *,
    packed: Reading | Stepping,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    position_bias: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """The function that transformers calls: inputs are (1, heads, tokens, dimension).

    Returns (1, tokens, heads, dimension). Raises ModelError for a position bias.
    """
    if position_bias is not None:
        raise ModelError("attention with a position bias cannot be packed")
    rule = Rule(scaling, sliding_window, softcap, s_aux)
    q, k, v = (part[0].transpose(0, 1) for part in (query, key, value))
    return packed.attend(module.layer_idx, q, k, v, rule)[None], None


AttentionInterface.register(NAME, packed_attention)


@contextmanager
def packing(model: Any) -> Iterator[None]:
    """Switch a model to packed attention inside the context."""
    original = model.config._attn_implementation  # noqa: SLF001 - no public getter
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(original)


def logits_of(
    model: Any, tokens: Sequence[int], packed: Reading | Stepping, *, device: torch.device
) -> Tensor:
    """Run a packed row of token ids through a model.

    Returns the float32 logits (sequences, vocabulary) after each sequence's last token.
    """
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
