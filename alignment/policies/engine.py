"""The engine: any causal language model answers many prompts, fast and in bounded memory.

`packed` is the fast way (see `alignment.policies.packed`), `padded` the one that every
model can go. Which one a model goes, and which prompts must have no neighbours, is not looked up
but tried, once, on a few short prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch

from alignment.errors import ModelError
from alignment.policies.decoding import Decoding, Draft, Generated, Stop, Task, Watch, drafts
from alignment.policies.packed import Packed
from alignment.policies.padded import Padded
from alignment.policies.probe import cache_bytes, padding_agrees, reach, unchanged

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
        self._told = self._told_apart = False
        self.watch: Watch | None = None
        """Told of every step's logits, to compare them with another way's."""
        self._model, self._reach = model, reach(model)
        taken = cache_bytes(model, self._reach)
        self.way = "padded" if taken is None else "packed"
        self._worker: Packed | Padded
        self._alone = Padded(model, decoding, pad)
        if taken is None:
            self._worker, default = self._alone, PADDED
            if not padding_agrees(model, pad, self._reach):
                self._reach = 0
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
        apart = self._apart(rows)
        together = sorted(set(range(len(rows))) - set(apart))
        self._finish(self._worker, together, answers, stop)
        for i in apart:
            with unchanged(self._model):
                self._finish(self._alone, [i], answers, stop)
        return [draft.finished() for draft in answers]

    def _apart(self, rows: Sequence[Sequence[int]]) -> list[int]:
        """The rows that are answered one at a time, by their numbers; told once."""
        new, most = self._decoding.max_new_tokens, self._reach
        found = [] if most is None else [i for i, row in enumerate(rows) if len(row) + new > most]
        if found and len(rows) > 1 and not self._told_apart:
            self._told_apart = True
            which = f" that take more than {most} tokens with their answers" if most else ""
            self._note(
                f"prompts{which} are answered one at a time: in this model what stands beside a "
                f"prompt would change its answer"
            )
        return found

    def _finish(
        self,
        worker: Packed | Padded,
        members: Sequence[int],
        answers: list[Draft],
        stop: Stop | None,
    ) -> None:
        """Answer the drafts `members` of all `answers`; what ran out of memory begins anew."""
        while left := [i for i in members if not answers[i].done]:
            for i in left:
                answers[i] = answers[i].anew()
            task = Task([answers[i] for i in left], self._decoding, stop, self._watching(left))
            try:
                worker.answer(task, self.batch_tokens)
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                self._shrink(worker, error)

    def _watching(self, left: Sequence[int]) -> Watch | None:
        """The watch, told of rows by their number among all."""
        watch = self.watch
        if watch is None:
            return None
        return lambda who, logits: watch([left[i] for i in who], logits)

    def _shrink(self, worker: Packed | Padded, error: RuntimeError) -> None:
        """Half of what was too much from now on; told once. Raises ModelError if it was one row."""
        if worker.sequences <= 1:
            raise ModelError(
                f"out of memory for a single prompt and its answer ({worker.room} tokens); "
                f"use a smaller model, dtype = 'bfloat16' or another device"
            ) from error
        self.batch_tokens = max(1, min(self.batch_tokens, worker.room) // 2)
        if not self._told:
            self._told = True
            self._note(
                f"out of memory with {worker.room} tokens under way; going on with fewer "
                f"(set generation.batch_tokens = {self.batch_tokens} to begin with that)"
            )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def out_of_memory(error: RuntimeError) -> bool:
    """Whether a device, or the CPU's allocator, has no memory left."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
