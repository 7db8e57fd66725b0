"""Replaces a set of files in a folder in one step.

A new folder is made beside the existing one, with the new files and hard links to all other files;
then one system call exchanges the two folders. At any moment, even after a kill, the folder has
either the complete old set or the complete new one.

Where folders cannot be exchanged, the old files are moved out and then the new ones in, with a
journal by which the next run undoes an unfinished replacement. Old and new files are never mixed.
The last file of the set is moved out first and in last: if it is there, the set is complete. This
way is used where the folder is a mount point or the current folder, has other file systems or very
many files in it, where its owner would change, and where the kernel or the file system has no such
exchange (NFS).
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
"""Files and folders of others, at most, in a folder that is exchanged."""

_CURRENT_FOLDER = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS


@contextmanager
def replacing(folder: Path, *, private: bool = False) -> Iterator[Replacement]:
    """A `Replacement` to write files to and to `commit`; a missing folder is made.

    If the block raises, the replacement is undone, even after `commit`. `private`: a new folder is
    accessible to its owner only (see `alignment.files.access`). Raises OSError.
    """
    folder = Path(os.path.realpath(folder))
    recover(folder)
    with rooms.named(folder), rooms.parents(folder.parent), rooms.room(_beside(folder)) as room:
        replacement = Replacement(folder, room)
        (private_folder if private else Path.mkdir)(room / NEW)
        try:
            yield replacement
        except BaseException:
            with suppress(OSError):
                replacement.take_back()
            raise


def recover(folder: Path) -> None:
    """Finish or undo replacements of a folder's files by processes that were killed."""
    folder = Path(os.path.realpath(folder))
    for place in (folder.parent, folder):
        rooms.sweep(place)


class Replacement:
    """New files for a folder, which are in it only after `commit`. Methods raise OSError."""

    def __init__(self, folder: Path, room: Path) -> None:
        self.folder, self._room, self._new = folder, room, room / NEW
        self._names: list[str] = []
        self._done = ""
        self._carried: dict[str, int] = {}

    def write(self, name: str, content: rooms.Content) -> None:
        """Write a file of the set. The last one shows that the set is complete."""
        path = self._new / name
        try:
            if path.parent != self._new:
                path.parent.mkdir(parents=True, exist_ok=True)
            rooms.write_new(path, content)
        except OSError as error:  # with the final name instead of that in the room
            raise OSError(error.errno, error.strerror, str(self.folder / name)) from error
        self._names.append(name)

    def is_as_before(self, name: str) -> bool:
        """Whether a new file has the same bytes as the one that it replaces."""
        old = self.folder / name
        return old.is_file() and filecmp.cmp(old, self._new / name, shallow=False)

    def commit(self, gone: Iterable[str] = ()) -> None:
        """Put the files into the folder, and remove those named in `gone`, in one step."""
        if not self._names:
            return
        for name in self._names:
            self._require_room(name)
        if not os.path.lexists(self.folder):
            self._flush()
            self._new.rename(self.folder)
            self._done = NEW
        else:
            ours = list(dict.fromkeys((*reversed(self._names), *gone)))
            if not self._try_exchange(ours):
                self._move([name for name in ours if os.path.lexists(self.folder / name)])
        rooms.flush(self.folder.parent)

    def take_back(self) -> None:
        """Undo `commit`; the rest is done by the room's journal when the room is closed."""
        if self._done == NEW:
            self.folder.rename(self._new)
        elif self._done == SWAP:
            _exchange(self._new, self.folder)
        elif self._done == MOVES:
            move(self.folder / self._names[-1], self._new / self._names[-1])
        self._done = ""

    def _require_room(self, name: str) -> None:
        """Raise OSError where a file cannot be put into the folder under this name."""
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

    def _try_exchange(self, ours: list[str]) -> bool:
        """Exchange the folders, if possible; whether they were exchanged."""
        try:
            if self._room.parent.parent == self.folder or Path.cwd().is_relative_to(self.folder):
                return False
            self._link_others("", set(ours))
            self._write_journal(SWAP, Journal(self.folder.name, self._names, ours, self._carried))
            self._flush()
            _exchange(self._new, self.folder)
        except OSError:
            return False
        self._done = SWAP
        return True

    def _link_others(self, subfolder: str, ours: set[str]) -> None:
        """Make hard links in the new folder to all files of others."""
        old, new = self.folder / subfolder, self._new / subfolder
        for path in old.iterdir():
            name = str(Path(subfolder, path.name))
            if path.is_dir() and not path.is_symlink():
                self._carried[name] = path.stat().st_ino
                self._link_folder(path, new / path.name, name, ours)
            elif name not in ours:
                self._carried[name] = path.lstat().st_ino
                os.link(path, new / path.name, follow_symlinks=False)
            if len(self._carried) > _MOST:
                raise OSError(errno.E2BIG, os.strerror(errno.E2BIG), str(self.folder))
        _copy_permissions(old, new)

    def _link_folder(self, old: Path, new: Path, name: str, ours: set[str]) -> None:
        if _is_mount(old):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(old))
        new.mkdir(exist_ok=True)
        self._link_others(name, ours)
        if any(old.iterdir()) and not any(new.iterdir()):
            new.rmdir()  # it had only files of ours

    # -- by moves --------------------------------------------------------------------------------

    def _move(self, old_names: list[str]) -> None:
        """Move the old files out of the folder, and the new ones in."""
        with suppress(FileNotFoundError):
            (self._room / SWAP).unlink()
        beside = self._room.parent.parent
        folder = os.path.relpath(self.folder, beside)
        self._write_journal(MOVES, Journal(folder, self._names, old_names))
        for name in old_names:
            move(self.folder / name, self._room / OLD / name)
        for name in self._names:
            move(self._new / name, self.folder / name)
        self._done = MOVES
        for parent in {(self.folder / name).parent for name in (*old_names, *self._names)}:
            if parent != self.folder and parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
        rooms.flush(self.folder)

    def _write_journal(self, kind: str, journal: Journal) -> None:
        rooms.write_new(self._room / kind, [journal.text()])
        rooms.flush(self._room)


def _copy_permissions(old: Path, new: Path) -> None:
    """Give a new folder the owner and permissions of the one that it replaces."""
    old_stat, new_stat = old.stat(), new.stat()
    if (old_stat.st_uid, old_stat.st_gid) != (new_stat.st_uid, new_stat.st_gid):
        os.chown(new, old_stat.st_uid, old_stat.st_gid)
    shutil.copystat(old, new)


def _exchange(one: Path, other: Path) -> None:
    """Exchange two folders of one file system. Raises OSError, also where that is not possible."""
    library = ctypes.CDLL(None, use_errno=True)
    first, second = os.fsencode(one), os.fsencode(other)
    try:
        if sys.platform == "darwin":
            failed = library.renamex_np(first, second, _EXCHANGE)
        else:
            failed = library.renameat2(_CURRENT_FOLDER, first, _CURRENT_FOLDER, second, _EXCHANGE)
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    if failed:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(other))


def _beside(folder: Path) -> Path:
    """The folder in which a room for a folder's files can be: its parent, or else itself."""
    if folder.is_dir() and (_is_mount(folder) or not os.access(folder.parent, os.W_OK | os.X_OK)):
        return folder
    return folder.parent


def _is_mount(folder: Path) -> bool:
    """Whether a folder is a mount point, also of another part of the same file system."""
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return folder.is_mount()
    escaped = os.fsencode(folder).replace(b"\\", b"\\134").replace(b" ", b"\\040")
    return any(line.split(b" ")[4] == escaped for line in mounts)
