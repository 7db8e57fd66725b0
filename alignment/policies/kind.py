"""What a variant is to the rest of the project: one class per kind of policy owns its answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from alignment.policies.protocol import Policy
from alignment.records import Prompt, Response
from alignment.store.answers import stored_responses
from alignment.training.context import ModelContext


class Kind(ABC):
    """What policies and judges have in common, whatever they are.

    Whatever depends on the kind of a policy or judge is asked here and in the two classes made of
    this one: what its results depend on, whether it can give them already, what can be wrong with
    it, how it is opened, what reports and baselines say of it. A kind is a module of
    `alignment.policies` or `alignment.judges` with a class `Kind`; the schema (`Variant.kind`,
    `JudgeConfig.kind`) says which one a variant or judge has.
    """

    asks = True
    """Whether it is asked; else all of its results are there without asking."""
    context: ModelContext

    def check(self) -> None:  # noqa: B027 - not every kind has something to check
        """Find all that is wrong with it, without torch. Raises AlignmentError with one line."""

    @abstractmethod
    def identity(self) -> str:
        """A hash of all that its results depend on apart from the texts.

        A model that is still to be made is made. Raises AlignmentError.
        """

    def known_identity(self) -> str | None:
        """The identity without making anything: None where its model is still to be made."""
        return self.identity()

    def description(self, *, failed: bool) -> dict[str, Any]:
        """What a report says that it is; `failed` where it could not be opened in this run."""
        return {"identity": None if failed else self.known_identity()}


class PolicyKind(Kind):
    """The policy of one variant."""

    thinks = True
    """Whether its responses may hold thinking, which `generation.thinking` is about."""
    has_scores = False
    """Whether recorded scores come with its responses."""

    def __init__(self, context: ModelContext, variant: str) -> None:
        self.context = context
        self.variant = variant
        self.config = context.profile.variants[variant]

    @property
    def where(self) -> str:
        """The key of the profile that says what it is."""
        return f"variants.{self.variant}"

    @abstractmethod
    def open(self) -> Policy:
        """The policy, ready to answer. Raises AlignmentError."""

    def responses(self, prompts: Sequence[Prompt]) -> dict[str, Response]:
        """Prompt id -> response, as far as they are there; nothing is asked."""
        identity = self.known_identity()
        return {} if identity is None else stored_responses(self.context.store, identity, prompts)

    def recorded_scores(self, prompts: Sequence[Prompt]) -> dict[str, float]:
        """Prompt id -> the score that came with its response, where `has_scores`."""
        del prompts
        return {}

    def baseline_model(self) -> dict[str, Any]:
        """What a baseline says that it is, for its reader; not compared."""
        return self.description(failed=False)

    def decoding(self) -> dict[str, Any] | None:
        """How its answers are decoded, as far as baselines compare it; None where nothing is said.

        What few use is said only where it is used.
        """
        generation = self.context.profile.generation_of(self.variant)
        # What becomes of thinking, where that is not what it always is.
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
        """How prompts are put to it; None where that is not ours to say."""
        if self.config.ignores_generation:
            return None
        return self.context.profile.generation_of(self.variant).format


def policy_of(context: ModelContext, variant: str) -> PolicyKind:
    """The policy of a variant, by its kind."""
    kind = context.profile.variants[variant].kind
    policy: PolicyKind = import_module(f"alignment.policies.{kind}").Kind(context, variant)
    return policy
