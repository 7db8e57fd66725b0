"""Decoding: its settings, an answer in progress, and the choice of the next token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alignment.runtime.finite import check_logits

if TYPE_CHECKING:
    from torch import Generator, Tensor

Stop = Callable[[list[int]], bool]
"""Takes an answer's tokens so far; returns whether it ends here."""

Watch = Callable[[Sequence[int], "Tensor"], None]
"""Called with the numbers of the decoding rows and the logits (rows, vocabulary) of each step."""


COLDEST = 1e-6
"""The least temperature used: below it the draw is greedy anyway, and float32 may overflow."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How answers are decoded."""

    max_new_tokens: int
    ends: frozenset[int]
    """Tokens that end an answer."""
    temperature: float = 0.0
    """0 is greedy decoding."""
    top_p: float = 1.0
    """Nucleus sampling: draw from the likeliest tokens that together have this probability."""


@dataclass(frozen=True, slots=True)
class Generated:
    """One answer."""

    tokens: tuple[int, ...]
    """Without the token that ended it."""
    ended: bool
    """True: by an end token or by `stop`. False: cut at `max_new_tokens`."""


@dataclass(slots=True)
class Draft:
    """An answer in progress."""

    prompt: Sequence[int]
    source: Generator | None
    """A generator per answer, so that its draws never depend on other answers; None for greedy."""
    tokens: list[int] = field(default_factory=list)
    ended: bool = False
    done: bool = False

    def add(self, token: int, decoding: Decoding, stop: Stop | None) -> None:
        """Add the next token, and note whether it ends the answer."""
        if token in decoding.ends:
            self.ended = self.done = True
            return
        self.tokens.append(token)
        self.ended = stop is not None and stop(self.tokens)
        self.done = self.ended or len(self.tokens) >= decoding.max_new_tokens

    def anew(self) -> Draft:
        """A fresh draft of the same answer, with its generator at the start."""
        if self.source is None:
            return Draft(self.prompt, None)
        import torch  # noqa: PLC0415

        return Draft(self.prompt, torch.Generator().manual_seed(self.source.initial_seed()))

    def finished(self) -> Generated:
        """The finished answer."""
        return Generated(tuple(self.tokens), self.ended)


@dataclass(frozen=True, slots=True)
class Task:
    """Drafts to be finished, and how they are decoded."""

    drafts: Sequence[Draft]
    decoding: Decoding
    stop: Stop | None = None
    watch: Watch | None = None

    def take(self, members: Sequence[int], logits: Tensor) -> list[int]:
        """Choose and add the next token of each draft in `members` (indices into `drafts`).

        `logits` are float32 (members, vocabulary). Returns the tokens. Raises NotFiniteError.
        """
        check_logits(logits)
        if self.watch is not None:
            self.watch(members, logits)
        tokens = choose(logits, [self.drafts[i].source for i in members], self.decoding)
        for i, token in zip(members, tokens, strict=True):
            self.drafts[i].add(token, self.decoding, self.stop)
        return tokens


def drafts(rows: Sequence[Sequence[int]], seeds: Sequence[int] | None) -> list[Draft]:
    """One empty draft per row of token ids; `seeds`, if given, has one seed per row."""
    import torch  # noqa: PLC0415

    if seeds is None:
        return [Draft(row, None) for row in rows]
    # Always on the CPU, so that a seed draws the same whatever the model's device is.
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
    # Subtract the highest logit first: it stays 0 at any temperature, and nothing overflows.
    shifted = logits - logits.amax(-1, keepdim=True)
    probabilities = (shifted / max(decoding.temperature, COLDEST)).softmax(-1)
    probabilities = nucleus(probabilities, decoding.top_p).cpu()
    return [
        int(torch.multinomial(row, 1, generator=source))
        for row, source in zip(probabilities, sources, strict=True)
    ]


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """Keep the fewest likeliest tokens that together have `top_p`; set the others to zero.

    `probabilities` and the result are (rows, vocabulary). The result is not rescaled to sum to 1,
    and the likeliest token is always kept.
    """
    import torch  # noqa: PLC0415

    if top_p >= 1.0:
        return probabilities
    ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    return torch.zeros_like(probabilities).scatter(-1, order, ordered.where(before < top_p, 0.0))
