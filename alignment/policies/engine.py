"""The engine: any causal language model answers many prompts, fast and in bounded memory.

`packed` is the fast way (`alignment.policies.packed`); `padded` works with every model. Which of
them fits a model, and which prompts must be answered alone, is found by running the model once on a
few short prompts (`alignment.policies.probe`), not looked up in a list.
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
"""Bytes of the key-value cache, unless `batch_tokens` gives a number of tokens."""

PADDED = 4096
"""Padded tokens per batch: in larger batches, padding costs more than batching gains."""


def _silent(_: str) -> None:
    """Say nothing."""


class Generator:
    """Answers rows of token ids with a causal language model of transformers.

    `pad` is the padding token of the padded way; `batch_tokens` is how many tokens of prompts and
    answers are in memory at once (default: as many as fit into `CACHE` bytes); `note` gets one line
    when that was too much. The model stays on its device and is put into eval mode.
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
        self._noted_memory = self._noted_alone = False
        self.watch: Watch | None = None
        """If set, called with the logits of every step, to compare ways of decoding."""
        self._model, self._joint_limit = model, reach(model)
        bytes_per_token = cache_bytes(model, self._joint_limit)
        self.way = "padded" if bytes_per_token is None else "packed"
        self._worker: Packed | Padded
        self._alone_worker = Padded(model, decoding, pad)
        if bytes_per_token is None:
            self._worker, default = self._alone_worker, PADDED
            if not padding_agrees(model, pad, self._joint_limit):
                self._joint_limit = 0
        else:
            self._worker, default = Packed(model), max(PADDED, CACHE // bytes_per_token)
        self.batch_tokens = batch_tokens or default
        """How many tokens are in memory at once; halved when memory runs out."""

    def generate(
        self,
        rows: Sequence[Sequence[int]],
        *,
        seeds: Sequence[int] | None = None,
        stop: Stop | None = None,
    ) -> list[Generated]:
        """Answer `rows` of token ids (none of them empty), in their order.

        With a temperature, every row draws with its own seed from `seeds`. `stop` is called with an
        answer's tokens after each new one; returning True ends the answer. Raises ModelError if a
        prompt has no tokens or does not fit into memory alone, ValueError for a temperature without
        seeds.
        """
        if any(len(row) == 0 for row in rows):
            raise ModelError("a prompt of no tokens cannot be answered")
        if self._decoding.temperature > 0 and seeds is None:
            raise ValueError("a temperature above 0 needs `seeds`, one per row")
        answers = drafts(rows, seeds)
        alone = self._rows_alone(rows)
        together = sorted(set(range(len(rows))) - set(alone))
        self._finish(self._worker, together, answers, stop)
        for i in alone:
            with unchanged(self._model):
                self._finish(self._alone_worker, [i], answers, stop)
        return [draft.finished() for draft in answers]

    def _rows_alone(self, rows: Sequence[Sequence[int]]) -> list[int]:
        """The indices of rows that are answered one at a time; says so in a note, once."""
        new, limit = self._decoding.max_new_tokens, self._joint_limit
        alone = [] if limit is None else [i for i, row in enumerate(rows) if len(row) + new > limit]
        if alone and len(rows) > 1 and not self._noted_alone:
            self._noted_alone = True
            condition = f" that take more than {limit} tokens with their answers" if limit else ""
            self._note(
                f"prompts{condition} are answered one at a time: in this model what stands "
                f"beside a prompt would change its answer"
            )
        return alone

    def _finish(
        self,
        worker: Packed | Padded,
        members: Sequence[int],
        answers: list[Draft],
        stop: Stop | None,
    ) -> None:
        """Finish the drafts `members` of `answers`; after running out of memory they start over."""
        while unfinished := [i for i in members if not answers[i].done]:
            for i in unfinished:
                answers[i] = answers[i].anew()
            drafts_left = [answers[i] for i in unfinished]
            task = Task(drafts_left, self._decoding, stop, self._watch_for(unfinished))
            try:
                worker.answer(task, self.batch_tokens)
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                self._shrink(worker, error)

    def _watch_for(self, members: Sequence[int]) -> Watch | None:
        """`self.watch` for a task over these members, called with their indices among all rows."""
        watch = self.watch
        if watch is None:
            return None
        return lambda rows, logits: watch([members[i] for i in rows], logits)

    def _shrink(self, worker: Packed | Padded, error: RuntimeError) -> None:
        """Halve the token budget; says so in a note, once. Raises ModelError for a single row."""
        if worker.sequences <= 1:
            raise ModelError(
                f"out of memory for a single prompt and its answer ({worker.room} tokens); "
                f"use a smaller model, dtype = 'bfloat16' or another device"
            ) from error
        self.batch_tokens = max(1, min(self.batch_tokens, worker.room) // 2)
        if not self._noted_memory:
            self._noted_memory = True
            self._note(
                f"out of memory with {worker.room} tokens under way; going on with fewer "
                f"(set generation.batch_tokens = {self.batch_tokens} to begin with that)"
            )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an error says that a device, or the CPU's allocator, has no memory left."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
