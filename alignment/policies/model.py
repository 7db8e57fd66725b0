"""A checkpoint of transformers as a variant's policy: trained by a recipe, or loaded."""

from __future__ import annotations

from typing import Any

from alignment.errors import ModelError
from alignment.policies.huggingface import HuggingFacePolicy, PolicySettings, identity_of
from alignment.policies.kind import PolicyKind
from alignment.policies.protocol import Policy
from alignment.runtime.hardware import device_of
from alignment.training import models
from alignment.training.checks import check_recipe
from alignment.training.context import ModelContext
from alignment.training.keys import recipe_identity
from alignment.training.whole import check_models

BEGINS_WITH = "begins_with"
"""Kind of record in the store: identity -> the special token that every prompt begins with."""


class Kind(PolicyKind):
    """A variant with `model` or `stages`."""

    def check(self) -> None:
        """Check its folder, its recipe and its chat template."""
        is_chat = self.context.profile.generation_of(self.variant).format == "chat"
        check_recipe(
            self.context,
            self.variant,
            self.where,
            chat="generation.format = 'chat'" if is_chat else None,
        )

    def identity(self) -> str:
        """A hash of weights, tokenizer, decoding, device and libraries."""
        return identity_of(
            models.make(self.context, self.variant), policy_settings(self.context, self.variant)
        )

    def known_identity(self) -> str | None:
        """The identity, or None if the model is still to be trained."""
        is_trained = models.find(self.context, self.variant) is not None
        return self.identity() if is_trained else None

    def open(self) -> Policy:
        """Load the model, after checking that all models of the profile are complete."""
        settings = policy_settings(self.context, self.variant)
        check_models(self.context)
        model = models.opened(self.context, self.variant)
        policy = HuggingFacePolicy(
            model.checkpoint,
            settings,
            note=self.context.progress.note,
            steady=model.require_unchanged,
        )
        self.context.store.put(BEGINS_WITH, {policy.identity: policy.begins_with})
        return policy

    def description(self, *, failed: bool) -> dict[str, Any]:
        """The hash of its weights, and of its recipe if it is trained."""
        return models.description(self.context, self.variant, failed=failed)

    def baseline_model(self) -> dict[str, Any]:
        """The hash of its weights, and of its recipe, which is the same on other machines."""
        description = {"weights": models.make(self.context, self.variant).identity}
        if self.config.stages:
            description["recipe"] = recipe_identity(self.context, self.variant)
        return description

    def decoding(self) -> dict[str, Any] | None:
        """Also has the special token that every prompt begins with, if there is one."""
        decoding = super().decoding() or {}
        identity = self.known_identity()
        stored = {} if identity is None else self.context.store.get(BEGINS_WITH, [identity])
        token = stored.get(identity or "")  # None also for a variant that was never opened here
        return decoding if token is None else decoding | {"begins_with": token}


def policy_settings(context: ModelContext, variant: str | None) -> PolicySettings:
    """How a variant's checkpoint is loaded and decoded; None stands for the profile's defaults.

    Raises ModelError for a variant of another kind.
    """
    profile = context.profile
    config = None if variant is None else profile.variants[variant]
    if config is not None and config.kind != "model":
        raise ModelError(f"variant {variant!r} is no checkpoint: it has no `model` and no `stages`")
    return PolicySettings(
        generation=profile.generation if variant is None else profile.generation_of(variant),
        device=device_of(profile.device),
        threads=profile.threads,
        dtype=profile.dtype if variant is None else profile.dtype_of(variant),
        quantization=None if config is None else config.quantization,
        seed=profile.seed,
    )
