"""The interface of variants: one class per kind of policy holds all that depends on its kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from alignment.policies.protocol import Policy
from alignment.records import Prompt, Response
from alignment.records.labels import Label
from alignment.store.answers import stored_responses
from alignment.training.context import ModelContext


class Kind(ABC):
    """What all kinds of policies and judges have in common.

    Everything that depends on the kind of a policy or judge is a method here or in the two
    subclasses `PolicyKind` and `JudgeKind`: what its results depend on, whether they are there
    already, how its settings are checked, how it is opened, and what reports and baselines say
    about it. A kind is a module of `alignment.policies` or `alignment.judges` with a class `Kind`;
    the schema (`Variant.kind`, `JudgeConfig.kind`) says which one a variant or judge has.
    """

    asks = True
    """Whether it has to be run to give results; False if all its results are there already."""
    context: ModelContext

    def check(self) -> None:  # noqa: B027 - optional
        """Check its settings and files, without torch. Raises AlignmentError with one line."""

    @abstractmethod
    def identity(self) -> str:
        """A hash of everything that its results depend on apart from the texts.

        Trains its model if that is not done yet. Raises AlignmentError.
        """

    def known_identity(self) -> str | None:
        """The identity, or None if its model is still to be trained; trains nothing."""
        return self.identity()

    def description(self, *, failed: bool) -> dict[str, Any]:
        """What a report says about it, as plain values; `failed` if it could not be opened."""
        return {"identity": None if failed else self.known_identity()}


class PolicyKind(Kind):
    """The policy of one variant."""

    thinks = True
    """Whether its responses may hold thinking, so that `generation.thinking` applies."""
    has_scores = False
    """Whether recorded scores come with its responses."""

    def __init__(self, context: ModelContext, variant: str) -> None:
        self.context = context
        self.variant = variant
        self.config = context.profile.variants[variant]

    @property
    def where(self) -> str:
        """Its key in the profile, for messages."""
        return f"variants.{self.variant}"

    @abstractmethod
    def open(self) -> Policy:
        """The policy, ready to answer. Raises AlignmentError."""

    def responses(self, prompts: Sequence[Prompt]) -> dict[str, Response]:
        """Prompt id -> response, as far as responses are there; computes none."""
        identity = self.known_identity()
        return {} if identity is None else stored_responses(self.context.store, identity, prompts)

    def recorded_scores(self, prompts: Sequence[Prompt]) -> dict[str, float]:
        """Prompt id -> the score recorded with its response; empty unless `has_scores`."""
        del prompts
        return {}

    def labels(self) -> Iterator[Label]:
        """What people say of its responses, where that is recorded beside them."""
        yield from ()

    def baseline_model(self) -> dict[str, Any]:
        """What a baseline says about it, as plain values; for readers only, not compared."""
        return self.description(failed=False)

    def decoding(self) -> dict[str, Any] | None:
        """The decoding settings that baselines compare; None if there are none.

        Settings that few profiles use are included only if they differ from their defaults.
        """
        generation = self.context.profile.generation_of(self.variant)
        # "unscored" is the default.
        thinking = {} if generation.thinking == "unscored" else {"thinking": generation.thinking}
        if self.config.ignores_generation:
            return thinking or None
        decoding: dict[str, Any] = {"max_new_tokens": generation.max_new_tokens} | thinking
        if generation.stop_at_human:
            decoding["stop_at_human"] = True
        if generation.temperature > 0:
            decoding |= generation.model_dump(include={"samples", "temperature", "top_p"})
        return decoding

    def format(self) -> str | None:
        """The prompt format (`generation.format`); None if the kind ignores it."""
        if self.config.ignores_generation:
            return None
        return self.context.profile.generation_of(self.variant).format


def policy_of(context: ModelContext, variant: str) -> PolicyKind:
    """The policy of a variant: `Kind` of the module that its kind names."""
    kind = context.profile.variants[variant].kind
    policy: PolicyKind = import_module(f"alignment.policies.{kind}").Kind(context, variant)
    return policy
