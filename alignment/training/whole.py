"""Whether every model that is only loaded is whole, found out before any of them is opened."""

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
"""Kind of record in the store: a checkpoint, and as what it is loaded -> true."""


def check_models(context: ModelContext) -> None:
    """Find out that every model which is only loaded is whole, before any of them is opened.

    Else an answer would have been given by the time that its judge cannot be loaded. What was found
    whole is remembered by its content. Raises ModelError.
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
    found = _loaded_as(context, name)
    if found is None:
        return
    checkpoint, judge, fresh = found
    libraries = versions("transformers", "peft")
    key = content_key(_WHOLE, VERSION, checkpoint.identity, judge, fresh, libraries)
    if not context.store.get(_WHOLE, [key]):
        check_whole(checkpoint, judge=judge, fresh=fresh)
        context.store.put(_WHOLE, {key: True})


def _loaded_as(context: ModelContext, name: str) -> tuple[Checkpoint, bool, int | None] | None:
    """The checkpoint that a variant or a judge is, or starts from; as a judge; with fresh outputs.

    None where it starts from what is made here.
    """
    recipe = recipe_of(context.profile, name)
    if recipe.model is not None:
        return examined(context, name), isinstance(recipe, JudgeConfig), None
    if recipe.parent is None or not is_path_or_hub_id(recipe.parent):
        return None
    reward = recipe.stages[0].trainer == "reward"
    return examined_folder(context, recipe.parent), False, 1 if reward else None
