"""How answers are decoded: what the settings are, what comes out, and how a token is chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alignment.runtime.finite import check_logits

if TYPE_CHECKING:
    from torch import Generator, Tensor

Stop = Callable[[list[int]], bool]
"""Given an answer's tokens so far, whether it ends here."""

Watch = Callable[[Sequence[int], "Tensor"], None]
"""Told who decodes, and the logits (rows, vocabulary) that their next tokens come from."""


COLDEST = 1e-6
"""A lower temperature draws the likeliest token as well, and float32 cannot divide by some."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How answers are decoded."""

    max_new_tokens: int
    ends: frozenset[int]
    """Tokens that end an answer."""
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    """Draw from the likeliest tokens that together have this probability."""


@dataclass(frozen=True, slots=True)
class Generated:
    """One answer."""

    tokens: tuple[int, ...]
    """Without the token that ended it."""
    ended: bool
    """By an end token or by `stop`; else it was cut at `max_new_tokens`."""


@dataclass(slots=True)
class Draft:
    """An answer in the making."""

    prompt: Sequence[int]
    source: Generator | None
    """Its own source of randomness, so that what it draws never depends on its neighbours."""
    tokens: list[int] = field(default_factory=list)
    ended: bool = False
    done: bool = False

    def add(self, token: int, decoding: Decoding, stop: Stop | None) -> None:
        """Take the next token."""
        if token in decoding.ends:
            self.ended = self.done = True
            return
        self.tokens.append(token)
        self.ended = stop is not None and stop(self.tokens)
        self.done = self.ended or len(self.tokens) >= decoding.max_new_tokens

    def anew(self) -> Draft:
        """The same answer, not begun."""
        if self.source is None:
            return Draft(self.prompt, None)
        import torch  # noqa: PLC0415

        return Draft(self.prompt, torch.Generator().manual_seed(self.source.initial_seed()))

    def finished(self) -> Generated:
        """What came out."""
        return Generated(tuple(self.tokens), self.ended)


@dataclass(frozen=True, slots=True)
class Task:
    """Answers to be made, and how."""

    drafts: Sequence[Draft]
    decoding: Decoding
    stop: Stop | None = None
    watch: Watch | None = None

    def take(self, who: Sequence[int], logits: Tensor) -> list[int]:
        """Choose and add the next tokens of the drafts `who`, by float32 `logits` of each.

        Raises NotFiniteError.
        """
        check_logits(logits)
        if self.watch is not None:
            self.watch(who, logits)
        tokens = choose(logits, [self.drafts[i].source for i in who], self.decoding)
        for i, token in zip(who, tokens, strict=True):
            self.drafts[i].add(token, self.decoding, self.stop)
        return tokens


def drafts(rows: Sequence[Sequence[int]], seeds: Sequence[int] | None) -> list[Draft]:
    """One empty answer per row of token ids; `seeds`, where given, one per row."""
    import torch  # noqa: PLC0415

    if seeds is None:
        return [Draft(row, None) for row in rows]
    # On the CPU whatever the model's device, so that a seed draws the same everywhere.
    return [
        Draft(row, torch.Generator().manual_seed(seed))
        for row, seed in zip(rows, seeds, strict=True)
    ]


def choose(logits: Tensor, sources: Sequence[Generator | None], decoding: Decoding) -> list[int]:
    """The next token of every row of float32 `logits` (rows, vocabulary)."""
    import torch  # noqa: PLC0415

    if decoding.temperature == 0.0:
        chosen: list[int] = logits.argmax(-1).tolist()
        return chosen
    # From the highest down: it stays 0 however small the temperature is.
    below = logits - logits.amax(-1, keepdim=True)
    chances = (below / max(decoding.temperature, COLDEST)).softmax(-1)
    chances = nucleus(chances, decoding.top_p).cpu()
    return [
        int(torch.multinomial(row, 1, generator=source))
        for row, source in zip(chances, sources, strict=True)
    ]


def nucleus(chances: Tensor, top_p: float) -> Tensor:
    """The fewest likeliest tokens that together have `top_p`, the others at zero, unscaled.

    `chances` and the result are (rows, vocabulary); the likeliest token is always kept.
    """
    import torch  # noqa: PLC0415

    if top_p >= 1.0:
        return chances
    ordered, order = chances.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    return torch.zeros_like(chances).scatter(-1, order, ordered.where(before < top_p, 0.0))
