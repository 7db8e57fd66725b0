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
    """What a report says of a model: the hash of its content, and the key of its recipe.

    `failed` where it could not be opened in this run.
    """
    checkpoint = None if failed else find(context, name)
    said: dict[str, Any] = {"identity": checkpoint.identity if checkpoint else None}
    if recipe_of(context.profile, name).stages:
        said["recipe"] = recipe_key(context, name)
    return said


def find(context: ModelContext, name: str) -> Checkpoint | None:
    """The model of a variant (or the judge) if it is there, without torch; None if it must be made.

    Raises ModelError when a model that should only be loaded cannot be.
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
    below = _parent(context, recipe)
    return None if below is None else over(below, folder, context.hasher)


def make(context: ModelContext, name: str) -> Checkpoint:
    """The model of a variant (or the judge), trained if it is not in the store; parents first."""
    found = find_together(context, name)
    if found is not None:
        return found
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
    made = find_together(context, name)
    if made is None:
        raise TrainingError(f"model {name!r} vanished from the store while it was being made")
    return made


def sound(context: ModelContext, name: str) -> Checkpoint:
    """`make` a model that is about to be opened: all its files are read, none of them trusted.

    Where a trained model turns out to be damaged, it is made anew.
    """
    made = make(context, name)
    if find_together(context.anew(), name) is not None:
        return made
    context.found.clear()
    return make(context, name)


def opened(context: ModelContext, name: str) -> Opened:
    """The model of a variant (or the judge), to be loaded: made if need be, and read anew.

    Raises ModelError where its files are not those that its answers would be kept under.
    """
    known, again = make(context, name), context.anew()
    found = find(again, name)
    if found is None:  # a trained model is damaged, which only reading all of it has shown
        context.found.clear()
        made, again = make(context, name), context.anew()
        found = find(again, name) or made
    if found.identity != known.identity:
        raise ModelError(_changed(known, "its content is another"))
    return Opened(found, again)


def opened_folder(context: ModelContext, spec: str, judge: JudgeConfig | None = None) -> Opened:
    """A checkpoint that the profile does not name, to be loaded. Raises ModelError."""
    again = context.anew()
    return Opened(examined_folder(again, spec, None, judge), again)


@dataclass(frozen=True, slots=True)
class Opened:
    """A checkpoint whose files were all read, by `context.reading`.

    What is loaded from them may stay bound to them: a file that is overwritten in place changes the
    weights of a model in memory.
    """

    checkpoint: Checkpoint
    context: ModelContext

    def require_unchanged(self) -> None:
        """Raise ModelError where a file is no longer the one that was read."""
        if self.context.reading is not None and (path := self.context.reading.changed()):
            raise ModelError(_changed(self.checkpoint, f"{path.name} was written meanwhile"))


def _changed(known: Checkpoint, how: str) -> str:
    return (
        f"model {known.outermost}: is not what it was when this run looked at it: {how}; run again "
        f"when nobody writes to it"
    )


def find_together(context: ModelContext, name: str) -> Checkpoint | None:
    """`find`, once for the whole team: a store may change between two looks."""
    found = context.team.lead(lambda: find(context, name))
    if found is not None:
        context.found[name] = found
    return found


def _parent(context: ModelContext, recipe: Recipe) -> Checkpoint | None:
    if recipe.parent is None:
        return None
    if is_path_or_hub_id(recipe.parent):
        return examined_folder(context, recipe.parent)
    return find(context, recipe.parent)


def _train(context: ModelContext, name: str, key: str) -> None:
    """Carry out a recipe's stages and put what comes out into the store, with its manifest."""
    context.team.lead(lambda: check_models(context))
    recipe, profile, team = recipe_of(context.profile, name), context.profile, context.team
    started, again = time.perf_counter(), context.anew()
    with team.led(lambda: _folders(context.store, key)) as (folder, scratch):
        if team.lead(lambda: recipe_key(again, name)) != key:
            raise TrainingError(_moved(name))
        start = team.lead(lambda: _parent(again, recipe))
        job = Job(name, recipe, start, max_length(profile, name), partial(seed_of, profile), folder)
        made, logs = carry_out(context, job, scratch)
        if team.lead(lambda: again.reading and again.reading.changed()):
            raise TrainingError(_moved(name))
        manifest = {
            "name": name,
            "identity": made.identity,
            "adapter": made.outermost != made.folder,
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


def _moved(name: str) -> str:
    return (
        f"model {name!r}: what it is trained from was changed meanwhile; run again when nobody "
        f"writes to its parent"
    )


@contextlib.contextmanager
def _folders(store: Store, key: str) -> Iterator[tuple[Path, Path]]:
    """The folder of a model to be, and one for what lies between stages, gone with it if killed."""
    with store.new_folder(key) as folder, tempfile.TemporaryDirectory(dir=folder) as scratch:
        yield folder, Path(scratch)
