"""The store: whatever was expensive to compute, found again by its content.

One SQLite file holds small records (responses, scores, selected prompts, trials, run summaries) as
JSON by (kind, key); folders hold trained models; lock files keep concurrent workers apart. A key is
a hash of everything that its value depends on, never a name or a path (`content_key`).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from alignment.errors import StoreError

SCHEMA = 1
RUN = "run"
"""The kind of the summaries of runs: what nothing can compute again, so pruning leaves it."""

_CHUNK = 500  # SQLite allows 999 variables in one statement where it is old
SETUP = """
CREATE TABLE IF NOT EXISTS entries (
    kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, created REAL NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, inode INTEGER, size INTEGER, mtime INTEGER, sha256 TEXT NOT NULL
) WITHOUT ROWID;
"""


def content_key(*parts: Any) -> str:
    """32 hex digits of a SHA-256 over plain values (JSON), equal for equal content."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Store:
    """One store on disk, opened for reading and writing.

    Raises StoreError from any method, with one line that names the store, what happened and what
    to do.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.models = root / "models"
        with self._plainly("opened"):
            self.models.mkdir(parents=True, exist_ok=True)
            (root / "locks").mkdir(exist_ok=True)
            # Autocommit: transactions are opened where they are needed, in `_writing`.
            self._db = sqlite3.connect(root / "store.sqlite", timeout=120, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA:
            raise StoreError(
                f"store {self.root}: written by a newer release (schema {version}, this one reads "
                f"{SCHEMA}); upgrade alignment-gate or name another --alignment-store"
            )
        # A read-only store is found here, not in the middle of a run.
        for name in ("", "models", "locks", "store.sqlite"):
            if not os.access(self.root / name, os.W_OK):
                raise PermissionError(errno.EACCES, f"{self.root / name} is not writable")
        with self._writing():
            if version < SCHEMA:
                for statement in SETUP.strip().split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {SCHEMA}")

    @contextlib.contextmanager
    def _plainly(self, done: str) -> Iterator[None]:
        """Say in one line what the disk or the database refused."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise StoreError(
                f"store {self.root}: cannot be {done}: {reason}; free or repair it, "
                f"or name another with --alignment-store"
            ) from error

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite has rolled back by itself where the disk is full
                self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the database file."""
        self._db.close()

    # -- records ---------------------------------------------------------------------------------

    def get(self, kind: str, keys: Iterable[str]) -> dict[str, Any]:
        """The values that are there, by key; what is missing is left out."""
        wanted = list(keys)
        found: dict[str, Any] = {}
        with self._plainly("read"):
            for start in range(0, len(wanted), _CHUNK):
                chunk = wanted[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                rows = self._db.execute(
                    f"SELECT key, value FROM entries WHERE kind = ? AND key IN ({marks})",  # noqa: S608
                    (kind, *chunk),
                )
                found.update((key, json.loads(value)) for key, value in rows)
        return found

    def put(self, kind: str, values: Mapping[str, Any], *, replace: bool = False) -> None:
        """Commit these values together; what is already there stays as it is, or is replaced."""
        now = time.time()
        rows = [
            (kind, key, json.dumps(value, ensure_ascii=True), now) for key, value in values.items()
        ]
        with self._plainly("written"), self._writing():
            otherwise = "REPLACE" if replace else "IGNORE"
            self._db.executemany(f"INSERT OR {otherwise} INTO entries VALUES (?, ?, ?, ?)", rows)  # noqa: S608

    def values(self, kind: str) -> list[Any]:
        """All values of a kind; what was written last comes last."""
        with self._plainly("read"):
            rows = self._db.execute(
                "SELECT value FROM entries WHERE kind = ? ORDER BY created, key", (kind,)
            )
            return [json.loads(value) for (value,) in rows]

    def update(self, kind: str, key: str, change: Callable[[Any | None], Any]) -> Any:
        """Replace a value by what `change` makes of it (of None: there is none); the new one.

        No other process writes in between.
        """
        with self._plainly("written"), self._writing():
            value = change(self.get(kind, [key]).get(key))
            row = (kind, key, json.dumps(value, ensure_ascii=True), time.time())
            self._db.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", row)
        return value

    def cached(self, kind: str, key: str, compute: Callable[[], Any]) -> Any:
        """The value under `key`, computed and kept when it is not there."""
        found = self.get(kind, [key])
        if key not in found:
            found[key] = compute()
            self.put(kind, found)
        return found[key]

    # -- locks and folders -----------------------------------------------------------------------

    @contextlib.contextmanager
    def lock(self, name: str, *, waiting: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold a lock between processes; it is released when its holder dies.

        `waiting` is called once if another process holds it.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415 - 70 ms that a warm run saves

        lock = FileLock(self.root / "locks" / f"{name}.lock")
        with self._plainly("locked"):
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

    def manifest(self, key: str) -> dict[str, Any] | None:
        """The manifest of the trained model under `key`, or None when there is none."""
        path = self.models / key / "manifest.json"
        with self._plainly("read"):
            if not path.is_file():
                return None
            try:
                manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise StoreError(f"store: {path} is damaged ({error}); delete its folder") from None
            return manifest

    @contextlib.contextmanager
    def new_folder(self, key: str) -> Iterator[Path]:
        """A folder to fill, which becomes `models/<key>` in one step if nothing was raised.

        Hold the lock of `key`: what a killed predecessor left behind is removed. Raises whatever
        the caller raises, and StoreError where the disk refuses the folder.
        """
        final, draft = self.models / key, self.models / f".draft-{key}"
        with self._plainly("written"):
            for left in (final, draft):  # a folder without a manifest is no model
                if left.exists():
                    shutil.rmtree(left)
            draft.mkdir()
        try:
            with self._plainly("written"):
                yield draft
                for path in draft.rglob("*"):
                    if path.is_file():
                        _flush(path)
                draft.replace(final)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    # -- files -----------------------------------------------------------------------------------

    def file_hash(self, path: Path) -> str:
        """SHA-256 of a file, remembered by path, inode, size and modification time."""
        with self._plainly("read"):
            path = path.resolve()
            state = path.stat()
            seen = (state.st_ino, state.st_size, state.st_mtime_ns)
            name = ascii(str(path))  # a path need not be Unicode, and SQLite's text must
            row = self._db.execute(
                "SELECT sha256 FROM files WHERE path = ? AND inode = ? AND size = ? AND mtime = ?",
                (name, *seen),
            ).fetchone()
            if row:
                return str(row[0])
            digest = hash_file(path)
            # A file written within the clock's resolution could change again unnoticed.
            if time.time_ns() - state.st_mtime_ns > 2_000_000_000:
                with self._writing():
                    self._db.execute(
                        "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)",
                        (name, *seen, digest),
                    )
            return digest

    # -- housekeeping ----------------------------------------------------------------------------

    def contents(self) -> list[tuple[str, int, int]]:
        """(kind, count, bytes) of what the store holds; models are the last kind."""
        with self._plainly("read"):
            rows = self._db.execute(
                "SELECT kind, COUNT(*), SUM(LENGTH(value) + LENGTH(key)) FROM entries "
                "GROUP BY kind ORDER BY kind"
            ).fetchall()
            folders = self.folders()
            sizes = [sum(f.stat().st_size for f in p.rglob("*") if f.is_file()) for p in folders]
        return [*rows, ("model", len(folders), sum(sizes))]

    def folders(self) -> list[Path]:
        """The folders of trained models."""
        return sorted(p for p in self.models.iterdir() if not p.name.startswith("."))

    def prune(self, *, older_than: float, dry_run: bool = False) -> tuple[int, int]:
        """Delete records and models made more than `older_than` seconds ago: how many of each.

        A model that is being made is left alone, and so are the summaries of runs, which nothing
        can compute again. `dry_run` only counts.
        """
        limit = time.time() - older_than
        which, those = "FROM entries WHERE created < ? AND kind <> ?", (limit, RUN)
        with self._plainly("pruned"):
            old = [p for p in self.models.iterdir() if p.is_dir() and p.stat().st_mtime < limit]
            gone = sum(self._removed(path, dry_run=dry_run) for path in old)
            if dry_run:
                return int(self._db.execute(f"SELECT COUNT(*) {which}", those).fetchone()[0]), gone
            with self._writing():
                records = self._db.execute(f"DELETE {which}", those).rowcount
            self._db.execute("VACUUM")
        return records, gone

    def _removed(self, path: Path, *, dry_run: bool) -> bool:
        """Remove a model's folder or draft unless somebody holds its lock; whether that is so."""
        from filelock import FileLock, Timeout  # noqa: PLC0415

        key = path.name.removeprefix(".draft-")
        try:
            with FileLock(self.root / "locks" / f"{key}.lock", timeout=0):
                if not dry_run:
                    draft = self.models / f".draft-{key}"
                    if path != draft:  # half a model is never found under its own name
                        shutil.rmtree(draft, ignore_errors=True)
                        path.replace(draft)
                    shutil.rmtree(draft)
                return True
        except Timeout:
            return False


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Make sure that a file's bytes are on the disk before its folder gets its final name."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
