"""The keys of recipes, under which trained models are stored.

A recipe's key is a hash of everything that the training depends on, so it is known before training.
The identity of a trained model is another hash: of the content that training produced.
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
"""Increase it when the same recipe could give another model."""


def recipe_key(context: ModelContext, name: str) -> str:
    """The store key of a trained model: a hash of everything that its training depends on."""
    profile, recipe = context.profile, recipe_of(context.profile, name)
    return content_key(
        "recipe",
        VERSION,
        *_ingredients(context, name, _parent_key(context, recipe, recipe_key)),
        profile.threads,
        kind_of(device_of(profile.device)),
        versions(*LIBRARIES),
    )


def recipe_identity(context: ModelContext, name: str) -> str:
    """A hash of recipe, data and seed only: the same for other devices, threads and versions."""
    recipe = recipe_of(context.profile, name)
    parent = _parent_key(context, recipe, recipe_identity)
    return content_key("recipe", *_ingredients(context, name, parent))


def _ingredients(context: ModelContext, name: str, parent: str | None) -> list[Any]:
    """What training depends on, whatever the machine; `parent` is the key of the parent."""
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
    """The hash of the code that makes degenerate answers: the data's digest covers only data."""
    if not any(stage.degenerate for stage in recipe.stages):
        return None
    return context.hasher.file_hash(Path(degenerate_examples.__file__))


def max_length(profile: Profile, name: str) -> int:
    """The most tokens of a training text."""
    return judge_config(profile, name).max_length if is_judge(name) else profile.training.max_length


def _parent_key(
    context: ModelContext, recipe: Recipe, key: Callable[[ModelContext, str], str]
) -> str | None:
    if recipe.parent is None:
        return None
    if is_path_or_hub_id(recipe.parent):
        return examined_folder(context, recipe.parent).identity
    return key(context, recipe.parent)
