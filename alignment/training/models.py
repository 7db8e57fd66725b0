"""The models of a profile: found in the store by their recipe's key, or trained, or loaded."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from alignment.checkpoints import Checkpoint, over
from alignment.config.judges import JudgeConfig
from alignment.config.recipes import Recipe, is_path_or_hub_id
from alignment.errors import ModelError, TrainingError
from alignment.runtime.hardware import versions
from alignment.store import Store
from alignment.training.context import ModelContext, recipe_of
from alignment.training.examined import examined, examined_folder
from alignment.training.keys import max_length, recipe_key, seed_of
from alignment.training.stages import LIBRARIES, Job, carry_out
from alignment.training.whole import check_models


def description(context: ModelContext, name: str, *, failed: bool) -> dict[str, Any]:
    """What a report says about a model: the hash of its content, and the key of its recipe.

    `failed` if it could not be opened in this run; the hash is then None.
    """
    checkpoint = None if failed else find(context, name)
    record: dict[str, Any] = {"identity": checkpoint.identity if checkpoint else None}
    if recipe_of(context.profile, name).stages:
        record["recipe"] = recipe_key(context, name)
    return record


def find(context: ModelContext, name: str) -> Checkpoint | None:
    """The checkpoint of a variant or judge, without torch; None if it is yet to be trained.

    Raises ModelError if a model that is only loaded cannot be found or used.
    """
    known = context.found.get(name)
    if known is not None and all(path.is_dir() for path in (known.folder, *known.adapters)):
        return known
    checkpoint = _find(context, name)
    if checkpoint is not None:
        context.found[name] = checkpoint
    return checkpoint


def _find(context: ModelContext, name: str) -> Checkpoint | None:
    recipe = recipe_of(context.profile, name)
    if recipe.model is not None:
        return examined(context, name)
    key = recipe_key(context, name)
    manifest = context.store.manifest(key, context.hasher.file_hash)
    if manifest is None:
        return None
    folder = context.store.models / key
    if not manifest["adapter"]:
        return Checkpoint(folder, manifest["identity"])
    parent = _parent(context, recipe)
    return None if parent is None else over(parent, folder, context.hasher)


def make(context: ModelContext, name: str) -> Checkpoint:
    """The checkpoint of a variant or judge, trained if it is not in the store; parents first.

    Raises AlignmentError. A failed training is remembered and raised again.
    """
    in_store = find_together(context, name)
    if in_store is not None:
        return in_store
    recipe = recipe_of(context.profile, name)
    if recipe.parent is not None and not is_path_or_hub_id(recipe.parent):
        sound(context, recipe.parent)
    key = context.team.lead(lambda: recipe_key(context, name))
    if key in context.failed:
        raise context.failed[key]
    note = lambda: context.progress.note(f"waiting: {name} is being trained elsewhere")  # noqa: E731
    with context.team.led(lambda: context.store.lock(key, waiting=note)):
        if find_together(context, name) is None:
            try:
                _train(context, name, key)
            except Exception as error:
                context.failed[key] = error
                raise
    trained = find_together(context, name)
    if trained is None:
        raise TrainingError(f"model {name!r} vanished from the store while it was being made")
    return trained


def sound(context: ModelContext, name: str) -> Checkpoint:
    """`make` a model and hash all its files, trusting no stored hash.

    A trained model that turns out to be damaged is trained again.
    """
    checkpoint = make(context, name)
    if find_together(context.anew(), name) is not None:
        return checkpoint
    context.found.clear()
    return make(context, name)


def opened(context: ModelContext, name: str) -> Opened:
    """The checkpoint of a variant or judge to load: trained if missing, all its files rehashed.

    Raises ModelError if its content is not the one that its results would be stored under.
    """
    known, fresh = make(context, name), context.anew()
    reread = find(fresh, name)
    if reread is None:  # a trained model is damaged, as its new hashes show
        context.found.clear()
        checkpoint, fresh = make(context, name), context.anew()
        reread = find(fresh, name) or checkpoint
    if reread.identity != known.identity:
        raise ModelError(_changed_message(known, "its content is another"))
    return Opened(reread, fresh)


def opened_folder(context: ModelContext, spec: str, judge: JudgeConfig | None = None) -> Opened:
    """A checkpoint that the profile does not name, to be loaded. Raises ModelError.

    `spec` is a folder or a hub id; `judge` is the judge that it is for, if any.
    """
    fresh = context.anew()
    return Opened(examined_folder(fresh, spec, None, judge), fresh)


@dataclass(frozen=True, slots=True)
class Opened:
    """A checkpoint whose files were all hashed by `context.reading`.

    Loaded weights may be memory-mapped: overwriting a file in place then changes them.
    """

    checkpoint: Checkpoint
    context: ModelContext

    def require_unchanged(self) -> None:
        """Raise ModelError if a file has changed since it was hashed."""
        if self.context.reading is not None and (path := self.context.reading.changed()):
            raise ModelError(
                _changed_message(self.checkpoint, f"{path.name} was written meanwhile")
            )


def _changed_message(checkpoint: Checkpoint, reason: str) -> str:
    return (
        f"model {checkpoint.outermost}: is not what it was when this run looked at it: {reason}; "
        f"run again when nobody writes to it"
    )


def find_together(context: ModelContext, name: str) -> Checkpoint | None:
    """`find`, done by the leader for all processes: the store may change between two calls."""
    checkpoint = context.team.lead(lambda: find(context, name))
    if checkpoint is not None:
        context.found[name] = checkpoint
    return checkpoint


def _parent(context: ModelContext, recipe: Recipe) -> Checkpoint | None:
    if recipe.parent is None:
        return None
    if is_path_or_hub_id(recipe.parent):
        return examined_folder(context, recipe.parent)
    return find(context, recipe.parent)


def _train(context: ModelContext, name: str, key: str) -> None:
    """Carry out a recipe's stages and put the model into the store, with its manifest.

    Raises TrainingError, also if the parent's files change meanwhile.
    """
    context.team.lead(lambda: check_models(context))
    recipe, profile, team = recipe_of(context.profile, name), context.profile, context.team
    started, fresh = time.perf_counter(), context.anew()
    with team.led(lambda: _draft_folders(context.store, key)) as (folder, scratch):
        if team.lead(lambda: recipe_key(fresh, name)) != key:
            raise TrainingError(_parent_changed_message(name))
        start = team.lead(lambda: _parent(fresh, recipe))
        job = Job(name, recipe, start, max_length(profile, name), partial(seed_of, profile), folder)
        checkpoint, logs = carry_out(context, job, scratch)
        if team.lead(lambda: fresh.reading and fresh.reading.changed()):
            raise TrainingError(_parent_changed_message(name))
        manifest = {
            "name": name,
            "identity": checkpoint.identity,
            "adapter": checkpoint.outermost != checkpoint.folder,
            "recipe": recipe.model_dump(mode="json"),
            "seed": seed_of(profile, name),
            "lessons": team.lead(context.data.training_digest),
            "versions": versions(*LIBRARIES),
            "processes": team.size,
            "stages": logs,
            "seconds": round(time.perf_counter() - started, 2),
        }
        text = json.dumps(manifest, indent=1, sort_keys=True)
        team.lead(lambda: (folder / "manifest.json").write_text(text + "\n", encoding="utf-8"))


def _parent_changed_message(name: str) -> str:
    return (
        f"model {name!r}: what it is trained from was changed meanwhile; run again when nobody "
        f"writes to its parent"
    )


@contextlib.contextmanager
def _draft_folders(store: Store, key: str) -> Iterator[tuple[Path, Path]]:
    """(folder of the new model, scratch folder for models between stages, inside the first)."""
    with store.new_folder(key) as folder, tempfile.TemporaryDirectory(dir=folder) as scratch:
        yield folder, Path(scratch)
