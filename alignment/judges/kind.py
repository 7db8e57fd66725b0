"""What a judge is to the rest of the project: one class per kind of judge owns its scores."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from alignment.judges.protocol import Judge
from alignment.policies.kind import Kind, PolicyKind
from alignment.records import Prompt, Score
from alignment.training.context import ModelContext, judge_config


class JudgeKind(Kind):
    """The judge of a profile, or a second one."""

    def __init__(self, context: ModelContext, name: str) -> None:
        self.context = context
        self.name = name
        self.config = judge_config(context.profile, name)

    @abstractmethod
    def open(self) -> Judge:
        """The judge, ready to score. Raises AlignmentError."""

    def recorded_scores(
        self, policy: PolicyKind, prompts: Sequence[Prompt]
    ) -> dict[str, Score] | None:
        """Prompt id -> the score that came with a policy's response; None for a judge that asks."""
        del policy, prompts
        return None

    @abstractmethod
    def manifest(self) -> dict[str, Any]:
        """What baselines compare of it; `identity` begins with what kind it is."""


def judge_of(context: ModelContext, name: str) -> JudgeKind:
    """The judge of that name (`JUDGE`, or `second` of a second one), by its kind."""
    kind = judge_config(context.profile, name).kind
    judge: JudgeKind = import_module(f"alignment.judges.{kind}").Kind(context, name)
    return judge
