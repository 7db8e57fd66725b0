"""The engine: any causal language model answers many prompts, fast and in bounded memory.

`packed` is the fast way (see `alignment.policies.packed`), `padded` the one that every
model can go. Which one a model goes is not looked up but tried, once, on two short prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch

from alignment.errors import ModelError
from alignment.policies.decoding import Decoding, Generated, Stop, Task, Watch, drafts
from alignment.policies.packed import Packed
from alignment.policies.padded import Padded
from alignment.policies.probe import cache_bytes

CACHE = 2 * 2**30
"""Bytes of keys and values at once, unless `batch_tokens` says how many tokens."""

PADDED = 4096
"""Padded tokens at once: past it, padding loses more than a bigger batch wins."""


def _silent(_: str) -> None:
    """Say nothing."""


class Generator:
    """Answers rows of token ids with a causal language model of transformers.

    `pad` is what the padded way pads with, `batch_tokens` how many tokens of prompts and answers
    are under way at once (default: by what their keys and values take), `note` is told in a line
    when memory was too small for that. The model stays where it is and is put into eval mode.
    """

    way: Literal["packed", "padded"]

    def __init__(
        self,
        model: Any,
        *,
        pad: int | None,
        decoding: Decoding,
        batch_tokens: int | None = None,
        note: Callable[[str], None] = _silent,
    ) -> None:
        model.eval()
        self._decoding = decoding
        self._note = note
        self._told = False
        self.watch: Watch | None = None
        """Told of every step's logits, to compare them with another way's."""
        taken = cache_bytes(model)
        self.way = "padded" if taken is None else "packed"
        self._worker: Packed | Padded
        if taken is None:
            self._worker, default = Padded(model, decoding, pad), PADDED
        else:
            self._worker, default = Packed(model), max(PADDED, CACHE // taken)
        self.batch_tokens = batch_tokens or default
        """How many tokens are under way at once; halved when memory runs out."""

    def generate(
        self,
        rows: Sequence[Sequence[int]],
        *,
        seeds: Sequence[int] | None = None,
        stop: Stop | None = None,
    ) -> list[Generated]:
        """Answer `rows` of token ids (none of them empty), in their order.

        With a temperature every row draws by its own of `seeds`; `stop` is given an answer's tokens
        after each new one, and ends it by saying true. Raises ModelError where one prompt alone
        does not fit into memory or has no tokens, and ValueError for a temperature without seeds.
        """
        if any(len(row) == 0 for row in rows):
            raise ModelError("a prompt of no tokens cannot be answered")
        if self._decoding.temperature > 0 and seeds is None:
            raise ValueError("a temperature above 0 needs `seeds`, one per row")
        answers = drafts(rows, seeds)
        while left := [i for i, draft in enumerate(answers) if not draft.done]:
            for i in left:
                answers[i] = drafts([rows[i]], None if seeds is None else [seeds[i]])[0]
            task = Task([answers[i] for i in left], self._decoding, stop, self._watching(left))
            try:
                self._worker.answer(task, self.batch_tokens)
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                self._shrink(error)
        return [draft.finished() for draft in answers]

    def _watching(self, left: Sequence[int]) -> Watch | None:
        """The watch, told of rows by their number among all."""
        watch = self.watch
        if watch is None:
            return None
        return lambda who, logits: watch([left[i] for i in who], logits)

    def _shrink(self, error: RuntimeError) -> None:
        """Half of what was too much from now on; told once. Raises ModelError if it was one row."""
        if self._worker.sequences <= 1:
            raise ModelError(
                f"out of memory for a single prompt and its answer ({self._worker.room} tokens); "
                f"use a smaller model, dtype = 'bfloat16' or another device"
            ) from error
        self.batch_tokens = max(1, min(self.batch_tokens, self._worker.room) // 2)
        if not self._told:
            self._told = True
            self._note(
                f"out of memory with {self._worker.room} tokens under way; going on with fewer "
                f"(set generation.batch_tokens = {self.batch_tokens} to begin with that)"
            )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def out_of_memory(error: RuntimeError) -> bool:
    """Whether a device, or the CPU's allocator, has no memory left."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
