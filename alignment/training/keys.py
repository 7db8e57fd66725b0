"""What a trained model is called before it is there: the keys of its recipe.

A recipe's key is made of everything that the training depends on, so it is known before anything
is trained; the identity of the model is the hash of what came out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alignment.config.profile import Profile
from alignment.config.recipes import Recipe, is_path_or_hub_id
from alignment.runtime.hardware import device_of, kind_of, versions
from alignment.store import content_key
from alignment.training import degenerate_examples
from alignment.training.context import ModelContext, is_judge, judge_config, recipe_of
from alignment.training.examined import examined_folder
from alignment.training.stages import LIBRARIES

VERSION = 1
"""Raise it when the same recipe could give another model."""


def recipe_key(context: ModelContext, name: str) -> str:
    """The store key of a trained model: a hash of all that its training depends on."""
    profile, recipe = context.profile, recipe_of(context.profile, name)
    return content_key(
        "recipe",
        VERSION,
        *_made_of(context, name, _parent_key(context, recipe, recipe_key)),
        profile.threads,
        kind_of(device_of(profile.device)),
        versions(*LIBRARIES),
    )


def recipe_identity(context: ModelContext, name: str) -> str:
    """A hash of recipe, data and seed: the same on machines whose results differ in last bits."""
    recipe = recipe_of(context.profile, name)
    parent = _parent_key(context, recipe, recipe_identity)
    return content_key("recipe", *_made_of(context, name, parent))


def _made_of(context: ModelContext, name: str, parent: str | None) -> list[Any]:
    profile, recipe = context.profile, recipe_of(context.profile, name)
    return [
        recipe.architecture,
        [stage.model_dump(mode="json") for stage in recipe.stages],
        parent,
        context.data.training_digest(),
        _degenerate_code(context, recipe),
        profile.training.vocab_size if recipe.architecture else None,
        max_length(profile, name),
        profile.dtype,
        seed_of(profile, name),
    ]


def seed_of(profile: Profile, name: str) -> int:
    """A recipe's seed, derived from its name, so that adding a variant changes no other."""
    digest = hashlib.sha256(f"{profile.seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _degenerate_code(context: ModelContext, recipe: Recipe) -> str | None:
    """Degenerate answers are made by code of ours: the one lesson that no digest of data covers."""
    if not any(stage.degenerate for stage in recipe.stages):
        return None
    return context.hasher.file_hash(Path(degenerate_examples.__file__))


def max_length(profile: Profile, name: str) -> int:
    """Tokens at most of what a model is trained on."""
    return judge_config(profile, name).max_length if is_judge(name) else profile.training.max_length


def _parent_key(
    context: ModelContext, recipe: Recipe, key: Callable[[ModelContext, str], str]
) -> str | None:
    if recipe.parent is None:
        return None
    if is_path_or_hub_id(recipe.parent):
        return examined_folder(context, recipe.parent).identity
    return key(context, recipe.parent)
