"""Hashes of files, and when a stored hash is trusted.

A file of up to `SMALL` bytes is read completely every time. The hash of a larger one (weights;
0.35 s for 500 MB) is stored, and trusted as long as all of this is unchanged: its real path (links
followed), device, inode, size, times of modification and of change, and a sample of its bytes: the
beginning, with the header of safetensors, and pages from all over the file. So changes by tools
that copy, unpack or date files are noticed, and so are, but for a few bytes, changes where the time
of change is no help (a clock that was set back, a file system without such a time). A change is not
noticed if it is in no sampled page and leaves all times as they were: a bit that flipped on the
disk, or bytes that were written through a memory map on a tmpfs. Therefore all of a model is read
when it is opened (`Reading`).

A hash is stored only when the file has not been changed for a while (`SETTLED`), because clocks are
coarse, and a write through a memory map may change the file's times half a minute later.
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
"""Nanoseconds: longer than the resolution of any file system's clock, and than the 30 s after which
Linux writes back pages that were changed through a memory map."""

_HEAD, _PAGE, _PAGES = 2**20, 2**12, 64


_BYTES, _TENSORS = "bytes", "tensors"
"""What of a file is hashed: all bytes, or each tensor."""
_DIGESTS: dict[str, Callable[[BufferedReader], tuple[str, ...]]] = {
    _BYTES: lambda file: (digest_file(file),),
    _TENSORS: digest_tensors,
}


class State(NamedTuple):
    """A file's identity, size and times, as the file system has them; times in nanoseconds."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int


class Files(Records):
    """The part of the store that knows the hashes of files."""

    def file_hash(self, path: Path, /) -> str:
        """SHA-256 of a file's bytes, in hex: computed, or a stored one (see the module).

        Raises AlignmentError with one line where the file cannot be read, or changes meanwhile.
        """
        return self.hashes_of(path, _BYTES)[0][0]

    def tensor_hashes(self, path: Path, /) -> tuple[str, ...]:
        """SHA-256 of each tensor in a safetensors file, sorted; raises as `file_hash` does."""
        return self.hashes_of(path, _TENSORS)[0]

    def hashes_of(
        self, path: Path, part: str, *, anew: bool = False
    ) -> tuple[tuple[str, ...], State]:
        """The hashes of a file, and the state in which it was read.

        `part` is `bytes` or `tensors`; `anew` trusts no stored hash. Raises AlignmentError.
        """
        with _plain_errors(path):
            for _ in range(2):  # a second attempt, as a new link or mode changes a time, too
                real = path.resolve()
                with opened(real) as file:
                    state = _state(os.fstat(file.fileno()))
                    trusted = not anew and state.size > SMALL
                    stored = self._recall(real, part, state, file) if trusted else None
                    hashes = _DIGESTS[part](file) if stored is None else stored
                    same = _state(os.fstat(file.fileno())) == state
                    if same and stored is None and state.size > SMALL:
                        self._remember(real, part, state, file, hashes)
                if same:
                    return hashes, state
        raise AlignmentError(
            f"{path}: changed while it was read; run again when it is written completely"
        )

    def _recall(
        self, path: Path, part: str, state: State, file: BufferedReader
    ) -> tuple[str, ...] | None:
        with self._explain_errors("read"):
            row = self._db.execute(
                "SELECT state, sample, sha256 FROM hashes WHERE path = ? AND what = ?",
                (_name(path), part),
            ).fetchone()
        if row is None or row[0] != _text(state) or row[1] != _sample(file, state.size):
            return None
        return tuple(str(row[2]).split())

    def _remember(
        self, path: Path, part: str, state: State, file: BufferedReader, hashes: tuple[str, ...]
    ) -> None:
        row = (_name(path), part, _text(state), _sample(file, state.size), " ".join(hashes))
        # A time in the future means that a clock was set back: then the file's times mean nothing.
        settled = time.time_ns() - max(state.modified, state.changed) > SETTLED
        with self._explain_errors("written"), transaction(self._db):
            self._db.execute("DELETE FROM hashes WHERE path = ? AND what = ?", row[:2])
            if settled:
                self._db.execute("INSERT INTO hashes VALUES (?, ?, ?, ?, ?)", row)


class Reading:
    """A `Hasher` that reads every file, and notices files that have changed since then."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._states: dict[Path, State] = {}

    def file_hash(self, path: Path, /) -> str:
        """SHA-256 of a file's bytes, in hex. Raises AlignmentError."""
        return self._read(path, _BYTES)[0]

    def tensor_hashes(self, path: Path, /) -> tuple[str, ...]:
        """SHA-256 of each tensor in a safetensors file, sorted. Raises AlignmentError."""
        return self._read(path, _TENSORS)

    def _read(self, path: Path, part: str) -> tuple[str, ...]:
        hashes, self._states[path] = self._files.hashes_of(path, part, anew=True)
        return hashes

    def changed(self) -> Path | None:
        """The first file that has changed since it was read; None if there is none."""
        states = self._states.items()
        return next((path for path, state in states if _current_state(path) != state), None)


def _current_state(path: Path) -> State | None:
    try:
        return _state(path.stat())
    except OSError:
        return None


def _state(stat: os.stat_result) -> State:
    return State(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


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
def _plain_errors(path: Path) -> Iterator[None]:
    """Turn errors about a file into an AlignmentError of one line."""
    try:
        yield
    except UnfitError as error:
        raise AlignmentError(f"{path}: {error}") from error
    except (OSError, RuntimeError) as error:  # RuntimeError for a circle of links
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise AlignmentError(f"{path}: cannot be read: {reason}") from error
