"""What a profile's names stand for: policies and judges, their identities first, without torch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from alignment.errors import JudgeError, ModelError
from alignment.judges import keywords, llm, reward_model
from alignment.judges.protocol import Judge
from alignment.policies import endpoint, huggingface
from alignment.policies.protocol import Policy
from alignment.records import Response, Score
from alignment.runtime.hardware import device_of
from alignment.training import models
from alignment.training.models import Workshop

BEGINS_WITH = "begins_with"
"""Kind of record in the store: policy -> the special token that every prompt begins with."""


def policy_identity(shop: Workshop, variant: str) -> str:
    """A hash of all that a variant's answers depend on apart from their prompts.

    A model that is still to be made is made. Raises AlignmentError.
    """
    served = served_settings(shop, variant)
    if served is not None:
        return endpoint.identity_of(served)
    return huggingface.identity_of(models.make(shop, variant), policy_settings(shop, variant))


def known_policy(shop: Workshop, variant: str) -> str | None:
    """A variant's identity without making anything: None where its model is still to be made."""
    served = shop.profile.variants[variant].endpoint is not None
    there = served or models.find(shop, variant) is not None
    return policy_identity(shop, variant) if there else None


def open_policy(shop: Workshop, variant: str) -> Policy:
    """The policy behind a variant, ready to answer. Raises AlignmentError."""
    served = served_settings(shop, variant)
    if served is not None:
        return endpoint.EndpointPolicy(served, shop.store)
    settings = policy_settings(shop, variant)
    models.check(shop)
    model = models.opened(shop, variant)
    policy = huggingface.HuggingFacePolicy(model.checkpoint, settings, note=shop.progress.note)
    shop.store.put(BEGINS_WITH, {policy.identity: policy.begins_with})
    return _SteadyPolicy(policy, model)


def begins_with(shop: Workshop, variant: str) -> str | None:
    """The special token that a variant's prompts begin with, without loading anything.

    None where there is none, and where the variant never answered here.
    """
    identity = known_policy(shop, variant)
    found = {} if identity is None else shop.store.get(BEGINS_WITH, [identity])
    return found.get(identity or "")


def judge_identity(shop: Workshop, name: str) -> str:
    """A hash of all that a judge's scores depend on apart from the texts.

    `name` is `models.JUDGE` or that of a second judge (`models.second`). A model that is still to
    be made is made. Raises AlignmentError.
    """
    judge = models.judge_of(shop.profile, name)
    if judge.keywords:
        return keywords.identity_of(judge.keywords, judge.dimension)
    if judge.endpoint is not None:
        return llm.identity_of(judge.endpoint, judge.revision)
    return reward_model.identity_of(models.make(shop, name), judge_settings(shop, name))


def known_judge(shop: Workshop, name: str) -> str | None:
    """A judge's identity without making anything: None where its model is still to be made."""
    judge = models.judge_of(shop.profile, name)
    if (judge.stages or judge.model) and models.find(shop, name) is None:
        return None
    return judge_identity(shop, name)


def open_judge(shop: Workshop, name: str) -> Judge:
    """The judge of that name, ready to score. Raises AlignmentError."""
    judge = models.judge_of(shop.profile, name)
    if judge.recorded:
        raise JudgeError("the scores of this profile are recorded: no judge can be asked")
    if judge.keywords:
        return keywords.KeywordFilter(judge.keywords, judge.dimension)
    if judge.endpoint is not None:
        return llm.LLMJudge(judge.endpoint, judge.revision, shop.store)
    models.check(shop)
    model = models.opened(shop, name)
    scorer = reward_model.RewardModelJudge(model.checkpoint, judge_settings(shop, name))
    return _SteadyJudge(scorer, model)


class _SteadyPolicy:
    """A policy over a model's files: gives no answer once one of them has changed."""

    def __init__(self, policy: Policy, model: models.Opened) -> None:
        self.identity = policy.identity
        self._policy, self._model = policy, model

    def respond(
        self, asked: Sequence[tuple[str, int]], needed: Collection[int]
    ) -> Iterator[dict[int, Response]]:
        for batch in self._policy.respond(asked, needed):
            self._model.require_unchanged()
            yield batch

    def close(self) -> None:
        self._policy.close()


class _SteadyJudge:
    """A judge over a model's files, likewise."""

    def __init__(self, judge: Judge, model: models.Opened) -> None:
        self.identity = judge.identity
        self._judge, self._model = judge, model

    def score(
        self, pairs: Sequence[tuple[str, str]], needed: Collection[int]
    ) -> Iterator[dict[int, Score]]:
        for batch in self._judge.score(pairs, needed):
            self._model.require_unchanged()
            yield batch

    def close(self) -> None:
        self._judge.close()


def served_settings(shop: Workshop, variant: str) -> endpoint.Settings | None:
    """How a variant's endpoint is asked; None where it has none."""
    profile = shop.profile
    own = profile.variants[variant]
    if own.endpoint is None:
        return None
    return endpoint.Settings(
        endpoint=own.endpoint,
        generation=profile.generation_of(variant),
        revision=own.revision,
        seed=profile.seed,
    )


def policy_settings(shop: Workshop, variant: str | None) -> huggingface.Settings:
    """How a variant's checkpoint is loaded and asked; None: one that says nothing of its own.

    Raises ModelError where nobody can be asked.
    """
    profile = shop.profile
    own = None if variant is None else profile.variants[variant]
    if own is not None and own.given:
        raise ModelError(f"variant {variant!r} has its responses already: nobody can be asked")
    return huggingface.Settings(
        generation=profile.generation if variant is None else profile.generation_of(variant),
        device=device_of(profile.device),
        threads=profile.threads,
        dtype=profile.dtype if variant is None else profile.dtype_of(variant),
        quantization=None if own is None else own.quantization,
        seed=profile.seed,
    )


def judge_settings(shop: Workshop, name: str) -> reward_model.Settings:
    """How a judge's checkpoint is loaded and asked."""
    profile = shop.profile
    judge = models.judge_of(profile, name)
    return reward_model.Settings(
        judge=judge,
        device=device_of(profile.device),
        threads=profile.threads,
        dtype=judge.dtype or profile.dtype,
    )
