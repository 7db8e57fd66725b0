"""Everything that can be wrong with the input, found before the run and without torch."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from alignment.checkpoints import has_chat_template
from alignment.config.profile import Profile
from alignment.config.recipes import JudgeConfig, Stage, is_path_or_hub_id
from alignment.errors import ModelError, ProfileError
from alignment.files.foreign import is_there
from alignment.progress import Progress
from alignment.prompts import sources
from alignment.runtime.hardware import versions
from alignment.serving import check_client, key_of
from alignment.store import FILE, Store, content_key, in_memory
from alignment.study.study import Study
from alignment.training import models
from alignment.training.arguments import check_stage


def open_checked(
    profile: Profile, root: Path, *, progress: Progress, limit: int | None = None
) -> Study:
    """The study of a profile over the store at `root`, once its input was found good.

    A store is only begun when all else is well: bad input leaves nothing behind. Raises
    AlignmentError with one line.
    """
    if is_there(root / FILE):
        study = Study(profile, Store(root), progress=progress, limit=limit)
        preflight(study)
        return study
    with closing(Draft(root)) as draft:
        preflight(Study(profile, draft, progress=progress, limit=limit))
        store = Store(root)
        draft.hand_over()
    return Study(profile, store, progress=progress, limit=limit)


def preflight(study: Study) -> None:
    """Look at every model folder, file and argument that the profile names.

    The study has been made, so prompts are selected and recorded files are read already. Raises
    AlignmentError with one line.
    """
    profile = study.profile
    _check_scores(profile)
    _ = study.reader.recorded
    for name in models.names(profile):
        recipe = models.recipe_of(profile, name)
        if recipe.endpoint is not None:
            check_client(recipe.endpoint)
            key_of(recipe.endpoint)
        where = name if models.is_judge(name) else f"variants.{name}"
        try:
            _examine(study, name, profile)
        except ModelError as error:
            raise ModelError(f"{where}: {error}") from error
        for number, stage in enumerate(recipe.stages):
            _check_arguments(study, stage, f"{where}.stages.{number}")
    if any(models.recipe_of(profile, name).stages for name in models.names(profile)):
        _check_lessons(study)


def _check_arguments(study: Study, stage: Stage, where: str) -> None:
    """Reading what TRL's configs take costs 0.2 s: what was accepted once is remembered."""
    names = [stage.trainer, sorted(stage.args), None if stage.lora is None else sorted(stage.lora)]
    key = content_key("arguments", names, versions("trl", "transformers", "peft"))
    if not study.store.get("arguments", [key]):
        check_stage(stage, where)
        study.store.put("arguments", {key: True})


def _examine(study: Study, name: str, profile: Profile) -> None:
    recipe = models.recipe_of(profile, name)
    found = None
    if recipe.model is not None:
        judge = recipe if isinstance(recipe, JudgeConfig) else None
        found = models.loaded(study.context, recipe.model, recipe.revision, judge)
    elif recipe.parent is not None and is_path_or_hub_id(recipe.parent):
        found = models.loaded(study.context, recipe.parent, None)
    if found is not None and _chats(profile, name) and not has_chat_template(found.tokenizer):
        raise ModelError(
            f"model {found.outermost}: its tokenizer has no chat template (tokenizer_config.json, "
            f"chat_template.jinja), which {_CHAT[models.is_judge(name)]} needs; add one, or name "
            f"another format"
        )
    if recipe.architecture is not None and _chats(profile, name):
        raise ModelError(
            f"a model made from scratch has no chat template, which "
            f"{_CHAT[models.is_judge(name)]} needs; name another format"
        )


_CHAT = {False: "generation.format = 'chat'", True: "input = 'chat'"}
"""Whether it is a judge that needs a chat template -> what says so."""


def _chats(profile: Profile, name: str) -> bool:
    """Whether a model is given messages by its tokenizer's chat template."""
    if models.is_judge(name):
        return models.judge_of(profile, name).input == "chat"
    return profile.generation_of(name).format == "chat"


def _check_scores(profile: Profile) -> None:
    """Every criterion speaks of what the judge gives, and every variant can be judged."""
    given = profile.judge.dimensions
    for name, axis in profile.axes.items():
        if axis.dimension not in given:
            raise ProfileError(
                f"profile {profile.name!r}: axes.{name}.dimension: the judge gives "
                f"{', '.join(map(repr, given))}, not {axis.dimension!r}"
            )
    for name, variant in profile.variants.items():
        if profile.judge.recorded and variant.recorded is None:
            raise ProfileError(
                f"profile {profile.name!r}: variants.{name}: has no recorded scores, and the judge "
                f"of this profile is `recorded`; name a judge's `model` or `stages`"
            )


def _check_lessons(study: Study) -> None:
    profile = study.profile
    for axis, source in profile.training.sources.items():
        sources.check(source, data=study.questions.data, axis=axis)


class Draft(Store):
    """Stands in, in memory, for a store that is not there yet."""

    def _opened(self) -> sqlite3.Connection:
        return in_memory()

    def hand_over(self) -> None:
        """Copy what was found into the store, which is there now."""
        with self._plainly("written"):
            self._db.execute("ATTACH ? AS there", (str(self.root / FILE),))
            for table in ("entries", "hashes"):
                self._db.execute(f"INSERT OR IGNORE INTO there.{table} SELECT * FROM main.{table}")  # noqa: S608
            self._db.execute("DETACH there")
