"""The interface of judges: one class per kind of judge holds all that depends on its kind."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from importlib import import_module
from typing import Any

from alignment.judges.protocol import Judge
from alignment.policies.kind import Kind, PolicyKind
from alignment.records import Prompt, Score
from alignment.training.context import ModelContext, judge_config


class JudgeKind(Kind):
    """The judge of a profile, or a second judge. See `alignment.policies.kind.Kind`."""

    def __init__(self, context: ModelContext, name: str) -> None:
        self.context = context
        self.name = name
        self.config = judge_config(context.profile, name)

    @property
    def members(self) -> Sequence[str]:
        """The second judges (names from `second`) that its scores are made of.

        They score the same texts before it is opened.
        """
        return ()

    @property
    def dimensions(self) -> Collection[str]:
        """The dimensions that each of its scores has."""
        return self.config.dimensions

    @abstractmethod
    def open(self) -> Judge:
        """The judge, ready to score. Raises AlignmentError."""

    def recorded_scores(
        self, policy: PolicyKind, prompts: Sequence[Prompt]
    ) -> dict[str, Score] | None:
        """Prompt id -> the score recorded with a policy's response; None if the judge is run."""
        del policy, prompts
        return None

    @abstractmethod
    def manifest(self) -> dict[str, Any]:
        """What baselines compare; the value of `identity` begins with the kind of judge."""


def judge_of(context: ModelContext, name: str) -> JudgeKind:
    """The judge of that name (`JUDGE`, or from `second`): `Kind` of the module its kind names."""
    kind = judge_config(context.profile, name).kind
    judge: JudgeKind = import_module(f"alignment.judges.{kind}").Kind(context, name)
    return judge
