"""Training ahead of an evaluation, in one process or in several that a launcher started."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from alignment.config.layers import resolve
from alignment.config.location import location
from alignment.config.profile import Profile
from alignment.errors import AlignmentError, ProfileError, ReportedElsewhere, StoreError
from alignment.progress import Progress
from alignment.runtime.hardware import device_of
from alignment.store import Store
from alignment.study.preflight import open_checked
from alignment.study.study import Study
from alignment.training import models
from alignment.training.context import model_names, trained_names
from alignment.training.keys import recipe_key
from alignment.training.team import Team, assemble, first


def train_ahead(
    profile: str | None, assignments: Sequence[str], store: str | None, names: Sequence[str]
) -> Iterator[str]:
    """Train the recipes in `names` (all of the profile if it is empty), parents first.

    Yields one line of text per model, in the leading process only. Raises AlignmentError; of
    several processes, one raises the reason and the others raise `ReportedElsewhere`.
    """
    resolved = partial(resolve, Path.cwd(), selected=profile, assignments=assignments)
    team = assemble(_device(resolved))
    if team.size > 1:  # exit by an exception, so that drafts are removed
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        yield from _train_all(resolved, location(store).absolute(), team, names)
    finally:
        team.dismiss()


def _train_all(
    resolved: Callable[[], Profile], root: Path, team: Team, names: Sequence[str]
) -> Iterator[str]:
    stream = sys.stderr if team.leads else None
    progress = Progress(stream, live=team.leads and sys.stderr.isatty())
    recipes = team.lead(lambda: _check_input(resolved, root, progress, names))
    if isinstance(recipes, AlignmentError):
        raise recipes if team.leads else ReportedElsewhere
    study = Study(resolved(), Store(root), progress=progress)
    with team.one_voice(study.store.root / "locks"):
        context = replace(study.context, team=team)
        for name in recipes:
            in_store = models.find_together(context, name) is not None
            models.make(context, name)
            if team.leads:
                yield _describe_model(study, name, in_store=in_store)


def _device(resolved: Callable[[], Profile]) -> str:
    """The device of the profile. Only the first process reports what is wrong with it."""
    try:
        return device_of(resolved().device)
    except AlignmentError:
        if first():
            raise
        raise ReportedElsewhere from None


def _check_input(
    resolved: Callable[[], Profile], root: Path, progress: Progress, names: Sequence[str]
) -> list[str] | AlignmentError:
    """The recipes to train, or what is wrong with the input."""
    try:
        profile = resolved()
        recipes = _recipes_to_train(profile, names)  # before a store is created
        open_checked(profile, root, progress=progress).store.close()
    except AlignmentError as error:
        return error
    return recipes


def _recipes_to_train(profile: Profile, names: Sequence[str]) -> list[str]:
    """The recipes of those names, or all, every parent before its children.

    Raises ProfileError for a name that is no recipe, and if there are no recipes.
    """
    trained, known = trained_names(profile), model_names(profile)
    for name in names:
        if name not in trained:
            reason = "has no stages" if name in known else "is not there"
            raise ProfileError(
                f"profile {profile.name!r}: {name!r} {reason}; what can be trained: "
                f"{', '.join(trained) or 'nothing'}"
            )
    if not trained:
        raise ProfileError(f"profile {profile.name!r}: nothing has stages to train")
    return [name for name in trained if name in names] if names else trained


def _describe_model(study: Study, name: str, *, in_store: bool) -> str:
    """One line about a model: whether it was trained now, how long, its losses, its folder."""
    key = recipe_key(study.context, name)
    manifest = study.store.manifest(key)
    if manifest is None:
        raise StoreError(f"store {study.store.root}: lost models/{key}, which was there just now")
    log = manifest["stages"][-1]["log"]
    losses = f", loss {log[0]['loss']:.3f} to {log[-1]['loss']:.3f}" if log else ""
    outcome = (
        "was there already"
        if in_store
        else f"trained in {manifest['seconds']:.1f} s by {manifest['processes']} "
        f"process{'es' * (manifest['processes'] > 1)}{losses}"
    )
    return f"{name}: {outcome}; models/{key}"
