"""Answering prompts with `generate` of transformers: sorted by length, padded on the left.

The way for models whose layers are more than attention (state spaces, recurrence), or whose
attention cannot be packed (ALiBi, chunks).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig

from alignment.policies.decoding import Decoding, Draft, Stop, choose

Watch = Callable[[Sequence[int], Tensor], None]


class Padded:
    """Answers drafts with a model's own `generate`."""

    def __init__(self, model: Any, decoding: Decoding, pad: int | None) -> None:
        self._model = model
        self._decoding = decoding
        self.sequences = self.room = 0
        """How many sequences are under way, and how many tokens they have room for."""
        # What is padded is masked, so that any token will do.
        self._pad = pad if pad is not None else min(decoding.ends, default=0)
        self._settings = GenerationConfig(
            do_sample=False,
            num_beams=1,
            max_new_tokens=decoding.max_new_tokens,
            eos_token_id=sorted(decoding.ends) or None,
            pad_token_id=self._pad,
        )

    def answer(
        self, drafts: Sequence[Draft], budget: int, stop: Stop | None, watch: Watch | None
    ) -> None:
        """Finish these drafts in batches of at most `budget` padded tokens, their answers counted.

        A batch has one draft at least. Raises torch's errors.
        """
        lengths = [len(draft.prompt) for draft in drafts]
        for batch in batches(lengths, self._decoding.max_new_tokens, budget):
            self._batch(batch, [drafts[i] for i in batch], stop, watch)

    def _batch(
        self, who: Sequence[int], drafts: Sequence[Draft], stop: Stop | None, watch: Watch | None
    ) -> None:
        longest = max(len(draft.prompt) for draft in drafts)
        self.sequences = len(drafts)
        self.room = len(drafts) * (longest + self._decoding.max_new_tokens)
        gaps = [longest - len(draft.prompt) for draft in drafts]
        rows = [[self._pad] * gap + list(d.prompt) for gap, d in zip(gaps, drafts, strict=True)]
        mask = [[0] * gap + [1] * (longest - gap) for gap in gaps]
        place = self._model.device
        own = self._model.generation_config
        # `generate` fills whatever is left open from here: a repetition penalty, a minimal length.
        self._model.generation_config = self._settings
        try:
            with torch.inference_mode():
                self._model.generate(
                    input_ids=torch.tensor(rows, device=place),
                    attention_mask=torch.tensor(mask, device=place),
                    generation_config=self._settings,
                    logits_processor=[self._chooser(who, drafts, stop, watch)],
                    stopping_criteria=[lambda *_, **__: self._done(drafts)],
                )
        finally:
            self._model.generation_config = own

    def _chooser(
        self, who: Sequence[int], drafts: Sequence[Draft], stop: Stop | None, watch: Watch | None
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """Choose here, and leave `generate` only that choice."""

        def only_the_chosen(_: Tensor, logits: Tensor) -> Tensor:
            logits = logits.float()
            live = [row for row, draft in enumerate(drafts) if not draft.done]
            if watch is not None:
                watch([who[row] for row in live], logits[live])
            tokens = choose(logits[live], [drafts[row].source for row in live], self._decoding)
            rest = torch.full_like(logits, float("-inf"))
            rest[:, self._pad] = 0.0
            for row, token in zip(live, tokens, strict=True):
                drafts[row].add(token, self._decoding, stop)
                rest[row, self._pad] = float("-inf")
                rest[row, token] = 0.0
            return rest

        return only_the_chosen

    def _done(self, drafts: Sequence[Draft]) -> Tensor:
        return torch.tensor([draft.done for draft in drafts], device=self._model.device)


def batches(lengths: Sequence[int], new: int, budget: int) -> Iterator[list[int]]:
    """Indices, the longest first, in batches whose padded rows and answers stay in `budget`."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if batch and (len(batch) + 1) * (lengths[batch[0]] + new) > budget:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
