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
"""Kind of record in the store: policy -> the special token that every prompt begins with."""


class Kind(PolicyKind):
    """A variant with `model` or `stages`."""

    def check(self) -> None:
        """Look at its folder, its recipe and its chat template."""
        chats = self.context.profile.generation_of(self.variant).format == "chat"
        check_recipe(
            self.context,
            self.variant,
            self.where,
            chat="generation.format = 'chat'" if chats else None,
        )

    def identity(self) -> str:
        """A hash of weights, tokenizer, decoding, device and libraries."""
        return identity_of(
            models.make(self.context, self.variant), policy_settings(self.context, self.variant)
        )

    def known_identity(self) -> str | None:
        """None where the model is still to be trained."""
        there = models.find(self.context, self.variant) is not None
        return self.identity() if there else None

    def open(self) -> Policy:
        """Load the model; all models of the profile are looked at before the first is."""
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
        """The hash of its weights, and of its recipe where it is trained."""
        return models.description(self.context, self.variant, failed=failed)

    def baseline_model(self) -> dict[str, Any]:
        """The hash of its weights, and of its recipe, which other machines share."""
        said = {"weights": models.make(self.context, self.variant).identity}
        if self.config.stages:
            said["recipe"] = recipe_identity(self.context, self.variant)
        return said

    def decoding(self) -> dict[str, Any] | None:
        """With the special token that opens every prompt, where one does."""
        decoding = super().decoding() or {}
        identity = self.known_identity()
        known = {} if identity is None else self.context.store.get(BEGINS_WITH, [identity])
        token = known.get(identity or "")  # None too for a variant that never answered here
        return decoding if token is None else decoding | {"begins_with": token}


def policy_settings(context: ModelContext, variant: str | None) -> PolicySettings:
    """How a variant's checkpoint is loaded and asked; None: one that says nothing of its own.

    Raises ModelError for a variant of another kind.
    """
    profile = context.profile
    own = None if variant is None else profile.variants[variant]
    if own is not None and own.kind != "model":
        raise ModelError(f"variant {variant!r} is no checkpoint: it has no `model` and no `stages`")
    return PolicySettings(
        generation=profile.generation if variant is None else profile.generation_of(variant),
        device=device_of(profile.device),
        threads=profile.threads,
        dtype=profile.dtype if variant is None else profile.dtype_of(variant),
        quantization=None if own is None else own.quantization,
        seed=profile.seed,
    )
