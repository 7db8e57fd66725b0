"""The JSON files of a model folder, read as what they are: files that somebody else wrote.

What is no regular file is never opened, so that neither a pipe nor a device can stop a run.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections import Counter
from pathlib import Path
from typing import Any

from alignment.errors import ModelError

_LARGEST = 256 * 2**20
"""Bytes; the tokenizers of the largest vocabularies have some 35 million."""
_BOM = b"\xef\xbb\xbf"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SHOWN = 60


def is_there(path: Path) -> bool:
    """Whether there is anything under this name; ModelError where it is no file to be read."""
    try:
        found = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise ModelError(
                f"model {path.parent}: {shown(path.name)} is a link to a file that is not there"
            ) from None
        return False
    except OSError as error:  # a link to itself, a name that is too long
        raise ModelError(
            f"model {path.parent}: {shown(path.name)} cannot be read: {error.strerror}"
        ) from error
    if not stat.S_ISREG(found):
        raise ModelError(
            f"model {path.parent}: {shown(path.name)} is a {_kind(found)}; a regular file is "
            f"required"
        )
    return True


def read_json(path: Path, otherwise: str = "") -> dict[str, Any]:
    """A JSON object from a file of a model.

    Raises ModelError where there is none, and where readers of JSON do not agree on what it says: a
    name twice in one object, NaN, half of a surrogate pair, a byte order mark.
    """
    where = f"model {path.parent}: {path.name}"
    if not is_there(path):
        raise ModelError(f"model {path.parent}: {otherwise or f'has no {path.name}'}")
    try:
        value = _parsed(_text(path, where))
    except RecursionError as error:
        raise ModelError(f"{where} cannot be read: nested too deeply") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{where} cannot be read: {shown(str(error), 200)}") from error
    if not isinstance(value, dict):
        raise ModelError(f"{where} is not a JSON object")
    return value


def read_text(path: Path) -> str:
    """The text of a template; ModelError where it is none."""
    where = f"model {path.parent}: {path.name}"
    try:
        return _text(path, where)
    except (OSError, ValueError) as error:
        raise ModelError(f"{where} cannot be read: {shown(str(error), 200)}") from error


def digest(value: Any) -> str:
    """A hash of what a JSON file says: white space and escapes do not count, the order does.

    A tokenizer gives new tokens their numbers in the order in which it finds them.
    """
    return hashlib.sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()


def shown(text: Any, length: int = _SHOWN) -> str:
    """What a file says, as it can stand in a message: one short line of printable characters."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in str(text)[: 2 * length])
    return plain if len(plain) <= length else f"{plain[: length - 1]}…"


def _text(path: Path, where: str) -> str:
    size = path.stat().st_size
    if size > _LARGEST:
        raise ModelError(
            f"{where} has {size} bytes; at most {_LARGEST} are read of a file that is no weights"
        )
    content = path.read_bytes()
    if content.startswith(_BOM):
        raise ModelError(
            f"{where} begins with a byte order mark, which transformers does not read; save it as "
            f"UTF-8 without one"
        )
    return content.decode("utf-8")


def _parsed(text: str) -> Any:
    value = json.loads(text, object_pairs_hook=_once, parse_constant=_finite)
    if _SURROGATE.search(text):  # else there can be none, and encoding is dear
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"{shown(twice)!r} stands twice in one object")
    return value


def _finite(constant: str) -> float:
    """Infinity is what transformers itself writes for the time limits of Mamba; NaN is nothing."""
    if constant == "NaN":
        raise ValueError("NaN is no value")
    return float(constant)


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "folder",
        stat.S_IFIFO: "pipe",
        stat.S_IFCHR: "device",
        stat.S_IFBLK: "device",
        stat.S_IFSOCK: "socket",
    }
    return kinds.get(stat.S_IFMT(mode), "special file")
