"""What a room is for, written down before it is done: enough to finish or to undo it.

A room may hold two journals. That of a swap says what may be removed from the folder `new` in the
room, which is the one that was made or the one that it has replaced: the files of ours, and second
names of others' files. That of moves says which files were to be moved out of the folder and which
into it; until the last of them is there, the moves are undone.
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
    """A swap or moves. Names are relative to the folder, which is named from the room's own."""

    folder: str
    place: Sequence[str]
    """What is new; the last of them says that all are there."""
    withdraw: Sequence[str]
    """What is replaced or removed; the first of them is the last one's predecessor."""
    carried: dict[str, int] = field(default_factory=dict)
    """Others' files that have a second name in the new folder, with their inodes."""

    def text(self) -> str:
        """As it is written."""
        return json.dumps(asdict(self))


def read(path: Path) -> Journal | None:
    """A journal; None where there is none, or one that was never finished: nothing was begun."""
    try:
        found = Journal(**read_json(path))
        names = [found.folder, *found.place, *found.withdraw, *dict(found.carried)]
        paths = [PurePath(name) for name in names]
    except (UnfitError, TypeError, ValueError):
        return None
    inside = not any(p.is_absolute() or ".." in p.parts or "\0" in str(p) for p in paths)
    return found if inside and found.place else None


def carry_out(room: Path, beside: Path) -> None:
    """Finish or undo what the journals in a room speak of. Raises OSError; may be repeated."""
    if swap := read(room / SWAP):
        _discard(room / NEW, beside / swap.folder, swap)
        (room / SWAP).unlink()
    if moves := read(room / MOVES):
        if (room / NEW / moves.place[-1]).exists():
            _undo(room, beside / moves.folder, moves)
        (room / MOVES).unlink()


def _discard(left: Path, folder: Path, journal: Journal) -> None:
    """Remove a folder; what others have put into it since goes where the rest of theirs is."""
    ours = {*journal.place, *journal.withdraw}
    for place, folders, files in os.walk(left, topdown=False):
        here = Path(place)
        links = [name for name in folders if (here / name).is_symlink()]
        for path in (here / name for name in (*files, *links)):
            name = str(path.relative_to(left))
            if name in ours or path.lstat().st_ino == journal.carried.get(name):
                path.unlink()
            else:
                move(path, folder / name)
        here.rmdir()


def _undo(room: Path, folder: Path, journal: Journal) -> None:
    """Each step back, the last first; those that were not made or are undone already are known."""
    for name in reversed(journal.place):
        if not os.path.lexists(room / NEW / name):
            move(folder / name, room / NEW / name)
    for name in reversed(journal.withdraw):
        if os.path.lexists(room / OLD / name):
            move(room / OLD / name, folder / name)


def move(source: Path, target: Path) -> None:
    """Rename a file, into a folder that is made if need be."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
