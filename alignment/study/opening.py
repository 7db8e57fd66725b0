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
from alignment.training.models import ModelContext

BEGINS_WITH = "begins_with"
"""Kind of record in the store: policy -> the special token that every prompt begins with."""


def policy_identity(context: ModelContext, variant: str) -> str:
    """A hash of all that a variant's answers depend on apart from their prompts.

    A model that is still to be made is made. Raises AlignmentError.
    """
    served = served_settings(context, variant)
    if served is not None:
        return endpoint.identity_of(served)
    return huggingface.identity_of(models.make(context, variant), policy_settings(context, variant))


def known_policy(context: ModelContext, variant: str) -> str | None:
    """A variant's identity without making anything: None where its model is still to be made."""
    served = context.profile.variants[variant].endpoint is not None
    there = served or models.find(context, variant) is not None
    return policy_identity(context, variant) if there else None


def open_policy(context: ModelContext, variant: str) -> Policy:
    """The policy behind a variant, ready to answer. Raises AlignmentError."""
    served = served_settings(context, variant)
    if served is not None:
        return endpoint.EndpointPolicy(served, context.store)
    settings = policy_settings(context, variant)
    models.check(context)
    model = models.opened(context, variant)
    policy = huggingface.HuggingFacePolicy(model.checkpoint, settings, note=context.progress.note)
    context.store.put(BEGINS_WITH, {policy.identity: policy.begins_with})
    return _SteadyPolicy(policy, model)


def begins_with(context: ModelContext, variant: str) -> str | None:
    """The special token that a variant's prompts begin with, without loading anything.

    None where there is none, and where the variant never answered here.
    """
    identity = known_policy(context, variant)
    found = {} if identity is None else context.store.get(BEGINS_WITH, [identity])
    return found.get(identity or "")


def judge_identity(context: ModelContext, name: str) -> str:
    """A hash of all that a judge's scores depend on apart from the texts.

    `name` is `models.JUDGE` or that of a second judge (`models.second`). A model that is still to
    be made is made. Raises AlignmentError.
    """
    judge = models.judge_of(context.profile, name)
    if judge.keywords:
        return keywords.identity_of(judge.keywords, judge.dimension)
    if judge.endpoint is not None:
        return llm.identity_of(judge.endpoint, judge.revision)
    return reward_model.identity_of(models.make(context, name), judge_settings(context, name))


def known_judge(context: ModelContext, name: str) -> str | None:
    """A judge's identity without making anything: None where its model is still to be made."""
    judge = models.judge_of(context.profile, name)
    if (judge.stages or judge.model) and models.find(context, name) is None:
        return None
    return judge_identity(context, name)


def open_judge(context: ModelContext, name: str) -> Judge:
    """The judge of that name, ready to score. Raises AlignmentError."""
    judge = models.judge_of(context.profile, name)
    if judge.recorded:
        raise JudgeError("the scores of this profile are recorded: no judge can be asked")
    if judge.keywords:
        return keywords.KeywordFilter(judge.keywords, judge.dimension)
    if judge.endpoint is not None:
        return llm.LLMJudge(judge.endpoint, judge.revision, context.store)
    models.check(context)
    model = models.opened(context, name)
    scorer = reward_model.RewardModelJudge(model.checkpoint, judge_settings(context, name))
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


def served_settings(context: ModelContext, variant: str) -> endpoint.EndpointSettings | None:
    """How a variant's endpoint is asked; None where it has none."""
    profile = context.profile
    own = profile.variants[variant]
    if own.endpoint is None:
        return None
    return endpoint.EndpointSettings(
        endpoint=own.endpoint,
        generation=profile.generation_of(variant),
        revision=own.revision,
        seed=profile.seed,
    )


def policy_settings(context: ModelContext, variant: str | None) -> huggingface.PolicySettings:
    """How a variant's checkpoint is loaded and asked; None: one that says nothing of its own.

    Raises ModelError where nobody can be asked.
    """
    profile = context.profile
    own = None if variant is None else profile.variants[variant]
    if own is not None and own.given:
        raise ModelError(f"variant {variant!r} has its responses already: nobody can be asked")
    return huggingface.PolicySettings(
        generation=profile.generation if variant is None else profile.generation_of(variant),
        device=device_of(profile.device),
        threads=profile.threads,
        dtype=profile.dtype if variant is None else profile.dtype_of(variant),
        quantization=None if own is None else own.quantization,
        seed=profile.seed,
    )


def judge_settings(context: ModelContext, name: str) -> reward_model.JudgeSettings:
    """How a judge's checkpoint is loaded and asked."""
    profile = context.profile
    judge = models.judge_of(profile, name)
    return reward_model.JudgeSettings(
        judge=judge,
        device=device_of(profile.device),
        threads=profile.threads,
        dtype=judge.dtype or profile.dtype,
    )
