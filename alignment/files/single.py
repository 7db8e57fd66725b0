"""Files one at a time: one replaced, or some added where nothing is."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from alignment.files import rooms
from alignment.files.journals import NEW


def write_file(path: Path, content: rooms.Content) -> None:
    """Write a file in one step: it is the old one or the new one, whole, at any moment.

    One that is there keeps its permissions, a link stays a link. Raises OSError; all is then as it
    was.
    """
    path = Path(os.path.realpath(path))
    with rooms.named(path), rooms.room(path.parent) as room:
        rooms.write_new(room / NEW, content)
        with suppress(FileNotFoundError):
            (room / NEW).chmod(stat.S_IMODE(path.stat().st_mode))
        (room / NEW).replace(path)
        with suppress(OSError):  # it is there, and cannot be taken back
            rooms.flush(path.parent)


def add_files(folder: Path, texts: Mapping[str, str]) -> list[str]:
    """Write those files (name in `folder` -> text) of whose names nothing is there; their names.

    Something is a dead link too. Each file appears in one step. Raises OSError; none of them is
    then there.
    """
    added: list[str] = []
    with ExitStack() as made:
        try:
            for name, text in texts.items():
                made.enter_context(rooms.parents((folder / name).parent))
                if _added(folder / name, text):
                    added.append(name)
        except BaseException:
            for name in added:
                with suppress(OSError):
                    (folder / name).unlink()
            raise
    return added


def _added(path: Path, text: str) -> bool:
    rooms.sweep(path.parent)
    if os.path.lexists(path):
        return False
    with rooms.named(path), rooms.room(path.parent) as room:
        rooms.write_new(room / NEW, [text])
        try:
            os.link(room / NEW, path)  # unlike a rename it refuses to replace
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            if os.path.lexists(path):
                return False
            (room / NEW).rename(path)
    return True
