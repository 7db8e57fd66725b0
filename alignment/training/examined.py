"""Checkpoints that a profile names, examined without torch."""

from __future__ import annotations

from alignment.checkpoints import Checkpoint, examine, locate
from alignment.config.judges import JudgeConfig
from alignment.training.context import ModelContext, recipe_of


def examined(context: ModelContext, name: str) -> Checkpoint:
    """The checkpoint that a variant or judge with `model` names. Raises ModelError."""
    recipe = recipe_of(context.profile, name)
    assert recipe.model is not None  # noqa: S101 - callers check
    judge = recipe if isinstance(recipe, JudgeConfig) else None
    return examined_folder(context, recipe.model, recipe.revision, judge)


def examined_folder(
    context: ModelContext,
    spec: str,
    revision: str | None = None,
    judge: JudgeConfig | None = None,
) -> Checkpoint:
    """The checkpoint of a folder or hub id; `judge` is the judge that it is for, if any.

    Raises ModelError.
    """
    network, pickles = context.profile.network, context.profile.pickles
    folder = locate(spec, revision=revision, network=network, pin=pickles.get(spec))
    return examine(
        folder,
        judge=judge is not None,
        network=network,
        hasher=context.hasher,
        outputs=0 if judge is None else judge.named,
        spec=spec,
        pickles=pickles,
    )
