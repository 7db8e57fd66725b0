"""JSON objects out of a file, one at a time, with the place of each; every fault is named by it.

The format is told from the content, not from the name: a JSON list, or one object per line
(JSONL, read as a stream), either of them plain or gzipped.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from alignment.errors import PromptError

_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a file: its number from 1, and its place in words for messages."""

    value: dict[str, Any]
    number: int
    place: str


def entries(path: Path) -> Iterator[Entry]:
    """The objects of a JSON list (numbered as items) or JSONL file (numbered as lines).

    Raises PromptError, naming the file and the line or item, when the file is missing, a folder,
    unreadable, empty, not UTF-8, not JSON, a broken gzip file, or holds something that is no
    object.
    """
    found = False
    try:
        with _opened(path) as stream:
            for entry in _parsed(stream, path):
                found = True
                yield entry
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise PromptError(f"{path}: corrupt gzip file ({error}); fetch it again") from error
    except OSError as error:
        raise PromptError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not found:
        raise PromptError(f"{path}: is empty; at least one row is required")


def require_file(path: Path) -> None:
    """Raise PromptError unless `path` is an existing file."""
    if path.is_dir():
        raise PromptError(f"{path}: is a folder, where a JSON or JSONL file is required")
    if not path.exists():
        raise PromptError(f"{path}: there is no such file (relative paths start at `data`)")


def text_field(value: Mapping[str, Any], key: str, place: str) -> str | None:
    """The string at `key`, or None where there is none (or `null`).

    Raises PromptError that begins with `place` for another type, and for half of a surrogate pair,
    which JSON can spell and no tokenizer takes.
    """
    found = value.get(key)
    if found is None:
        return None
    if not isinstance(found, str):
        raise PromptError(f"{place}: `{key}` must be a string, not a {type(found).__name__}")
    if not found.isascii() and any("\ud800" <= letter <= "\udfff" for letter in found):
        raise PromptError(f"{place}: `{key}` holds half of a surrogate pair, which is no text")
    return found


def _opened(path: Path) -> IO[bytes]:
    require_file(path)
    with path.open("rb") as plain:
        zipped = plain.read(2) == _GZIP_MAGIC
    return cast("IO[bytes]", gzip.open(path, "rb")) if zipped else path.open("rb")


def _parsed(stream: IO[bytes], path: Path) -> Iterator[Entry]:
    started = False
    for number, line in enumerate(stream, 1):
        content = (line.removeprefix(_BOM) if number == 1 else line).strip()
        if not started and content.startswith(b"["):
            yield from _items(content + b"\n" + stream.read(), path, number)
            return
        if content:
            started = True
            place = f"{path}, line {number}"
            yield Entry(_object(_loaded(content, place), place), number, place)


def _items(content: bytes, path: Path, first_line: int) -> Iterator[Entry]:
    values = _loaded(content, str(path), first_line)
    for number, value in enumerate(values, 1):
        place = f"{path}, item {number}"
        yield Entry(_object(value, place), number, place)


def _loaded(content: bytes, place: str, first_line: int | None = None) -> Any:
    try:
        return json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        where = _at_line(place, first_line, content.count(b"\n", 0, error.start))
        raise PromptError(f"{where}: not UTF-8; save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        where = _at_line(place, first_line, error.lineno - 1)
        raise PromptError(f"{where}: not JSON ({error.msg} at column {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise PromptError(f"{place}: not JSON ({error})") from error


def _at_line(place: str, first_line: int | None, offset: int) -> str:
    return place if first_line is None else f"{place}, line {first_line + offset}"


def _object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        kind = type(value).__name__
        raise PromptError(f"{place}: an object (`{{...}}`) is required, not a value of type {kind}")
    return value
