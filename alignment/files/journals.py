"""Journals of what is about to be done with the files of a room, to finish or to undo it.

A room (`alignment.files.rooms`) may have two journals:

- `swap`: two folders are exchanged. After that, `new` in the room is the old folder. The journal
  lists what may be removed from it: our files, and hard links to files of others.
- `moves`: files are moved out of the folder, and new ones into it. The journal lists both; as long
  as the last new file is not in the folder, all moves are undone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath

from alignment.files.foreign import UnfitError, read_json

SWAP, MOVES = "swap", "moves"
NEW, OLD = "new", "old"


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal of a swap or of moves.

    `folder` is relative to the folder in which the room is; other names are relative to `folder`.
    """

    folder: str
    place: Sequence[str]
    """New files; when the last of them is in its place, all are."""
    withdraw: Sequence[str]
    """Files that are replaced or removed; the first is the one that the last new file replaces."""
    carried: dict[str, int] = field(default_factory=dict)
    """Files of others with a hard link in the new folder -> their inodes."""

    def text(self) -> str:
        """The JSON text of the journal."""
        return json.dumps(asdict(self))


def read(path: Path) -> Journal | None:
    """A journal; None where there is none, or an incomplete one: then nothing was done yet."""
    try:
        journal = Journal(**read_json(path))
        names = [journal.folder, *journal.place, *journal.withdraw, *dict(journal.carried)]
        paths = [PurePath(name) for name in names]
    except (UnfitError, TypeError, ValueError):
        return None
    inside = not any(p.is_absolute() or ".." in p.parts or "\0" in str(p) for p in paths)
    return journal if inside and journal.place else None


def carry_out(room: Path, beside: Path) -> None:
    """Finish or undo what the journals of a room list. Raises OSError; may be repeated.

    `beside` is the folder in which the room is.
    """
    if swap := read(room / SWAP):
        _discard(room / NEW, beside / swap.folder, swap)
        (room / SWAP).unlink()
    if moves := read(room / MOVES):
        if (room / NEW / moves.place[-1]).exists():
            _undo(room, beside / moves.folder, moves)
        (room / MOVES).unlink()


def _discard(old: Path, folder: Path, journal: Journal) -> None:
    """Remove the `old` folder; files that others have added to it are moved to the new `folder`."""
    ours = {*journal.place, *journal.withdraw}
    for parent, folders, files in os.walk(old, topdown=False):
        current = Path(parent)
        links = [name for name in folders if (current / name).is_symlink()]
        for path in (current / name for name in (*files, *links)):
            name = str(path.relative_to(old))
            if name in ours or path.lstat().st_ino == journal.carried.get(name):
                path.unlink()
            else:
                move(path, folder / name)
        current.rmdir()


def _undo(room: Path, folder: Path, journal: Journal) -> None:
    """Undo moves in reverse order; those that were not made, or were undone, are skipped."""
    for name in reversed(journal.place):
        if not os.path.lexists(room / NEW / name):
            move(folder / name, room / NEW / name)
    for name in reversed(journal.withdraw):
        if os.path.lexists(room / OLD / name):
            move(room / OLD / name, folder / name)


def move(source: Path, target: Path) -> None:
    """Move a file by renaming it; the target's folder is made if need be. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
