"""Answering many prompts without padding: prompts are read packed, then decoded together.

Prompts are grouped by similar length, longest first. A group is read as soon as the key-value cache
has room for it; every step decodes all sequences read so far; finished ones leave, and their room
goes to the next group. The cache's size is bounded whatever the number of prompts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from alignment.policies.decoding import Task
from alignment.policies.packing import Group, Reading, Stepping, logits_of, packing

READ = 4096
"""Prompt tokens per packed row: longer rows read no faster and take more memory."""

SLACK = 32
"""Tokens by which prompts of one group may differ in length; or a quarter of the longest."""


class Packed:
    """Answers drafts with a model whose attention can be packed."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.sequences = self.room = 0
        """How many sequences are being decoded, and the tokens their cache has room for."""

    def answer(self, task: Task, budget: int) -> None:
        """Finish a task's drafts, with at most `budget` tokens in the key-value cache at once.

        A single sequence that needs more is tried anyway. Raises torch's errors.
        """
        lengths = [len(draft.prompt) for draft in task.drafts]
        groups = cut(lengths, task.decoding.max_new_tokens, min(READ, budget), budget)
        live: list[Group] = []
        ahead = next(groups, None)
        with torch.inference_mode(), packing(self._model):
            while live or ahead is not None:
                if ahead is not None and (not live or _room([*live, ahead]) <= budget):
                    live.append(ahead)
                    self._count(live)
                    self._read(task, ahead)
                    ahead = next(groups, None)
                else:
                    self._count(live)
                    self._step(task, live)
                live = [group for group in live if group.members]

    def _count(self, live: Sequence[Group]) -> None:
        self.sequences = sum(len(group.members) for group in live)
        self.room = _room(live)

    def _read(self, task: Task, group: Group) -> None:
        """Read the prompts of a group and choose their first tokens."""
        row = [token for i in group.members for token in task.drafts[i].prompt]
        self._advance(task, row, Reading(group, self._model.device), [group])

    def _step(self, task: Task, groups: Sequence[Group]) -> None:
        """Choose the next token of every sequence in these groups."""
        row = [task.drafts[i].tokens[-1] for group in groups for i in group.members]
        self._advance(task, row, Stepping(groups, self._model.device), groups)

    def _advance(
        self,
        task: Task,
        row: Sequence[int],
        packed: Reading | Stepping,
        groups: Sequence[Group],
    ) -> None:
        logits = logits_of(self._model, row, packed, device=self._model.device)
        task.take([i for group in groups for i in group.members], logits)
        for group in groups:
            group.keep([row for row, i in enumerate(group.members) if not task.drafts[i].done])


def cut(lengths: Sequence[int], new: int, read: int, budget: int) -> Iterator[Group]:
    """Cut sequences into groups of similar length, the longest first; each has at least one.

    `lengths` are those of the prompts, `new` is how many tokens an answer may have. A group's
    prompts have at most `read` tokens together, and its padded block at most `budget`; a group of
    one may have more.
    """
    group: list[int] = []

    def finish_group() -> Group:
        longest = lengths[group[0]]
        return Group(list(group), [longest - lengths[i] for i in group], longest, longest + new)

    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if group:
            longest = lengths[group[0]]
            alike = longest - lengths[i] <= max(SLACK, longest // 4)
            readable = sum(lengths[j] for j in group) + lengths[i] <= read
            if not (alike and readable and (len(group) + 1) * (longest + new) <= budget):
                yield finish_group()
                group = []
        group.append(i)
    if group:
        yield finish_group()


def _room(groups: Sequence[Group]) -> int:
    return sum(group.room for group in groups)
