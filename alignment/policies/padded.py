"""Answering prompts with `generate` of transformers: sorted by length, padded on the left.

For models with layers other than attention (state spaces, recurrence), or with attention that
cannot be packed (ALiBi, chunks).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig

from alignment.policies.decoding import Decoding, Task


class Padded:
    """Answers drafts with a model's own `generate`."""

    def __init__(self, model: Any, decoding: Decoding, pad: int | None) -> None:
        self._model = model
        # Padding is masked, so any token will do.
        self._pad = pad if pad is not None else min(decoding.ends, default=0)
        self._settings = GenerationConfig(
            do_sample=False,
            num_beams=1,
            max_new_tokens=decoding.max_new_tokens,
            eos_token_id=sorted(decoding.ends) or None,
            pad_token_id=self._pad,
        )
        self.sequences = self.room = 0
        """How many sequences are being decoded, and the most tokens that they can take."""

    def answer(self, task: Task, budget: int) -> None:
        """Finish a task's drafts in batches of at most `budget` tokens: prompts, answers, padding.

        A batch has at least one draft, which may need more. Raises torch's errors.
        """
        lengths = [len(draft.prompt) for draft in task.drafts]
        new = task.decoding.max_new_tokens
        original = self._model.generation_config
        # `generate` takes unset options from here, such as a repetition penalty or a least length.
        self._model.generation_config = self._settings
        try:
            for batch in batches(lengths, new, budget):
                self.sequences, self.room = len(batch), len(batch) * (lengths[batch[0]] + new)
                self._generate(task, batch)
        finally:
            self._model.generation_config = original

    def _generate(self, task: Task, batch: Sequence[int]) -> None:
        """Answer a batch, the longest prompt first."""
        prompts = [list(task.drafts[i].prompt) for i in batch]
        gaps = [len(prompts[0]) - len(prompt) for prompt in prompts]
        rows = [[self._pad] * gap + prompt for gap, prompt in zip(gaps, prompts, strict=True)]
        mask = [[0] * gap + [1] * len(prompt) for gap, prompt in zip(gaps, prompts, strict=True)]
        place = self._model.device

        def done(*_: Any, **__: Any) -> Tensor:
            return torch.tensor([task.drafts[i].done for i in batch], device=place)

        with torch.inference_mode():
            self._model.generate(
                input_ids=torch.tensor(rows, device=place),
                attention_mask=torch.tensor(mask, device=place),
                generation_config=self._settings,
                logits_processor=[self._chooser(task, batch)],
                stopping_criteria=[done],
            )

    def _chooser(self, task: Task, batch: Sequence[int]) -> Callable[[Tensor, Tensor], Tensor]:
        """A logits processor that chooses the tokens; `generate` can only take that choice."""

        def only_the_chosen(_: Tensor, logits: Tensor) -> Tensor:
            live = [row for row, i in enumerate(batch) if not task.drafts[i].done]
            tokens = task.take([batch[row] for row in live], logits[live].float())
            chosen = torch.full((len(batch), 1), self._pad, device=logits.device)
            chosen[live, 0] = torch.tensor(tokens, device=logits.device)
            return torch.full_like(logits, float("-inf")).scatter(1, chosen, 0.0)

        return only_the_chosen


def batches(lengths: Sequence[int], new: int, budget: int) -> Iterator[list[int]]:
    """Indices, longest first, in batches whose padded prompts and answers fit into `budget`.

    `new` is how many tokens an answer may have; a batch of one may need more.
    """
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if batch and (len(batch) + 1) * (lengths[batch[0]] + new) > budget:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
