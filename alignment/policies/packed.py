"""Answering many prompts without padding: read packed, then decoded all together.

The longest come first. Groups of like length are read one after the other while there is room for
their keys and values; every step decodes all that is under way; what has ended leaves, and its room
goes to the next group. Whatever the number of prompts, the keys and values take a fixed room.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from alignment.policies.decoding import Task
from alignment.policies.packing import Group, Reading, Stepping, logits_of, packing

READ = 4096
"""Tokens of prompts in one row: beyond it, reading gets no faster, only bigger."""

SLACK = 32
"""Tokens by which a group's shortest prompt may fall behind its longest, or a quarter."""


class Packed:
    """Answers drafts with a model whose attention can be packed."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.sequences = self.room = 0
        """How many sequences are under way, and how many tokens they have room for."""

    def answer(self, task: Task, budget: int) -> None:
        """Finish a task's drafts, with keys and values of at most `budget` tokens at once.

        A single sequence that needs more is tried all the same. Raises torch's errors.
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
        """Read the prompts of a group; each gets its first token."""
        row = [token for i in group.members for token in task.drafts[i].prompt]
        self._advance(task, row, Reading(group, self._model.device), [group])

    def _step(self, task: Task, groups: Sequence[Group]) -> None:
        """Everybody's next token."""
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
    """Sequences in groups of like length, the longest first, each of one at least.

    `lengths` are those of the prompts, `new` is how many tokens an answer may have. A group's
    prompts have at most `read` tokens together, and with their answers room in `budget`.
    """
    group: list[int] = []

    def made() -> Group:
        longest = lengths[group[0]]
        return Group(list(group), [longest - lengths[i] for i in group], longest, longest + new)

    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if group:
            longest = lengths[group[0]]
            alike = longest - lengths[i] <= max(SLACK, longest // 4)
            readable = sum(lengths[j] for j in group) + lengths[i] <= read
            if not (alike and readable and (len(group) + 1) * (longest + new) <= budget):
                yield made()
                group = []
        group.append(i)
    if group:
        yield made()


def _room(groups: Sequence[Group]) -> int:
    return sum(group.room for group in groups)
