"""Reads files that others wrote, which must be regular, of bounded size, and UTF-8.

Anything else is an `UnfitError`, whose text continues a sentence that begins with the file's name;
callers turn it into an error that names the file and a remedy. Nothing here can block: FIFOs,
devices and sockets are refused before they are opened.
"""

from __future__ import annotations

import io
import json
import os
import re
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

MIB = 2**20
DOCUMENT = 256 * MIB
"""Bytes of a JSON file at most."""
SETTINGS = MIB
"""Bytes of a TOML file at most."""
DEPTH = 100
"""Levels of nested tables and lists in JSON and TOML at most."""

_KINDS = (
    (stat.S_ISDIR, "folder"),
    (stat.S_ISFIFO, "FIFO"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
    (stat.S_ISSOCK, "socket"),
)
_NONBLOCKING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

# A dotted key with so many parts that tomllib, which needs quadratic time, would seem to hang.
_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{DEPTH}}}")


class UnfitError(ValueError):
    """A file or a text that does not meet the requirements; the text follows the file's name."""


class MissingError(UnfitError):
    """There is no such file."""


def is_there(path: Path) -> bool:
    """Whether anything has this name, even a broken link."""
    return os.path.lexists(path)


def opened(path: Path) -> io.BufferedReader:
    """A regular file, open for reading. Raises UnfitError for anything else."""
    try:
        _require_regular(path.stat().st_mode)
        # Checked again when it is open, as it may have been replaced in between.
        descriptor = os.open(path, os.O_RDONLY | _NONBLOCKING)
        try:
            _require_regular(os.fstat(descriptor).st_mode)
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise
    except FileNotFoundError as error:
        raise MissingError("cannot be read: there is no such file") from error
    except UnfitError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UnfitError(f"cannot be read: {_reason(error)}") from error


def read_bytes(path: Path, most: int = DOCUMENT) -> bytes:
    """The bytes of a regular file. Raises UnfitError, also if there are more than `most`."""
    with opened(path) as file:
        try:
            content = file.read(most + 1)
        except OSError as error:
            raise UnfitError(f"cannot be read: {_reason(error)}") from error
    if len(content) > most:
        raise UnfitError(f"cannot be read: it has more than {in_words(most)}, which is the limit")
    return content


def read_text(path: Path, most: int = DOCUMENT) -> str:
    """The text of a regular file, without a byte order mark. Raises UnfitError as `read_bytes`."""
    return _decode(read_bytes(path, most))


def read_json(path: Path, *, most: int = DOCUMENT, finite: bool = False) -> Any:
    """The value in a JSON file. Raises UnfitError as `read_bytes` and `parse_json` do."""
    return parse_json(read_text(path, most), finite=finite)


def parse_json(
    text: str,
    *,
    finite: bool = False,
    constant: Callable[[str], Any] | None = None,
    pairs: Callable[[list[tuple[str, Any]]], Any] | None = None,
) -> Any:
    """The value of a JSON text; with `finite`, NaN and infinity, which are not JSON, are refused.

    `constant` and `pairs` are `parse_constant` and `object_pairs_hook` of `json.loads`; the text of
    a ValueError of theirs is shown. Raises UnfitError, also for more than `DEPTH` levels.
    """
    parse_constant = _refuse if finite else constant
    try:
        value = json.loads(text, parse_constant=parse_constant, object_pairs_hook=pairs)
    except RecursionError:
        raise UnfitError(f"is no JSON that can be read: {_TOO_DEEP}") from None
    except ValueError as error:
        raise UnfitError(f"is no JSON ({_parse_error(error)})") from None
    _require_shallow(value)
    return value


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises UnfitError as `read_bytes` and `parse_toml` do."""
    return parse_toml(read_text(path, SETTINGS))


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises UnfitError, also for more than `DEPTH` levels."""
    if text.count(".") >= DEPTH and _LONG_KEY.search(text):
        raise UnfitError(f"not valid TOML: {_TOO_DEEP}")
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise UnfitError(f"not valid TOML: {_TOO_DEEP}") from None
    except ValueError as error:
        raise UnfitError(f"not valid TOML: {_parse_error(error)}") from None
    _require_shallow(tables)
    return tables


def require_folder(path: Path) -> None:
    """Raise UnfitError unless `path` is a folder, or its first existing parent is one."""
    for each in (path, *path.parents):
        if is_there(each):
            if not each.is_dir():
                raise UnfitError(f"{each} is there and is no folder")
            return


def in_words(size: int) -> str:
    """A number of bytes as a text: `64 MiB`, `4 GiB`, `100 bytes`."""
    for unit, name in ((2**30, "GiB"), (MIB, "MiB"), (2**10, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"


_TOO_DEEP = f"nested deeper than {DEPTH}"


def _require_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for is_one, name in _KINDS if is_one(mode)), "special file")
        raise UnfitError(f"cannot be read: it is a {kind}, and a regular file is required")


def _require_shallow(value: Any) -> None:
    """Refuse more than `DEPTH` levels, without recursion; later code may use recursion."""
    level = [value]
    for _ in range(DEPTH + 1):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise UnfitError(f"is {_TOO_DEEP}")


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        reason = f"it is not UTF-8 (line {line}); save it as UTF-8"
        raise UnfitError(f"cannot be read: {reason}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _parse_error(error: ValueError) -> str:
    """The message of a parser; Python's own about very long numbers is for programmers."""
    return "a number of too many digits" if "integer string" in str(error) else str(error)


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
