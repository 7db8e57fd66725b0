"""What can be wrong with a recipe or a model's folder, found without torch."""

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
    """Look at the model under a variant's or judge's name: its folder, or what it is trained from.

    `where` is its key in the profile; `chat` the setting that needs a chat template, if one does.
    Raises AlignmentError with one line that begins with the key.
    """
    try:
        _examine(context, name, chat)
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from error
    for number, stage in enumerate(recipe_of(context.profile, name).stages):
        _check_arguments(context, stage, f"{where}.stages.{number}")


def _examine(context: ModelContext, name: str, chat: str | None) -> None:
    recipe = recipe_of(context.profile, name)
    found = None
    if recipe.model is not None:
        found = examined(context, name)
    elif recipe.parent is not None and is_path_or_hub_id(recipe.parent):
        found = examined_folder(context, recipe.parent)
    if chat is None:
        return
    if found is not None and not has_chat_template(found.tokenizer):
        raise ModelError(
            f"model {found.outermost}: its tokenizer has no chat template (tokenizer_config.json, "
            f"chat_template.jinja), which {chat} needs; add one, or name another format"
        )
    if recipe.architecture is not None:
        raise ModelError(
            f"a model made from scratch has no chat template, which {chat} needs; name another "
            f"format"
        )


def _check_arguments(context: ModelContext, stage: Stage, where: str) -> None:
    """Reading what TRL's configs take costs 0.2 s: what was accepted once is remembered."""
    names = [stage.trainer, sorted(stage.args), None if stage.lora is None else sorted(stage.lora)]
    key = content_key("arguments", names, versions("trl", "transformers", "peft"))
    if not context.store.get("arguments", [key]):
        check_stage(stage, where)
        context.store.put("arguments", {key: True})
