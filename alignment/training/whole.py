"""Checks that every model which is only loaded is complete, before any of them is opened."""

from __future__ import annotations

from alignment.checkpoints import Checkpoint
from alignment.checkpoints.loading import check_whole
from alignment.config.judges import JudgeConfig
from alignment.config.recipes import is_path_or_hub_id
from alignment.errors import ModelError
from alignment.runtime.hardware import let_waiting_threads_sleep, versions
from alignment.store import content_key
from alignment.training.context import ModelContext, is_judge, model_names, recipe_of
from alignment.training.examined import examined, examined_folder
from alignment.training.keys import VERSION

_WHOLE = "whole"
"""Kind of record in the store: (a checkpoint and how it is loaded) -> true."""


def check_models(context: ModelContext) -> None:
    """Check that every model which is only loaded is complete, before any of them is opened.

    Otherwise responses would be computed before it turns out that their judge cannot be loaded.
    Results are stored by the checkpoint's content. Raises ModelError.
    """
    if _WHOLE in context.failed:
        raise context.failed[_WHOLE]
    let_waiting_threads_sleep()
    for name in model_names(context.profile):
        if name in context.whole:
            continue
        try:
            _check(context, name)
        except ModelError as error:
            where = name if is_judge(name) else f"variants.{name}"
            context.failed[_WHOLE] = ModelError(f"{where}: {error}")
            raise context.failed[_WHOLE] from error
        context.whole.add(name)


def _check(context: ModelContext, name: str) -> None:
    loaded = _loaded_as(context, name)
    if loaded is None:
        return
    checkpoint, judge, fresh = loaded
    libraries = versions("transformers", "peft")
    key = content_key(_WHOLE, VERSION, checkpoint.identity, judge, fresh, libraries)
    if not context.store.get(_WHOLE, [key]):
        check_whole(checkpoint, judge=judge, fresh=fresh)
        context.store.put(_WHOLE, {key: True})


def _loaded_as(context: ModelContext, name: str) -> tuple[Checkpoint, bool, int | None] | None:
    """(checkpoint, whether as a judge, fresh outputs) of what a variant or judge loads.

    The checkpoint is its model or its recipe's parent. None if nothing is loaded from outside.
    """
    recipe = recipe_of(context.profile, name)
    if recipe.model is not None:
        return examined(context, name), isinstance(recipe, JudgeConfig), None
    if recipe.parent is None or not is_path_or_hub_id(recipe.parent):
        return None
    reward = recipe.stages[0].trainer == "reward"
    return examined_folder(context, recipe.parent), False, 1 if reward else None
