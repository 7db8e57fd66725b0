"""Small records (responses, scores, selected prompts, trials, summaries of runs) by kind and key.

Each is JSON with a checksum. When a record is read, its checksum and its shape are checked: a
damaged one is moved to the table `damaged`, reported, and treated as missing.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from alignment.errors import StoreError
from alignment.store.connection import checksum, transaction
from alignment.store.shapes import RUN, fits

_CHUNK = 500  # old releases of SQLite allow 999 variables in one statement
_READ = "SELECT CAST(key AS BLOB), CAST(value AS BLOB), checksum FROM entries WHERE kind = ?"
_PUT = "INTO entries (kind, key, value, created, checksum) VALUES (?, ?, ?, ?, ?)"

Row = tuple[bytes, bytes, int]
"""key, value, checksum."""


class Records:
    """The records of one store.

    Any method may raise StoreError, with one line that names the store, what happened and what to
    do. `note` is called with one line about records that were damaged.
    """

    root: Path
    _db: sqlite3.Connection

    def __init__(self, root: Path) -> None:
        self.root = root
        self.note: Callable[[str], None] = lambda _: None

    @contextlib.contextmanager
    def _explain_errors(self, action: str) -> Iterator[None]:
        """Turn errors of the disk or the database into a StoreError of one line."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise StoreError(
                f"store {self.root}: cannot be {action}: {reason}; {_remedy(error)}, "
                f"or name another with --alignment-store"
            ) from error

    def close(self) -> None:
        """Close the database file."""
        self._db.close()

    def get(self, kind: str, keys: Iterable[str]) -> dict[str, Any]:
        """Key -> value; what is missing or damaged is left out."""
        with self._explain_errors("read"):
            return self._check(kind, self._select(kind, list(keys)))

    def values(self, kind: str) -> list[Any]:
        """All undamaged values of a kind; what was written last comes last."""
        with self._explain_errors("read"):
            rows = self._db.execute(f"{_READ} ORDER BY created, key", (kind,)).fetchall()
            return list(self._check(kind, rows).values())

    def put(self, kind: str, values: Mapping[str, Any], *, replace: bool = False) -> None:
        """Commit these values together; existing ones are kept, or replaced with `replace`."""
        rows = [_row(kind, key, value) for key, value in values.items()]
        with self._explain_errors("written"), transaction(self._db):
            self._db.executemany(f"INSERT OR {'REPLACE' if replace else 'IGNORE'} {_PUT}", rows)

    def update(self, kind: str, key: str, change: Callable[[Any | None], Any]) -> Any:
        """Replace a value by `change(value)`, and return the new one; None stands for no value.

        No other process writes in between.
        """
        with self._explain_errors("written"), transaction(self._db):
            value = change(self.get(kind, [key]).get(key))
            self._db.execute(f"INSERT OR REPLACE {_PUT}", _row(kind, key, value))
        return value

    def cached(self, kind: str, key: str, compute: Callable[[], Any]) -> Any:
        """The value under `key`, computed and stored if it is missing."""
        values = self.get(kind, [key])
        if key not in values:
            values[key] = compute()
            self.put(kind, values)
        return values[key]

    def forget(self, kind: str, keys: Iterable[str], why: str) -> None:
        """Set values aside as damaged; `why` is the reason in the note."""
        with self._explain_errors("written"):
            self._set_aside(kind, [(row, why) for row in self._select(kind, list(keys))])

    def _select(self, kind: str, keys: Sequence[str]) -> list[Row]:
        rows: list[Row] = []
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            marks = ",".join("?" * len(chunk))
            rows += self._db.execute(f"{_READ} AND key IN ({marks})", (kind, *chunk))
        return rows

    def _check(self, kind: str, rows: Iterable[Row]) -> dict[str, Any]:
        """Key -> value of the undamaged rows; the others are set aside."""
        values: dict[str, Any] = {}
        damaged: list[tuple[Row, str]] = []
        for row in rows:
            try:
                values[row[0].decode("utf-8", "replace")] = _read_value(kind, row)
            except _DamagedError as error:
                damaged.append((row, str(error)))
        if damaged:
            self._set_aside(kind, damaged)
        return values

    def _set_aside(self, kind: str, damaged: list[tuple[Row, str]]) -> None:
        """Move these (row, reason), unless another process has replaced the row meanwhile."""
        same = (
            "FROM entries WHERE kind = ? AND key = CAST(? AS TEXT) AND CAST(value AS BLOB) = ? "
            "AND checksum IS ?"
        )
        moved, why = 0, ""
        with transaction(self._db):
            for row, reason in damaged:
                self._db.execute(
                    f"INSERT INTO damaged SELECT kind, key, value, created, checksum, ? {same}",
                    (time.time(), kind, *row),
                )
                if self._db.execute(f"DELETE {same}", (kind, *row)).rowcount:
                    moved, why = moved + 1, reason
        if moved:
            records = f"a {kind} record" if moved == 1 else f"{moved} {kind} records"
            then = "left out of the history" if kind == RUN else "made anew where needed"
            self.note(f"store {self.root}: damaged: {records} ({why}); set aside and {then}")


class _DamagedError(Exception):
    """A record is not what was written."""


def _read_value(kind: str, row: Row) -> Any:
    """The value of a row. Raises _DamagedError."""
    key, raw, stored = row
    if checksum(kind, key, raw) != stored:
        raise _DamagedError("not what was written")
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise _DamagedError("no JSON") from None
    if not fits(kind, value):
        raise _DamagedError(f"not of the shape of a {kind}")
    return value


def _row(kind: str, key: str, value: Any) -> tuple[str, str, str, float, int]:
    text = json.dumps(value, ensure_ascii=True)
    return kind, key, text, time.time(), checksum(kind, key.encode(), text.encode())


def _remedy(error: Exception) -> str:
    """What to do about an error of the disk or the database."""
    if isinstance(error, sqlite3.DatabaseError) and "malformed" in str(error):
        return "move store.sqlite away: all but the history of runs is computed anew"
    return "free or repair it"
