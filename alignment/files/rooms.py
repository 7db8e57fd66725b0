"""Rooms: hidden folders in which files are made before they get their place.

A room lies on the file system of its files, beside the folder that they are for. What is in it lies
below a folder called `.git`: git never adds such a path, whatever it is asked, and no moment exists
in which a `.gitignore` is there but still empty. Its maker holds a lock on it, which ends with the
process: a room that nobody holds was left by one that was killed, and whoever makes the next one
there, or asks for it with `sweep`, finishes or undoes what it was for and removes it.
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
"""Seconds after which a room is nobody's, where the file system knows no locks."""


@contextmanager
def room(beside: Path) -> Iterator[Path]:
    """A new room in the folder `beside`: the place in it for files. Raises OSError.

    In the end its journals are carried out, as they are for a room of someone who was killed.
    """
    sweep(beside)
    path, lock = _begun(beside)
    try:
        (path / _HIDDEN).mkdir(0o700)
        yield path / _HIDDEN
    finally:
        for _ in range(2):  # a refusal may be for once
            with suppress(OSError):
                _ended(path)
        os.close(lock)


def sweep(folder: Path) -> None:
    """Finish or undo what killed processes left in a folder. What is refused stays for the next."""
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - most are not looked at
            if name.startswith(PREFIX) and not (folder / name).is_symlink():
                with suppress(OSError):
                    _swept(folder / name)


def _begun(beside: Path) -> tuple[Path, int]:
    while True:  # until nobody swept it before it was locked
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=beside))
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        except OSError:
            with suppress(OSError):
                path.rmdir()
            raise
        if _held(lock) is not False and path.is_dir():
            return path, lock
        os.close(lock)


def _swept(path: Path) -> None:
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        held = _held(lock)
        if held or (held is None and time.time() - os.fstat(lock).st_mtime > _ABANDONED):
            _ended(path)
    finally:
        os.close(lock)


def _held(lock: int) -> bool | None:
    """Whether the lock is ours now; None where the file system knows no locks."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno == errno.EWOULDBLOCK else None
    return True


def _ended(path: Path) -> None:
    if path.is_dir():
        journals.carry_out(path / _HIDDEN, path.parent)
        shutil.rmtree(path)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """An error about a file in a room is about `path`, as far as anybody needs to know."""
    try:
        yield
    except OSError as error:
        if PREFIX in os.fsdecode(error.filename or PREFIX):
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise


@contextmanager
def parents(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; they go again when anything is raised within."""
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


# -- what is done in them ----------------------------------------------------------------------


def write_new(path: Path, content: Content) -> None:
    """Write a file that is not there yet, and see it to the disk. Raises OSError."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        for chunk in _chunks(content):
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(file, rest) :]
        os.fsync(file)
    finally:
        os.close(file)


def _chunks(content: Content) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    gathered = bytearray()
    for piece in content:
        gathered += piece.encode()
        if len(gathered) >= _CHUNK:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)


def flush(folder: Path) -> None:
    """See a folder's entries to the disk, where its file system can. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
