"""A set of files in a folder, replaced in one step.

The folder with the new files is made beside the one that is there, gets a second name (a hard link)
of everything that stays, and the two are exchanged by one system call. Whoever looks, at any
moment and after a kill at any, finds the old set or the new one, whole.

Where folders cannot be exchanged the files are moved: those of the old set out, then the new ones
in, by a journal that the next run undoes if it was not finished. Old and new are never mixed; the
last file of the set, which goes first and comes last, says that all are there. That is so where the
folder is a mount point, where it is the current folder or holds what cannot have a second name
(another file system's, or very much), where its owner would change, and where the kernel or the
file system knows no exchange (NFS).
"""

from __future__ import annotations

import ctypes
import errno
import filecmp
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from alignment.files import rooms
from alignment.files.access import private_folder
from alignment.files.journals import MOVES, NEW, OLD, SWAP, Journal, move

_MOST = 1000
"""Files of others that get a second name; a folder with more is no report's own."""

_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS


@contextmanager
def replacing(folder: Path, *, private: bool = False) -> Iterator[Replacement]:
    """Gives a set of files to fill and to `commit`; a folder that is not there yet is made.

    When anything is raised within, whatever was committed is taken back, and all is as it was.
    `private`: a new folder is for its owner only (see `files.access`). Raises OSError.
    """
    folder = Path(os.path.realpath(folder))
    recover(folder)
    with rooms.named(folder), rooms.parents(folder.parent), rooms.room(_beside(folder)) as room:
        new = Replacement(folder, room)
        (private_folder if private else Path.mkdir)(room / NEW)
        try:
            yield new
        except BaseException:
            with suppress(OSError):
                new.take_back()
            raise


def recover(folder: Path) -> None:
    """Finish or undo what killed processes were about to do with a folder's files."""
    folder = Path(os.path.realpath(folder))
    for place in (folder.parent, folder):
        rooms.sweep(place)


class Replacement:
    """The new files of a folder, not in it before `commit`. Methods raise OSError."""

    def __init__(self, folder: Path, room: Path) -> None:
        self.folder, self._room, self._new = folder, room, room / NEW
        self._names: list[str] = []
        self._done = ""
        self._carried: dict[str, int] = {}

    def write(self, name: str, content: rooms.Content) -> None:
        """Make a file. The one that is made last says that the set is whole."""
        path = self._new / name
        try:
            if path.parent != self._new:
                path.parent.mkdir(parents=True, exist_ok=True)
            rooms.write_new(path, content)
        except OSError as error:  # by the name that means something to the reader
            raise OSError(error.errno, error.strerror, str(self.folder / name)) from error
        self._names.append(name)

    def is_as_before(self, name: str) -> bool:
        """Whether a file that was made has the bytes of the one that it replaces."""
        before = self.folder / name
        return before.is_file() and filecmp.cmp(before, self._new / name, shallow=False)

    def commit(self, gone: Iterable[str] = ()) -> None:
        """Put the files into the folder, and remove those that are `gone`, in one step."""
        if not self._names:
            return
        for name in self._names:
            self._require_room(name)
        if not os.path.lexists(self.folder):
            self._flush()
            self._new.rename(self.folder)
            self._done = NEW
        else:
            every = list(dict.fromkeys((*reversed(self._names), *gone)))
            if not self._exchanged(every):
                self._move([name for name in every if os.path.lexists(self.folder / name)])
        rooms.flush(self.folder.parent)

    def take_back(self) -> None:
        """Undo `commit`; what is left to do then, the room's journal says."""
        if self._done == NEW:
            self.folder.rename(self._new)
        elif self._done == SWAP:
            _exchange(self._new, self.folder)
        elif self._done == MOVES:
            move(self.folder / self._names[-1], self._new / self._names[-1])
        self._done = ""

    def _require_room(self, name: str) -> None:
        path = self.folder / name
        if path.is_dir() and not path.is_symlink():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        while (path := path.parent) != self.folder.parent:
            if os.path.lexists(path) and not path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
            if path.is_dir() and not os.access(path, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    def _flush(self) -> None:
        for place, _, _ in os.walk(self._new):
            rooms.flush(Path(place))

    # -- by an exchange --------------------------------------------------------------------------

    def _exchanged(self, ours: list[str]) -> bool:
        """Whether the folders could be exchanged."""
        try:
            if self._room.parent.parent == self.folder or Path.cwd().is_relative_to(self.folder):
                return False
            self._carry("", set(ours))
            self._note(SWAP, Journal(self.folder.name, self._names, ours, self._carried))
            self._flush()
            _exchange(self._new, self.folder)
        except OSError:
            return False
        self._done = SWAP
        return True

    def _carry(self, within: str, ours: set[str]) -> None:
        """Give everything of others a second name in the new folder."""
        before, after = self.folder / within, self._new / within
        for path in before.iterdir():
            name = str(Path(within, path.name))
            if path.is_dir() and not path.is_symlink():
                self._carried[name] = path.stat().st_ino
                self._carry_folder(path, after / path.name, name, ours)
            elif name not in ours:
                self._carried[name] = path.lstat().st_ino
                os.link(path, after / path.name, follow_symlinks=False)
            if len(self._carried) > _MOST:
                raise OSError(errno.E2BIG, os.strerror(errno.E2BIG), str(self.folder))
        _resemble(after, before)

    def _carry_folder(self, before: Path, after: Path, name: str, ours: set[str]) -> None:
        if _is_mount(before):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(before))
        after.mkdir(exist_ok=True)
        self._carry(name, ours)
        if any(before.iterdir()) and not any(after.iterdir()):
            after.rmdir()  # all that was in it was ours

    # -- by moves --------------------------------------------------------------------------------

    def _move(self, there: list[str]) -> None:
        with suppress(FileNotFoundError):
            (self._room / SWAP).unlink()
        beside = self._room.parent.parent
        folder = os.path.relpath(self.folder, beside)
        self._note(MOVES, Journal(folder, self._names, there))
        for name in there:
            move(self.folder / name, self._room / OLD / name)
        for name in self._names:
            move(self._new / name, self.folder / name)
        self._done = MOVES
        for place in {(self.folder / name).parent for name in (*there, *self._names)}:
            if place != self.folder and place.is_dir() and not any(place.iterdir()):
                place.rmdir()
        rooms.flush(self.folder)

    def _note(self, kind: str, journal: Journal) -> None:
        rooms.write_new(self._room / kind, [journal.text()])
        rooms.flush(self._room)


def _resemble(new: Path, folder: Path) -> None:
    """Give a new folder the owner and permissions of the one that it replaces."""
    state, own = folder.stat(), new.stat()
    if (state.st_uid, state.st_gid) != (own.st_uid, own.st_gid):
        os.chown(new, state.st_uid, state.st_gid)
    shutil.copystat(folder, new)


def _exchange(one: Path, other: Path) -> None:
    """Let two folders of a file system change places. Raises OSError where that is not known."""
    library = ctypes.CDLL(None, use_errno=True)
    first, second = os.fsencode(one), os.fsencode(other)
    try:
        if sys.platform == "darwin":
            failed = library.renamex_np(first, second, _EXCHANGE)
        else:
            failed = library.renameat2(_HERE, first, _HERE, second, _EXCHANGE)
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    if failed:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(other))


# -- where ---------------------------------------------------------------------------------------


def _beside(folder: Path) -> Path:
    """Where a room for a folder's files can be: next to it, or else in it."""
    if folder.is_dir() and (_is_mount(folder) or not os.access(folder.parent, os.W_OK | os.X_OK)):
        return folder
    return folder.parent


def _is_mount(folder: Path) -> bool:
    """Whether another file system begins here, or a part of the same one that is mounted again."""
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return folder.is_mount()
    escaped = os.fsencode(folder).replace(b"\\", b"\\134").replace(b" ", b"\\040")
    return any(line.split(b" ")[4] == escaped for line in mounts)
