"""The models of a profile: found in the store by their recipe's key, or trained, or loaded.

A recipe's key is made of everything that the training depends on, so it is known before anything
is trained; the identity of the model is the hash of what came out.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from alignment.checkpoints import Checkpoint, examine, locate, over
from alignment.checkpoints.loading import check_whole
from alignment.config.profile import Profile
from alignment.config.recipes import JudgeConfig, Recipe, Variant, is_path_or_hub_id
from alignment.errors import ModelError, TrainingError
from alignment.progress import Progress
from alignment.runtime.hardware import device_of, kind_of, share_cores, versions
from alignment.store import Hasher, Reading, Store, content_key
from alignment.training import degenerate_examples as degenerate
from alignment.training.data import TrainingData
from alignment.training.stages import LIBRARIES, Job, carry_out
from alignment.training.team import ALONE, Team

VERSION = 1
"""Raise it when the same recipe could give another model."""

JUDGE = "judge"
_WHOLE = "whole"
"""Kind of record in the store: a checkpoint, and as what it is loaded -> true."""
_SECOND = "judges."


@dataclass(frozen=True, slots=True)
class ModelContext:
    """What models are made with: the profile, the store, the lessons (read when needed).

    `found` remembers by name what was found, `failed` by key what could not be trained, so that it
    is tried once, not again for every variant that starts from it; `whole` the names of what was
    found whole. `team` trains together. `reading`, where there is one, reads every file whole
    instead of trusting the store's memory.
    """

    profile: Profile
    store: Store
    lessons: Callable[[], TrainingData]
    digest: Callable[[], str]
    progress: Progress
    team: Team = ALONE
    found: dict[str, Checkpoint] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    reading: Reading | None = None

    @property
    def hasher(self) -> Hasher:
        """What gives the hashes of files."""
        return self.reading or self.store

    def anew(self) -> ModelContext:
        """The same, remembering nothing of what models were."""
        return replace(self, found={}, reading=Reading(self.store))


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
        judge = recipe if isinstance(recipe, JudgeConfig) else None
        return loaded(context, recipe.model, recipe.revision, judge)
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
    found = look(context, name)
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
        if look(context, name) is None:
            try:
                _train(context, name, key)
            except Exception as error:
                context.failed[key] = error
                raise
    made = look(context, name)
    if made is None:
        raise TrainingError(f"model {name!r} vanished from the store while it was being made")
    return made


def sound(context: ModelContext, name: str) -> Checkpoint:
    """`make` a model that is about to be opened: all its files are read, none of them trusted.

    Where a trained model turns out to be damaged, it is made anew.
    """
    made = make(context, name)
    if look(context.anew(), name) is not None:
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
    return Opened(loaded(again, spec, None, judge), again)


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


def look(context: ModelContext, name: str) -> Checkpoint | None:
    """`find`, once for the whole team: a store may change between two looks."""
    found = context.team.lead(lambda: find(context, name))
    if found is not None:
        context.found[name] = found
    return found


def second(name: str) -> str:
    """What a second judge is called where variants and judges are called by name."""
    return f"{_SECOND}{name}"


def is_judge(name: str) -> bool:
    """Whether a name is that of the judge or of a second one."""
    return name == JUDGE or name.startswith(_SECOND)


def judge_of(profile: Profile, name: str) -> JudgeConfig:
    """The judge of that name: `JUDGE`, or a second one."""
    return profile.judge if name == JUDGE else profile.judges[name.removeprefix(_SECOND)]


def recipe_of(profile: Profile, name: str) -> Variant | JudgeConfig:
    """The recipe under a variant's name, or a judge's."""
    return judge_of(profile, name) if is_judge(name) else profile.variants[name]


def names(profile: Profile) -> list[str]:
    """Every variant and every judge."""
    return [*profile.variants, JUDGE, *map(second, profile.judges)]


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
        context.digest(),
        _degenerate_code(context, recipe),
        profile.training.vocab_size if recipe.architecture else None,
        _length(profile, name),
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
    return context.hasher.file_hash(Path(degenerate.__file__))


def _length(profile: Profile, name: str) -> int:
    return judge_of(profile, name).max_length if is_judge(name) else profile.training.max_length


def _parent_key(
    context: ModelContext, recipe: Recipe, key: Callable[[ModelContext, str], str]
) -> str | None:
    if recipe.parent is None:
        return None
    if is_path_or_hub_id(recipe.parent):
        return loaded(context, recipe.parent, None).identity
    return key(context, recipe.parent)


def _parent(context: ModelContext, recipe: Recipe) -> Checkpoint | None:
    if recipe.parent is None:
        return None
    if is_path_or_hub_id(recipe.parent):
        return loaded(context, recipe.parent, None)
    return find(context, recipe.parent)


def loaded(
    context: ModelContext, spec: str, revision: str | None, judge: JudgeConfig | None = None
) -> Checkpoint:
    """A checkpoint that is only loaded, looked at without torch; `judge` is whose it is.

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


def check(context: ModelContext) -> None:
    """Find out that every model which is only loaded is whole, before any of them is opened.

    Else an answer would have been given by the time that its judge cannot be loaded. What was found
    whole is remembered by its content. Raises ModelError.
    """
    if _WHOLE in context.failed:
        raise context.failed[_WHOLE]
    share_cores()
    for name in names(context.profile):
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
        judge = recipe if isinstance(recipe, JudgeConfig) else None
        return loaded(context, recipe.model, recipe.revision, judge), judge is not None, None
    if recipe.parent is None or not is_path_or_hub_id(recipe.parent):
        return None
    reward = recipe.stages[0].trainer == "reward"
    return loaded(context, recipe.parent, None), False, 1 if reward else None


def _train(context: ModelContext, name: str, key: str) -> None:
    """Carry out a recipe's stages and put what comes out into the store, with its manifest."""
    context.team.lead(lambda: check(context))
    recipe, profile, team = recipe_of(context.profile, name), context.profile, context.team
    started, again = time.perf_counter(), context.anew()
    with team.led(lambda: _folders(context.store, key)) as (folder, scratch):
        if team.lead(lambda: recipe_key(again, name)) != key:
            raise TrainingError(_moved(name))
        start = team.lead(lambda: _parent(again, recipe))
        job = Job(name, recipe, start, _length(profile, name), partial(seed_of, profile), folder)
        made, logs = carry_out(context, job, scratch)
        if team.lead(lambda: again.reading and again.reading.changed()):
            raise TrainingError(_moved(name))
        manifest = {
            "name": name,
            "identity": made.identity,
            "adapter": made.outermost != made.folder,
            "recipe": recipe.model_dump(mode="json"),
            "seed": seed_of(profile, name),
            "lessons": team.lead(context.digest),
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
