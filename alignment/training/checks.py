"""Checks of recipes and model folders, without torch."""

from __future__ import annotations

from alignment.checkpoints import has_chat_template
from alignment.config.recipes import Stage, is_path_or_hub_id
from alignment.errors import ModelError
from alignment.runtime.hardware import versions
from alignment.store import content_key
from alignment.training.arguments import check_stage
from alignment.training.context import ModelContext, recipe_of
from alignment.training.examined import examined, examined_folder


def check_recipe(context: ModelContext, name: str, where: str, *, chat: str | None) -> None:
    """Check a variant's or judge's model: its folder, its parent's folder, its stages' arguments.

    `where` is its key in the profile; `chat` names the setting that needs a chat template, if one
    does. Raises AlignmentError with one line that begins with the key.
    """
    try:
        _examine(context, name, chat)
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from error
    for number, stage in enumerate(recipe_of(context.profile, name).stages):
        _check_arguments(context, stage, f"{where}.stages.{number}")


def _examine(context: ModelContext, name: str, chat: str | None) -> None:
    recipe = recipe_of(context.profile, name)
    checkpoint = None
    if recipe.model is not None:
        checkpoint = examined(context, name)
    elif recipe.parent is not None and is_path_or_hub_id(recipe.parent):
        checkpoint = examined_folder(context, recipe.parent)
    if chat is None:
        return
    if checkpoint is not None and not has_chat_template(checkpoint.tokenizer):
        raise ModelError(
            f"model {checkpoint.outermost}: its tokenizer has no chat template "
            f"(tokenizer_config.json, chat_template.jinja), which {chat} needs; add one, "
            f"or name another format"
        )
    if recipe.architecture is not None:
        raise ModelError(
            f"a model made from scratch has no chat template, which {chat} needs; name another "
            f"format"
        )


def _check_arguments(context: ModelContext, stage: Stage, where: str) -> None:
    """`check_stage`, remembered in the store: reading the sources of TRL's configs takes 0.2 s."""
    names = [stage.trainer, sorted(stage.args), None if stage.lora is None else sorted(stage.lora)]
    key = content_key("arguments", names, versions("trl", "transformers", "peft"))
    if not context.store.get("arguments", [key]):
        check_stage(stage, where)
        context.store.put("arguments", {key: True})
