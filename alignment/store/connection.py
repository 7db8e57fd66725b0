"""The store's SQLite file: opened, recognized, and migrated to the schema of this release."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path

from alignment.errors import StoreError
from alignment.files.access import follow

FILE = "store.sqlite"
SCHEMA = 3

_APPLICATION = int.from_bytes(b"algn")
"""SQLite's `application_id`, by which a file is recognized as a store. Schema 1 had none."""

_ENTRIES = ("kind", "key", "value", "created")
_TABLES = (
    """CREATE TABLE entries (
        kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, created REAL NOT NULL,
        checksum INTEGER, PRIMARY KEY (kind, key)
    ) WITHOUT ROWID""",
    """CREATE TABLE hashes (
        path TEXT NOT NULL, what TEXT NOT NULL, state TEXT NOT NULL, sample TEXT NOT NULL,
        sha256 TEXT NOT NULL, PRIMARY KEY (path, what)
    ) WITHOUT ROWID""",
    "CREATE TABLE damaged (kind, key, value, created, checksum, set_aside REAL NOT NULL)",
)
_FROM_1 = (
    "ALTER TABLE entries ADD COLUMN checksum INTEGER",
    "UPDATE entries SET checksum = checksum(kind, CAST(key AS BLOB), CAST(value AS BLOB))",
    "DROP TABLE files",  # hashes of files that were recognized by too few properties
    *_TABLES[1:],
)
_FROM_2 = ("DROP TABLE hashes", _TABLES[1])
_STATEMENTS = {0: _TABLES, 1: _FROM_1, 2: _FROM_2}
"""Schema of a file (0: a new one) -> the statements that migrate it to that of this release."""


def checksum(kind: str, key: bytes, value: bytes) -> int:
    """A CRC-32 of a record, by which damage is noticed: SQLite itself notices no flipped bit."""
    return zlib.crc32(value, zlib.crc32(b"%s\0%s\0" % (kind.encode(), key)))


def in_memory() -> sqlite3.Connection:
    """An empty store's database in memory."""
    connection = _open(":memory:")
    _prepare(connection, Path(":memory:"))
    return connection


def connect(root: Path) -> sqlite3.Connection:
    """Open the file of the store at `root`, or create it.

    Raises StoreError for a file of a newer release or of another application, which is not changed.
    Raises OSError and sqlite3.Error.
    """
    path = root / FILE
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        follow(root, path)
    if not path.is_file():
        raise OSError(errno.EINVAL, f"{path} is not a regular file")
    for needed in (root, path):  # a read-only store is found here, not in the middle of a run
        require_writable(needed)
    connection = _open(path)
    try:
        _prepare(connection, root)
    except BaseException:
        connection.close()
        raise
    return connection


def require_writable(path: Path) -> None:
    """Raise PermissionError where this process may not write."""
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, f"{path} is not writable")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction around the block; inside another transaction the block is part of that one."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite has rolled back by itself where the disk is full
            connection.execute("ROLLBACK")
        raise


def _open(path: Path | str) -> sqlite3.Connection:
    # Autocommit: transactions are opened where they are needed.
    connection = sqlite3.connect(path, timeout=120, isolation_level=None)
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def _prepare(connection: sqlite3.Connection, root: Path) -> None:
    with transaction(connection):
        version = _read_schema(connection, root)
        if version == SCHEMA:
            return
        connection.create_function("checksum", 3, checksum, deterministic=True)
        for statement in _STATEMENTS[version]:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {SCHEMA}")


def _read_schema(connection: sqlite3.Connection, root: Path) -> int:
    """The schema of the file, 0 for a new one. Raises StoreError where the file is no store."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application in (0, _APPLICATION) and version > SCHEMA:
        raise StoreError(
            f"store {root}: written by a newer release (schema {version}, this one reads "
            f"{SCHEMA}); upgrade alignment-gate or name another --alignment-store"
        )
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(entries)")]
    known = {
        0: application == 0 and not tables,
        1: application == 0 and tuple(columns) == _ENTRIES and "files" in tables,
    }
    ours = (
        application == _APPLICATION
        and tuple(columns) == (*_ENTRIES, "checksum")
        and {"hashes", "damaged"} <= tables
    )
    if not known.get(version, ours and version > 0):
        raise StoreError(
            f"store {root}: {FILE} is the database of another application, or was changed by one; "
            f"move it away or name another --alignment-store"
        )
    return int(version)
