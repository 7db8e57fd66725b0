"""The store: results that are expensive to compute, under keys made of what they depend on.

One SQLite file has small records as JSON by (kind, key); trained models are in folders; lock files
keep concurrent workers apart. A key is a hash of everything that its value depends on
(`content_key`), never a name or a path.
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
    """A store on disk, opened for reading and writing.

    Any method may raise StoreError, with one line that names the store, what happened and what to
    do.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.models = root / "models"
        self._locks = root / "locks"
        self._damaged = root / "damaged"
        self._reported: set[str] = set()
        self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        with self._explain_errors("opened"):
            private_folder(self.root)
            database = connect(self.root)
            try:
                for name in ("models", "locks"):
                    require_writable(self._make_folder(name))
            except BaseException:
                database.close()
                raise
        return database

    def folder(self, name: str) -> Path:
        """A folder in the store, made if need be, for callers that store files of their own."""
        with self._explain_errors("written"):
            return self._make_folder(name)

    def _make_folder(self, name: str) -> Path:
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
        """Hold a lock that other processes respect; it is released when its process ends.

        `waiting` is called once if another process holds the lock.
        """
        from filelock import Timeout  # noqa: PLC0415 - 70 ms that a warm run saves

        with self._explain_errors("locked"):
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
        """The lock of this name; everybody who may write to the store may take it."""
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
        """The manifest of the trained model under `key`, or None if there is none.

        With `hash_file` the model's files are compared with it. A damaged model counts as none, and
        is reported once.
        """
        folder = self.models / key
        with self._explain_errors("read"):
            try:
                return folders.read(folder, hash_file)
            except folders.DamagedError as error:
                if is_there(folder) and key not in self._reported:
                    self._reported.add(key)
                    self.note(f"store {self.root}: models/{key} is damaged: {error}; made anew")
                return None

    @contextlib.contextmanager
    def new_folder(self, key: str) -> Iterator[Path]:
        """A folder to fill, which becomes `models/<key>` in one step if nothing was raised.

        The caller must hold the lock of `key`. A draft of a killed process is removed; what is at
        `models/<key>` already is set aside as damaged. Raises whatever the caller raises, and
        StoreError where the disk refuses the folder.
        """
        final = self.models / key
        with self._explain_errors("written"):
            if is_there(final):
                moved = folders.set_aside(final, self._make_folder(self._damaged.name))
                self._reported.discard(key)
                self.note(f"store {self.root}: set aside as damaged/{moved.name}")
            with folders.draft_of(final) as draft:
                yield draft

    # -- housekeeping ----------------------------------------------------------------------------

    def contents(self) -> list[tuple[str, int, int]]:
        """(kind, count, bytes) of everything in the store: kinds of records, then `model`.

        If anything was set aside as damaged, the last kind is `damaged`.
        """
        with self._explain_errors("read"):
            rows = self._db.execute(
                "SELECT kind, COUNT(*), CAST(TOTAL(LENGTH(value) + LENGTH(key)) AS INTEGER) "
                "FROM entries GROUP BY kind ORDER BY kind"
            ).fetchall()
            count, size = self._db.execute(
                "SELECT COUNT(*), CAST(TOTAL(LENGTH(value)) AS INTEGER) FROM damaged"
            ).fetchone()
            models, set_aside = self.folders(), [*self._find_set_aside()]
            count, size = count + len(set_aside), size + sum(map(folders.size_of, set_aside))
            models_size = sum(map(folders.size_of, models))
        damaged = [("damaged", count, size)] if count else []
        return [*rows, ("model", len(models), models_size), *damaged]

    def folders(self) -> list[Path]:
        """The folders of trained models."""
        with self._explain_errors("read"):
            return sorted(p for p in self.models.iterdir() if not p.name.startswith("."))

    def _find_set_aside(self) -> Iterator[Path]:
        return self._damaged.iterdir() if self._damaged.is_dir() else iter(())

    def prune(self, *, older_than: float, dry_run: bool = False) -> tuple[int, int]:
        """Delete records and models made more than `older_than` seconds ago.

        Returns how many of each. Models that are being trained are kept, and so are the summaries
        of runs, which cannot be computed again. Old entries that were set aside as damaged are
        deleted too. `dry_run` only counts.
        """
        limit = time.time() - older_than
        entries, parameters = "FROM entries WHERE created < ? AND kind <> ?", (limit, RUN)
        damaged = "FROM damaged WHERE set_aside < ?"
        with self._explain_errors("pruned"):
            old = folders.older(self.models.iterdir(), limit)
            models = sum(self._remove(path, dry_run=dry_run) for path in old)
            set_aside = folders.older(self._find_set_aside(), limit)
            models += len(set_aside)
            if dry_run:
                records = self._db.execute(f"SELECT COUNT(*) {entries}", parameters).fetchone()[0]
                records += self._db.execute(f"SELECT COUNT(*) {damaged}", (limit,)).fetchone()[0]
                return int(records), models
            for path in set_aside:
                folders.remove(path)
            with transaction(self._db):
                records = self._db.execute(f"DELETE {entries}", parameters).rowcount
                records += self._db.execute(f"DELETE {damaged}", (limit,)).rowcount
            self._db.execute("VACUUM")
        return records, models

    def _remove(self, path: Path, *, dry_run: bool) -> bool:
        """Remove a model's folder or draft unless its lock is held; whether it was removed."""
        from filelock import Timeout  # noqa: PLC0415

        key = path.name.removeprefix(folders.DRAFT)
        try:
            with self._lock_file(key).acquire(timeout=0):
                if not dry_run:
                    draft = self.models / f"{folders.DRAFT}{key}"
                    if path != draft:  # no partly removed model is ever under its own name
                        folders.remove(draft)
                        path.replace(draft)
                    folders.remove(draft)
                return True
        except Timeout:
            return False
