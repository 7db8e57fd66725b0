"""The store: whatever was expensive to compute, found again by its content.

One SQLite file holds small records as JSON by (kind, key); folders hold trained models; lock files
keep concurrent workers apart. A key is a hash of everything that its value depends on, never a name
or a path (`content_key`).
"""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from alignment.files.access import follow, private_folder
from alignment.files.foreign import is_there
from alignment.store import model_folders as folders
from alignment.store.connection import connect, require_writable, transaction
from alignment.store.files import Files
from alignment.store.shapes import RUN


class Store(Files):
    """One store on disk, opened for reading and writing.

    Raises StoreError from any method, with one line that names the store, what happened and what
    to do.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.models = root / "models"
        self._locks = root / "locks"
        self._damaged = root / "damaged"
        self._named: set[str] = set()
        self._db = self._opened()

    def _opened(self) -> sqlite3.Connection:
        with self._plainly("opened"):
            private_folder(self.root)
            database = connect(self.root)
            try:
                for name in ("models", "locks"):
                    require_writable(self._begin(name))
            except BaseException:
                database.close()
                raise
        return database

    def folder(self, name: str) -> Path:
        """A folder of the store for what somebody else keeps in files."""
        with self._plainly("written"):
            return self._begin(name)

    def _begin(self, name: str) -> Path:
        folder = self.root / name
        try:
            folder.mkdir()
        except FileExistsError:
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, f"{folder} is not a folder") from None
        else:
            follow(self.root, folder)
        return folder

    # -- locks -----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def lock(self, name: str, *, waiting: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold a lock between processes; it is released when its holder dies.

        `waiting` is called once if another process holds it.
        """
        from filelock import Timeout  # noqa: PLC0415 - 70 ms that a warm run saves

        with self._plainly("locked"):
            lock = self._lock_file(name)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                if waiting:
                    waiting()
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _lock_file(self, name: str) -> Any:
        """The lock of that name; whoever may write here may take it."""
        from filelock import FileLock  # noqa: PLC0415

        path = self._locks / f"{name}.lock"
        with contextlib.suppress(FileExistsError):
            path.touch(exist_ok=False)
            follow(self.root, path)
        return FileLock(path)

    # -- trained models --------------------------------------------------------------------------

    def manifest(
        self, key: str, hash_file: Callable[[Path], str] | None = None
    ) -> dict[str, Any] | None:
        """The manifest of the trained model under `key`, or None when there is none.

        With `hash_file` the model's files are compared with it. One that was damaged is none; it
        is named once.
        """
        folder = self.models / key
        with self._plainly("read"):
            try:
                return folders.read(folder, hash_file)
            except folders.DamagedError as error:
                if is_there(folder) and key not in self._named:
                    self._named.add(key)
                    self.note(f"store {self.root}: models/{key} is damaged: {error}; made anew")
                return None

    @contextlib.contextmanager
    def new_folder(self, key: str) -> Iterator[Path]:
        """A folder to fill, which becomes `models/<key>` in one step if nothing was raised.

        Hold the lock of `key`: what a killed predecessor left behind is removed, and what is there
        but no model is set aside. Raises whatever the caller raises, and StoreError where the disk
        refuses the folder.
        """
        final = self.models / key
        with self._plainly("written"):
            if is_there(final):
                there = folders.set_aside(final, self._begin(self._damaged.name))
                self._named.discard(key)
                self.note(f"store {self.root}: set aside as damaged/{there.name}")
            with folders.draft_of(final) as draft:
                yield draft

    # -- housekeeping ----------------------------------------------------------------------------

    def contents(self) -> list[tuple[str, int, int]]:
        """(kind, count, bytes) of what the store holds; models come after records.

        What was damaged and set aside is the last kind, where there is any.
        """
        with self._plainly("read"):
            rows = self._db.execute(
                "SELECT kind, COUNT(*), CAST(TOTAL(LENGTH(value) + LENGTH(key)) AS INTEGER) "
                "FROM entries GROUP BY kind ORDER BY kind"
            ).fetchall()
            count, size = self._db.execute(
                "SELECT COUNT(*), CAST(TOTAL(LENGTH(value)) AS INTEGER) FROM damaged"
            ).fetchone()
            models, aside = self.folders(), [*self._aside()]
            count, size = count + len(aside), size + sum(map(folders.size_of, aside))
            models_size = sum(map(folders.size_of, models))
        damaged = [("damaged", count, size)] if count else []
        return [*rows, ("model", len(models), models_size), *damaged]

    def folders(self) -> list[Path]:
        """The folders of trained models."""
        with self._plainly("read"):
            return sorted(p for p in self.models.iterdir() if not p.name.startswith("."))

    def _aside(self) -> Iterator[Path]:
        return self._damaged.iterdir() if self._damaged.is_dir() else iter(())

    def prune(self, *, older_than: float, dry_run: bool = False) -> tuple[int, int]:
        """Delete records and models made more than `older_than` seconds ago: how many of each.

        A model that is being made is left alone, and so are the summaries of runs, which nothing
        can compute again. What was damaged and set aside goes too. `dry_run` only counts.
        """
        limit = time.time() - older_than
        which, those = "FROM entries WHERE created < ? AND kind <> ?", (limit, RUN)
        aside = "FROM damaged WHERE set_aside < ?"
        with self._plainly("pruned"):
            old = folders.older(self.models.iterdir(), limit)
            gone = sum(self._removed(path, dry_run=dry_run) for path in old)
            set_aside = folders.older(self._aside(), limit)
            if dry_run:
                records = self._db.execute(f"SELECT COUNT(*) {which}", those).fetchone()[0]
                records += self._db.execute(f"SELECT COUNT(*) {aside}", (limit,)).fetchone()[0]
                return int(records), gone + len(set_aside)
            for path in set_aside:
                folders.remove(path)
            with transaction(self._db):
                records = self._db.execute(f"DELETE {which}", those).rowcount
                records += self._db.execute(f"DELETE {aside}", (limit,)).rowcount
            self._db.execute("VACUUM")
        return records, gone + len(set_aside)

    def _removed(self, path: Path, *, dry_run: bool) -> bool:
        """Remove a model's folder or draft unless somebody holds its lock; whether that is so."""
        from filelock import Timeout  # noqa: PLC0415

        key = path.name.removeprefix(folders.DRAFT)
        try:
            with self._lock_file(key).acquire(timeout=0):
                if not dry_run:
                    draft = self.models / f"{folders.DRAFT}{key}"
                    if path != draft:  # half a model is never found under its own name
                        folders.remove(draft)
                        path.replace(draft)
                    folders.remove(draft)
                return True
        except Timeout:
            return False
