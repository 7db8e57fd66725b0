"""Models made ahead of an evaluation, in one process or in several that a launcher started."""

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
    """Train what `names` says (all recipes of the profile where it is empty), parents first.

    A line for each model, in the leading process only. Raises AlignmentError, in one process of
    several with the reason, in the others as `ReportedElsewhere`.
    """
    resolved = partial(resolve, Path.cwd(), selected=profile, assignments=assignments)
    team = assemble(_device(resolved))
    if team.size > 1:  # what a launcher stops leaves no draft behind: the way out is an exception
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        yield from _made(resolved, location(store).absolute(), team, names)
    finally:
        team.dismiss()


def _made(
    resolved: Callable[[], Profile], root: Path, team: Team, names: Sequence[str]
) -> Iterator[str]:
    stream = sys.stderr if team.leads else None
    progress = Progress(stream, live=team.leads and sys.stderr.isatty())
    found = team.lead(lambda: _checked(resolved, root, progress, names))
    if isinstance(found, AlignmentError):
        raise found if team.leads else ReportedElsewhere
    study = Study(resolved(), Store(root), progress=progress)
    with team.one_voice(study.store.root / "locks"):
        context = replace(study.context, team=team)
        for name in found:
            known = models.find_together(context, name) is not None
            models.make(context, name)
            if team.leads:
                yield _told(study, name, known=known)


def _device(resolved: Callable[[], Profile]) -> str:
    """Where the profile trains; what is wrong with it the first process says."""
    try:
        return device_of(resolved().device)
    except AlignmentError:
        if first():
            raise
        raise ReportedElsewhere from None


def _checked(
    resolved: Callable[[], Profile], root: Path, progress: Progress, names: Sequence[str]
) -> list[str] | AlignmentError:
    """What is to be made, or what is wrong with the input."""
    try:
        profile = resolved()
        wanted = _wanted(profile, names)  # before there is a store
        open_checked(profile, root, progress=progress).store.close()
    except AlignmentError as error:
        return error
    return wanted


def _wanted(profile: Profile, names: Sequence[str]) -> list[str]:
    """The recipes of those names, or all, every parent before its children."""
    trained, known = trained_names(profile), model_names(profile)
    for name in names:
        if name not in trained:
            what = "has no stages" if name in known else "is not there"
            raise ProfileError(
                f"profile {profile.name!r}: {name!r} {what}; what can be trained: "
                f"{', '.join(trained) or 'nothing'}"
            )
    if not trained:
        raise ProfileError(f"profile {profile.name!r}: nothing has stages to train")
    return [name for name in trained if name in names] if names else trained


def _told(study: Study, name: str, *, known: bool) -> str:
    key = recipe_key(study.context, name)
    manifest = study.store.manifest(key)
    if manifest is None:
        raise StoreError(f"store {study.store.root}: lost models/{key}, which was there just now")
    log = manifest["stages"][-1]["log"]
    losses = f", loss {log[0]['loss']:.3f} to {log[-1]['loss']:.3f}" if log else ""
    how = (
        "was there already"
        if known
        else f"trained in {manifest['seconds']:.1f} s by {manifest['processes']} "
        f"process{'es' * (manifest['processes'] > 1)}{losses}"
    )
    return f"{name}: {how}; models/{key}"
