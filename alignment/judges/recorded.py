"""Recorded scores as a judge: they come with the recorded responses; no judge is run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alignment.errors import JudgeError, ProfileError
from alignment.judges.kind import JudgeKind
from alignment.judges.protocol import Judge
from alignment.policies.kind import PolicyKind, policy_of
from alignment.records import Prompt, Score


class Kind(JudgeKind):
    """A judge with `recorded = true`."""

    asks = False

    def check(self) -> None:
        """Check that every variant comes with scores. Raises ProfileError."""
        profile = self.context.profile
        for name in profile.variants:
            if not policy_of(self.context, name).has_scores:
                raise ProfileError(
                    f"profile {profile.name!r}: variants.{name}: has no recorded scores, and the "
                    f"judge of this profile is `recorded`; name a judge's `model` or `stages`"
                )

    def identity(self) -> str:
        """The same for all recorded judges: their scores are stored with the responses."""
        return "recorded scores"

    def open(self) -> Judge:
        """Raises JudgeError: its scores are there, and no judge is."""
        raise JudgeError("the scores of this profile are recorded: no judge can be asked")

    def recorded_scores(
        self, policy: PolicyKind, prompts: Sequence[Prompt]
    ) -> dict[str, Score] | None:
        """Prompt id -> the score recorded with the response. Raises JudgeError if there is none."""
        if not policy.has_scores:
            raise JudgeError(
                f"variant {policy.variant!r} has no recorded scores; name a judge's `model` or "
                f"`stages`"
            )
        recorded = policy.recorded_scores(prompts)
        return {id_: Score({self.config.dimension: score}) for id_, score in recorded.items()}

    def description(self, *, failed: bool) -> dict[str, Any]:
        """That they are recorded."""
        del failed
        return {"recorded": True}

    def manifest(self) -> dict[str, Any]:
        """That they are recorded."""
        return {"identity": "recorded scores"}
