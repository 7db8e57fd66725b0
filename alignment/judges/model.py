"""A reward model or classifier of transformers as a judge: trained by a recipe, or loaded."""

from __future__ import annotations

from typing import Any

from alignment.judges.kind import JudgeKind
from alignment.judges.protocol import Judge
from alignment.judges.reward_model import JudgeSettings, RewardModelJudge, identity_of
from alignment.runtime.hardware import device_of
from alignment.training import models
from alignment.training.checks import check_recipe
from alignment.training.context import ModelContext, judge_config
from alignment.training.keys import recipe_identity
from alignment.training.whole import check_models


class Kind(JudgeKind):
    """A judge with `model` or `stages`."""

    def check(self) -> None:
        """Check its folder, its recipe and its chat template."""
        chat = "input = 'chat'" if self.config.input == "chat" else None
        check_recipe(self.context, self.name, self.name, chat=chat)

    def identity(self) -> str:
        """A hash of weights, tokenizer, settings, device and libraries."""
        return identity_of(
            models.make(self.context, self.name), judge_settings(self.context, self.name)
        )

    def known_identity(self) -> str | None:
        """The identity, or None if the model is still to be trained."""
        return self.identity() if models.find(self.context, self.name) is not None else None

    def open(self) -> Judge:
        """Load the model, after checking that all models of the profile are complete."""
        check_models(self.context)
        model = models.opened(self.context, self.name)
        settings = judge_settings(self.context, self.name)
        return RewardModelJudge(model.checkpoint, settings, steady=model.require_unchanged)

    def description(self, *, failed: bool) -> dict[str, Any]:
        """The hash of its weights, and of its recipe if it is trained."""
        return models.description(self.context, self.name, failed=failed)

    def manifest(self) -> dict[str, Any]:
        """A trained judge is known by its recipe, data and seed, a loaded one by its weights."""
        judge = self.config
        if judge.stages:
            identity = f"recipe {recipe_identity(self.context, self.name)[:16]}"
        else:
            identity = f"weights {models.make(self.context, self.name).identity[:16]}"
        manifest = {"identity": identity, "input": judge.input, "max_length": judge.max_length}
        if judge.input == "pair":
            manifest["cut"] = "prompt"  # of a pair that is too long; once it was the longer text
        several = judge.outputs or judge.activation
        return manifest | (judge.model_dump(include={"outputs", "activation"}) if several else {})


def judge_settings(context: ModelContext, name: str) -> JudgeSettings:
    """How a judge's checkpoint is loaded and run."""
    profile = context.profile
    judge = judge_config(profile, name)
    return JudgeSettings(
        judge=judge,
        device=device_of(profile.device),
        threads=profile.threads,
        dtype=judge.dtype or profile.dtype,
    )
