"""Rooms: temporary hidden folders in which files are written before they are moved to their places.

A room is on the file system of the final files, beside their folder. Its content is below a folder
called `.git`: git never adds such a path (a `.gitignore` would be empty for a moment). The process
that makes a room holds a lock on it, which ends with the process. A room without a lock was left by
a killed process: the next `room` or `sweep` in the same folder finishes or undoes what its journals
list, and removes it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from alignment.files import journals

Content = bytes | Iterable[str]
"""A file's content: bytes, or pieces of a text in UTF-8."""

PREFIX = ".alignment-draft-"
_HIDDEN = ".git"
_CHUNK = 1 << 18
_ABANDONED = 86400.0
"""Seconds after which a room counts as abandoned, on a file system without locks."""


@contextmanager
def room(beside: Path) -> Iterator[Path]:
    """A new room in the folder `beside`; yields the folder for files in it. Raises OSError.

    At the end, what its journals list is finished or undone, as after a process was killed.
    """
    sweep(beside)
    path, lock = _make(beside)
    try:
        (path / _HIDDEN).mkdir(0o700)
        yield path / _HIDDEN
    finally:
        for _ in range(2):  # an error may be temporary
            with suppress(OSError):
                _finish(path)
        os.close(lock)


def sweep(folder: Path) -> None:
    """Finish or undo what killed processes left in a folder; errors are left to the next call."""
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - most names are skipped
            if name.startswith(PREFIX) and not (folder / name).is_symlink():
                with suppress(OSError):
                    _sweep_room(folder / name)


def _make(beside: Path) -> tuple[Path, int]:
    while True:  # again, if another process removed the room before it was locked
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=beside))
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        except OSError:
            with suppress(OSError):
                path.rmdir()
            raise
        if _acquire(lock) is not False and path.is_dir():
            return path, lock
        os.close(lock)


def _sweep_room(path: Path) -> None:
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        acquired = _acquire(lock)
        age = time.time() - os.fstat(lock).st_mtime
        if acquired or (acquired is None and age > _ABANDONED):
            _finish(path)
    finally:
        os.close(lock)


def _acquire(lock: int) -> bool | None:
    """Take a lock without waiting: whether it succeeded; None on a file system without locks."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno == errno.EWOULDBLOCK else None
    return True


def _finish(path: Path) -> None:
    if path.is_dir():
        journals.carry_out(path / _HIDDEN, path.parent)
        shutil.rmtree(path)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Errors about files in a room become errors about `path`, which the user knows."""
    try:
        yield
    except OSError as error:
        if PREFIX in os.fsdecode(error.filename or PREFIX):
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise


@contextmanager
def parents(folder: Path) -> Iterator[None]:
    """Make a folder and its parents; those that were made are removed if the block raises."""
    missing = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    try:
        for each in reversed(missing):
            with suppress(FileExistsError):  # somebody else was faster
                each.mkdir()
        yield
    except BaseException:
        for each in missing:
            with suppress(OSError):
                each.rmdir()
        raise


# -- writing -----------------------------------------------------------------------------------


def write_new(path: Path, content: Content) -> None:
    """Write a new file and flush it to the disk. Raises OSError, also if the file exists."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        for chunk in _split(content):
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(file, rest) :]
        os.fsync(file)
    finally:
        os.close(file)


def _split(content: Content) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    buffer = bytearray()
    for piece in content:
        buffer += piece.encode()
        if len(buffer) >= _CHUNK:
            yield bytes(buffer)
            buffer.clear()
    yield bytes(buffer)


def flush(folder: Path) -> None:
    """Flush a folder's entries to the disk, if its file system can do that. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
