"""Writes single files: replaces one, or adds files that do not exist yet."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from alignment.files import rooms
from alignment.files.journals import NEW


def write_file(path: Path, content: rooms.Content) -> None:
    """Write a file in one step: at any moment it is completely the old one or the new one.

    An existing file keeps its permissions; a link is kept, and the file that it leads to is
    replaced. Raises OSError; then nothing was changed.
    """
    path = Path(os.path.realpath(path))
    with rooms.named(path), rooms.room(path.parent) as room:
        rooms.write_new(room / NEW, content)
        with suppress(FileNotFoundError):
            (room / NEW).chmod(stat.S_IMODE(path.stat().st_mode))
        (room / NEW).replace(path)
        with suppress(OSError):  # the file has been replaced, and that cannot be undone
            rooms.flush(path.parent)


def add_files(folder: Path, texts: Mapping[str, str]) -> list[str]:
    """Write files (name in `folder` -> text) that do not exist yet, and return their names.

    A broken link counts as existing. Each file appears in one step. Raises OSError; then none of
    them was added.
    """
    added: list[str] = []
    with ExitStack() as parents:
        try:
            for name, text in texts.items():
                parents.enter_context(rooms.parents((folder / name).parent))
                if _add(folder / name, text):
                    added.append(name)
        except BaseException:
            for name in added:
                with suppress(OSError):
                    (folder / name).unlink()
            raise
    return added


def _add(path: Path, text: str) -> bool:
    """Write a file that does not exist yet; whether it was written."""
    rooms.sweep(path.parent)
    if os.path.lexists(path):
        return False
    with rooms.named(path), rooms.room(path.parent) as room:
        rooms.write_new(room / NEW, [text])
        try:
            os.link(room / NEW, path)  # unlike a rename, a link never replaces a file
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            if os.path.lexists(path):
                return False
            (room / NEW).rename(path)
    return True
