"""Reads JSON objects from a file, one at a time, each with its place for error messages.

The format is recognised by content, not by file name: a JSON list, or one object per line (JSONL,
read as a stream), either of them plain or gzipped. Unpacked sizes are limited: of a line, of a
list, of the whole file; so is the number of lines.
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
from alignment.files.foreign import DOCUMENT, MIB, MissingError, UnfitError, in_words, opened

LINE = 16 * MIB
"""The most bytes of one line, unpacked."""
WHOLE = 4096 * MIB
"""The most bytes of a whole file, unpacked."""
LINES = 10_000_000
"""The most lines of a file, including empty ones."""

_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a file; `number` counts from 1, `place` is file and line for messages."""

    value: dict[str, Any]
    number: int
    place: str


def entries(path: Path) -> Iterator[Entry]:
    """The objects of a JSON list (numbered as items) or JSONL file (numbered as lines).

    Raises PromptError, naming the file and the line or item, if the file is missing, not regular,
    unreadable, empty, not UTF-8, not JSON, a damaged gzip file, larger than the limits, or holds
    anything but objects.
    """
    has_entries = False
    try:
        with _open_unpacked(path) as stream:
            for entry in _parse(stream, path):
                has_entries = True
                yield entry
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise PromptError(f"{path}: corrupt gzip file ({error}); fetch it again") from error
    except OSError as error:
        raise PromptError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not has_entries:
        raise PromptError(f"{path}: is empty; at least one row is required")


def require_file(path: Path) -> None:
    """Raise PromptError unless `path` is a regular file."""
    if path.is_dir():
        raise PromptError(f"{path}: is a folder, where a JSON or JSONL file is required")
    try:
        opened(path).close()
    except MissingError:
        raise PromptError(
            f"{path}: there is no such file (relative paths start at `data`)"
        ) from None
    except UnfitError as error:
        raise PromptError(f"{path}: {error}") from error


def text_field(value: Mapping[str, Any], key: str, place: str) -> str | None:
    """The string at `key`, or None if it is missing or `null`.

    Raises PromptError, beginning with `place`, for another type, and for lone surrogates, which
    JSON can hold and tokenizers refuse.
    """
    text = value.get(key)
    if text is None:
        return None
    if not isinstance(text, str):
        raise PromptError(f"{place}: `{key}` must be a string, not a {type(text).__name__}")
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise PromptError(f"{place}: `{key}` holds half of a surrogate pair, which is no text")
    return text


def _open_unpacked(path: Path) -> IO[bytes]:
    require_file(path)
    file = opened(path)
    zipped = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    return cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if zipped else file


def _parse(stream: IO[bytes], path: Path) -> Iterator[Entry]:
    started = False
    for number, line in enumerate(_lines(stream, path), 1):
        content = (line.removeprefix(_BOM) if number == 1 else line).strip()
        if not started and content.startswith(b"["):
            rest = stream.read(DOCUMENT + 1 - len(content))
            if len(rest) + len(content) > DOCUMENT:
                raise _too_large(path, f"a JSON list of more than {in_words(DOCUMENT)}")
            yield from _parse_list(content + b"\n" + rest, path, number)
            return
        if content:
            started = True
            place = f"{path}, line {number}"
            yield Entry(_require_object(_decode(content, place), place), number, place)


def _lines(stream: IO[bytes], path: Path) -> Iterator[bytes]:
    """The lines of a stream; reads no more of a line than the limit. Raises PromptError."""
    size = 0
    for number in range(1, LINES + 1):
        line = stream.readline(LINE + 1)
        size += len(line)
        if len(line) > LINE:
            raise _too_large(f"{path}, line {number}", f"a line of more than {in_words(LINE)}")
        if size > WHOLE:
            raise _too_large(path, f"more than {in_words(WHOLE)}, unpacked")
        if not line:
            return
        yield line
    raise _too_large(path, f"{LINES:,} lines or more")


def _too_large(place: Path | str, excess: str) -> PromptError:
    return PromptError(f"{place}: {excess}, which is the limit; split the file into smaller ones")


def _parse_list(content: bytes, path: Path, first_line: int) -> Iterator[Entry]:
    values = _decode(content, str(path), first_line)
    for number, value in enumerate(values, 1):
        place = f"{path}, item {number}"
        yield Entry(_require_object(value, place), number, place)


def _decode(content: bytes, place: str, first_line: int | None = None) -> Any:
    try:
        return json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        where = _place_at_line(place, first_line, content.count(b"\n", 0, error.start))
        raise PromptError(f"{where}: not UTF-8; save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        where = _place_at_line(place, first_line, error.lineno - 1)
        raise PromptError(f"{where}: not JSON ({error.msg} at column {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise PromptError(f"{place}: not JSON ({error})") from error


def _place_at_line(place: str, first_line: int | None, offset: int) -> str:
    return place if first_line is None else f"{place}, line {first_line + offset}"


def _require_object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        kind = type(value).__name__
        raise PromptError(f"{place}: an object (`{{...}}`) is required, not a value of type {kind}")
    return value
