"""What a judge is to the rest of the project: one class per kind of judge owns its scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from alignment.judges.protocol import Judge
from alignment.policies.kind import PolicyKind
from alignment.records import Prompt, Score
from alignment.training.context import ModelContext, judge_config


class JudgeKind(ABC):
    """The judge of a profile, or a second one.

    Whatever depends on the kind of a judge is asked here: what its scores depend on, whether it can
    score already, what can be wrong with it, how it is opened, what reports and baselines say of
    it. A kind is a module of `alignment.judges` with a class `Kind`; the schema
    (`JudgeConfig.kind`) says which one a judge has.
    """

    asks = True
    """Whether the judge is asked; else all of its scores are there without asking."""

    def __init__(self, context: ModelContext, name: str) -> None:
        self.context = context
        self.name = name
        self.config = judge_config(context.profile, name)

    def check(self) -> None:  # noqa: B027 - not every kind has something to check
        """Find all that is wrong with it, without torch. Raises AlignmentError with one line."""

    @abstractmethod
    def identity(self) -> str:
        """A hash of all that its scores depend on apart from the texts.

        A model that is still to be made is made. Raises AlignmentError.
        """

    def known_identity(self) -> str | None:
        """The identity without making anything: None where its model is still to be made."""
        return self.identity()

    @abstractmethod
    def open(self) -> Judge:
        """The judge, ready to score. Raises AlignmentError."""

    def recorded_scores(
        self, policy: PolicyKind, prompts: Sequence[Prompt]
    ) -> dict[str, Score] | None:
        """Prompt id -> the score that came with a policy's response; None for a judge that asks."""
        del policy, prompts
        return None

    def description(self, *, failed: bool) -> dict[str, Any]:
        """What a report says that it is; `failed` where it could not be opened in this run."""
        return {"identity": None if failed else self.known_identity()}

    @abstractmethod
    def manifest(self) -> dict[str, Any]:
        """What baselines compare of it; `identity` begins with what kind it is."""


def judge_of(context: ModelContext, name: str) -> JudgeKind:
    """The judge of that name (`JUDGE`, or `second` of a second one), by its kind."""
    kind = judge_config(context.profile, name).kind
    judge: JudgeKind = import_module(f"alignment.judges.{kind}").Kind(context, name)
    return judge
