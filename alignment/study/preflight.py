"""Checks of a profile's input, all made before the run and without torch."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from alignment.config.profile import Profile
from alignment.errors import ProfileError
from alignment.files.foreign import is_there
from alignment.progress import Progress
from alignment.prompts import sources
from alignment.store import FILE, Store, in_memory
from alignment.study.study import Study
from alignment.training.context import JUDGE, second, trained_names


def open_checked(
    profile: Profile, root: Path, *, progress: Progress, limit: int | None = None
) -> Study:
    """The study of a profile over the store at `root`, after its input was checked.

    The store is created only after all checks: bad input leaves no files behind. Raises
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
    """Check every model folder, file and argument that the profile names.

    Creating the study has already selected prompts and read recorded files. Raises AlignmentError
    with one line.
    """
    profile = study.profile
    _check_dimensions(study)
    # A judge that only reads recorded scores is checked first: it names variants without any.
    judges = [study.judge(name) for name in (JUDGE, *map(second, profile.judges))]
    for judge in judges:
        if not judge.asks:
            judge.check()
    for variant in profile.variants:
        study.policy(variant).check()
    for judge in judges:
        if judge.asks:
            judge.check()
    if trained_names(profile):
        for axis, source in profile.training.sources.items():
            sources.check(source, data=study.data.folder, axis=axis)


def _check_dimensions(study: Study) -> None:
    """Every criterion must be about a dimension that the judge gives."""
    profile, dimensions = study.profile, study.judge().dimensions
    for name, axis in profile.axes.items():
        if axis.dimension not in dimensions:
            raise ProfileError(
                f"profile {profile.name!r}: axes.{name}.dimension: the judge gives "
                f"{', '.join(map(repr, dimensions))}, not {axis.dimension!r}"
            )


class Draft(Store):
    """An in-memory stand-in for a store that does not exist yet."""

    def _open(self) -> sqlite3.Connection:
        return in_memory()

    def hand_over(self) -> None:
        """Copy all entries into the store, which must exist by now."""
        with self._explain_errors("written"):
            self._db.execute("ATTACH ? AS there", (str(self.root / FILE),))
            for table in ("entries", "hashes"):
                self._db.execute(f"INSERT OR IGNORE INTO there.{table} SELECT * FROM main.{table}")  # noqa: S608
            self._db.execute("DETACH there")
