"""Hashes of files. Content decides what a file is; what is trusted instead is said here.

A file of up to `SMALL` bytes is read whole every time. The hash of a larger one (weights; 0.35 s
for 500 MB) is remembered, and believed as long as all of this is as it was: where it really lies
(links followed), device, inode, size, times of modification and of change, and a sample of its
bytes: the beginning, where safetensors keeps its header, and pages all over. So no tool that
copies, unpacks or dates files goes unnoticed, nor, but for a few bytes, does a disk that gave the
same time of change twice (a clock that was set back, a file system without such a time). What can
go unnoticed is a change of few bytes in none of the sampled pages that left all times as they were:
a bit that flipped on the disk, bytes written through a memory map on a tmpfs. Whoever opens a model
therefore reads all of it (`Reading`).

A hash is remembered once the file has been left alone for a while (`SETTLED`): a clock is coarse,
and what is written through a memory map may reach the file's times half a minute late.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from alignment.errors import AlignmentError
from alignment.files.foreign import UnfitError, opened
from alignment.store.connection import transaction
from alignment.store.content import digest_file, digest_tensors
from alignment.store.database import Records

SMALL = 16 * 2**20
SETTLED = 60 * 10**9
"""Nanoseconds: longer than the resolution of any file system's clock, and than Linux keeps pages
that were written through a memory map (30 s)."""

_HEAD, _PAGE, _PAGES = 2**20, 2**12, 64


_BYTES, _TENSORS = "bytes", "tensors"
"""What of a file is hashed."""
_DIGESTS: dict[str, Callable[[BufferedReader], tuple[str, ...]]] = {
    _BYTES: lambda file: (digest_file(file),),
    _TENSORS: digest_tensors,
}


class State(NamedTuple):
    """What the file system says of a file apart from its bytes."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int


class Files(Records):
    """The part of the store that knows the hashes of files."""

    def file_hash(self, path: Path, /) -> str:
        """SHA-256 of a file's bytes, in hex: read, or remembered (see the module).

        Raises AlignmentError with one line where the file cannot be read, or changes meanwhile.
        """
        return self.hashes_of(path, _BYTES)[0][0]

    def tensor_hashes(self, path: Path, /) -> tuple[str, ...]:
        """SHA-256 of each tensor in a safetensors file, sorted; raises as `file_hash` does."""
        return self.hashes_of(path, _TENSORS)[0]

    def hashes_of(
        self, path: Path, what: str, *, anew: bool = False
    ) -> tuple[tuple[str, ...], State]:
        """The hashes of a file, and the state that it was read in; `anew` trusts no memory."""
        with _told(path):
            for _ in range(2):  # a new link or mode is a change too, of nothing that counts
                real = path.resolve()
                with opened(real) as file:
                    state = _state(os.fstat(file.fileno()))
                    trusted = not anew and state.size > SMALL
                    known = self._known(real, what, state, file) if trusted else None
                    hashes = _DIGESTS[what](file) if known is None else known
                    same = _state(os.fstat(file.fileno())) == state
                    if same and known is None and state.size > SMALL:
                        self._remember(real, what, state, file, hashes)
                if same:
                    return hashes, state
        raise AlignmentError(
            f"{path}: changed while it was read; run again when it is written completely"
        )

    def _known(
        self, path: Path, what: str, state: State, file: BufferedReader
    ) -> tuple[str, ...] | None:
        with self._plainly("read"):
            row = self._db.execute(
                "SELECT state, sample, sha256 FROM hashes WHERE path = ? AND what = ?",
                (_name(path), what),
            ).fetchone()
        if row is None or row[0] != _text(state) or row[1] != _sample(file, state.size):
            return None
        return tuple(str(row[2]).split())

    def _remember(
        self, path: Path, what: str, state: State, file: BufferedReader, hashes: tuple[str, ...]
    ) -> None:
        row = (_name(path), what, _text(state), _sample(file, state.size), " ".join(hashes))
        # A time to come says that a clock was set back: then no time of this file says anything.
        settled = time.time_ns() - max(state.modified, state.changed) > SETTLED
        with self._plainly("written"), transaction(self._db):
            self._db.execute("DELETE FROM hashes WHERE path = ? AND what = ?", row[:2])
            if settled:
                self._db.execute("INSERT INTO hashes VALUES (?, ?, ?, ?, ?)", row)


class Reading:
    """Hashes files by reading each, and can tell afterwards whether one has changed since."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._states: dict[Path, State] = {}

    def file_hash(self, path: Path, /) -> str:
        """SHA-256 of a file's bytes, in hex. Raises AlignmentError."""
        return self._read(path, _BYTES)[0]

    def tensor_hashes(self, path: Path, /) -> tuple[str, ...]:
        """SHA-256 of each tensor in a safetensors file, sorted. Raises AlignmentError."""
        return self._read(path, _TENSORS)

    def _read(self, path: Path, what: str) -> tuple[str, ...]:
        hashes, self._states[path] = self._files.hashes_of(path, what, anew=True)
        return hashes

    def changed(self) -> Path | None:
        """A file that is no longer the one that was read."""
        return next((path for path, state in self._states.items() if _now(path) != state), None)


def _now(path: Path) -> State | None:
    try:
        return _state(path.stat())
    except OSError:
        return None


def _state(found: os.stat_result) -> State:
    return State(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _text(state: State) -> str:
    return ":".join(map(str, state))


def _name(path: Path) -> str:
    return ascii(str(path))  # a path need not be Unicode, and SQLite's text must


def _sample(file: BufferedReader, size: int) -> str:
    """A hash of the beginning, the end, and pages at equal distances."""
    digest = hashlib.sha256(os.pread(file.fileno(), _HEAD, 0))
    for number in range(1, _PAGES + 1):
        digest.update(os.pread(file.fileno(), _PAGE, max(0, size - _PAGE) * number // _PAGES))
    return digest.hexdigest()


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except UnfitError as error:
        raise AlignmentError(f"{path}: {error}") from error
    except (OSError, RuntimeError) as error:  # of a circle of links, RuntimeError
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise AlignmentError(f"{path}: cannot be read: {reason}") from error
