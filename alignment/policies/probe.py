"""How a model can be run, tried rather than listed: packed or not, and beside whom.

A model is held against its own attention on a few short prompts. What a prompt's neighbours do to
it is tried as well: rotary rules that look at the whole row change a short prompt beside a long.
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
"""Of the prompts that it is tried on; where a longer one costs next to nothing, of a third."""

OPERATIONS, LOGITS, LONGEST = 1e10, 2e7, 512
"""What the third prompt may cost: multiplications, logits held at once, and its length."""

TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-6}
"""How far logits may be off, as a share of their spread; in less than float32, `ROUGH`."""
ROUGH = 0.1

NOISE = 4
"""A neighbour's position matters where it moves logits by so many times what its words do."""

KINDS = {"full_attention", "sliding_attention"}
"""Kinds of layer that short prompts tell apart from what the engine does, or the rule names."""


def cache_bytes(model: Any, most: int | None) -> int | None:
    """Bytes of keys and values per token when packed; None when the model cannot be packed.

    `most` is how many tokens a prompt and its answer may have beside others (see `reach`).
    """
    if not _eligible(model):
        return None
    prompts = _prompts(model, most)
    lengths = [len(prompt) - 1 for prompt in prompts]
    longest = max(lengths)
    starts = [longest - length for length in lengths]
    group = Group(list(range(len(prompts))), starts, longest, longest + 1)
    try:
        with torch.inference_mode():
            packed, plain = _packed(model, group, prompts), _plain(model, prompts)
            same = _agrees(packed, plain, model.dtype)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # noqa: BLE001 - a model may refuse in any way what it was not written for
        return None
    if not same or not _windows_told(model, group):
        return None
    blocks = [part for layer in group.layers.values() for part in layer]
    return sum(part.nbytes for part in blocks) // group.room


def reach(model: Any) -> int | None:
    """Up to how many tokens a prompt and its answer may have to be answered beside others.

    A longer one is answered alone, for its positions would change its neighbours (`longrope`), or
    nobody knows what they do: the model was not tried beyond those that it has. None where a model
    has no positions. The least number is looked for by halving: a rule is taken to switch once.
    """
    most = _positions(model)
    if most is None or "position_ids" not in inspect.signature(model.forward).parameters:
        return most
    try:
        with torch.inference_mode(), unchanged(model):
            return _switch(model, most)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # noqa: BLE001 - a model may refuse in any way what it was not written for
        return 0


def padding_agrees(model: Any, pad: int | None, most: int | None) -> bool:
    """Whether a short prompt that is padded beside a longer one has the logits it has alone.

    `most` as for `cache_bytes`.
    """
    prompts = _prompts(model, most)
    try:
        together = _first_logits(model, pad, prompts)
        alone = torch.cat([_first_logits(model, pad, [prompt]) for prompt in prompts])
    except torch.OutOfMemoryError:
        raise
    except NotFiniteError:
        return True  # it has no answers either way, which is told when it is asked
    except Exception:  # noqa: BLE001 - what it is, an answer alone will tell
        return False
    return _agrees(together, alone, model.dtype)


@contextmanager
def unchanged(model: Any) -> Iterator[None]:
    """Give a model back what it remembers: `dynamic` rotary rules keep the longest row so far."""
    kept = [
        (module, _copied(vars(module)), _copied(module._buffers))  # noqa: SLF001 - replaced as such
        for module in model.modules()
        if module._non_persistent_buffers_set  # noqa: SLF001 - torch has no other reader
    ]
    try:
        yield
    finally:
        for module, attributes, buffers in kept:
            for name in [name for name in _public(vars(module)) if name not in attributes]:
                delattr(module, name)
            vars(module).update(attributes)
            module._buffers.update(buffers)  # noqa: SLF001


def _public(attributes: dict[str, Any]) -> list[str]:
    return [name for name in attributes if not name.startswith("_")]


def _copied(attributes: dict[str, Any]) -> dict[str, Any]:
    """A module's attributes, those that are changed in place as copies."""
    return {
        name: value.clone() if isinstance(value := attributes[name], Tensor) else value
        for name in _public(attributes)
    }


# -- what is tried -------------------------------------------------------------------------------


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


def _positions(model: Any) -> int | None:
    """How many positions a model has, as far as it says so."""
    found = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return found if isinstance(found, int) and found > 0 else None


def _tokens(model: Any, count: int) -> list[int]:
    """Different tokens from all over the vocabulary."""
    size = model.config.get_text_config().vocab_size
    return [(7919 * (n + 1)) % size for n in range(count)]


def _prompts(model: Any, most: int | None) -> list[list[int]]:
    """The prompts, each with a token more to step to; a third where it is cheap and longer."""
    weights = sum(parameter.numel() for parameter in model.parameters())
    vocabulary = model.config.get_text_config().vocab_size
    cheap = min(LONGEST, int(OPERATIONS / weights), int(LOGITS / vocabulary))
    cheap = min(cheap, (most or 0) - 1)
    lengths = (*LENGTHS, cheap) if cheap > LENGTHS[-1] else LENGTHS
    tokens = iter(_tokens(model, sum(lengths) + len(lengths)))
    return [[next(tokens) for _ in range(length + 1)] for length in lengths]


def _packed(model: Any, group: Group, prompts: list[list[int]]) -> Tensor:
    """Logits: after every prompt but for its last token, then after that."""
    place = model.device
    with packing(model):
        told = Reading(group, place)
        first = logits_of(model, [t for row in prompts for t in row[:-1]], told, device=place)
        step = Stepping([group], place)
        then = logits_of(model, [row[-1] for row in prompts], step, device=place)
    return torch.cat([first, then])


def _plain(model: Any, prompts: list[list[int]]) -> Tensor:
    """The same logits from the model's own attention, one prompt at a time, without a cache."""
    rows = [torch.tensor([row], device=model.device) for row in prompts]
    ends = [model(input_ids=row, use_cache=False).logits[0, -2:].float() for row in rows]
    return torch.stack([*(end[0] for end in ends), *(end[1] for end in ends)])


def _switch(model: Any, most: int) -> int:
    """The highest end of a neighbour that leaves a prompt's logits as they are, `most` at most."""
    low = LENGTHS[0]
    near = _beside(model, low, 0)
    if most <= low or torch.equal(_beside(model, most, 0), near):
        return most
    noise = NOISE * float((near - _beside(model, low, 1)).abs().amax())

    def alike(far: int) -> bool:
        return not float((_beside(model, far, 0) - near).abs().amax()) > noise

    if alike(most):
        return most
    high = most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if alike(middle) else (low, middle)
    return low


def _beside(model: Any, far: int, words: int) -> Tensor:
    """Logits of a prompt beside one of as many tokens that ends at position `far`.

    The neighbour says one thing or, with `words` 1, another: rounding may go by that.
    """
    count = LENGTHS[0]
    tokens = _tokens(model, 3 * count)
    rows = [tokens[:count], tokens[(1 + words) * count : (2 + words) * count]]
    places = [list(range(count)), list(range(far - count, far))]
    ids = torch.tensor(rows, device=model.device)
    logits: Tensor = model(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        position_ids=torch.tensor(places, device=model.device),
        use_cache=False,
    ).logits[0]
    return logits.float()


def _first_logits(model: Any, pad: int | None, prompts: list[list[int]]) -> Tensor:
    """The logits of the answers' first tokens, from the padded way itself."""
    decoding = Decoding(1, frozenset())
    found: dict[int, Tensor] = {}

    def watch(who: Any, logits: Tensor) -> None:
        found.update(zip(who, logits, strict=True))

    task = Task(drafts(prompts, None), decoding, watch=watch)
    Padded(model, decoding, pad).answer(task, sum(map(len, prompts)) * 4)
    return torch.stack([found[i] for i in range(len(prompts))])


def _agrees(packed: Tensor, plain: Tensor, dtype: torch.dtype) -> bool:
    spread = (plain.amax() - plain.amin()).clamp(min=1e-6)
    off = (packed - plain).abs().amax()
    return packed.shape == plain.shape and bool(off <= TOLERANCE.get(dtype, ROUGH) * spread)
