"""The JSON files of a model folder, read strictly, because anybody may have written them."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from alignment.errors import ModelError, quoted
from alignment.files import foreign

_BOM = b"\xef\xbb\xbf"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SHOWN = 60


def is_there(path: Path) -> bool:
    """Whether anything has this name. Raises ModelError where it is not a readable file."""
    if not foreign.is_there(path):
        return False
    try:
        foreign.opened(path).close()
    except foreign.UnfitError as error:
        raise ModelError(f"model {path.parent}: {shown(path.name)} {error}") from error
    return True


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a model.

    Raises ModelError where there is none, and for JSON that parsers read differently: a name twice
    in one object, NaN, half of a surrogate pair, a byte order mark.
    """
    text = read_text(path)
    try:
        value = foreign.parse_json(text, constant=_finite, pairs=_unique_keys)
        if _SURROGATE.search(text):  # otherwise there is none, and encoding takes time
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ModelError(
            f"model {path.parent}: {path.name} holds half of a surrogate pair, which is no text"
        ) from error
    except foreign.UnfitError as error:
        raise ModelError(f"model {path.parent}: {path.name} {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"model {path.parent}: {path.name} is not a JSON object")
    return value


def read_text(path: Path) -> str:
    """The text of a file of a model. Raises ModelError where it is not UTF-8 text."""
    where = f"model {path.parent}: {path.name}"
    try:
        with foreign.opened(path) as file:
            marked = file.read(len(_BOM)) == _BOM
        text = foreign.read_text(path)
    except foreign.UnfitError as error:
        raise ModelError(f"{where} {error}") from error
    if marked:
        raise ModelError(
            f"{where} begins with a byte order mark, which transformers does not read; save it as "
            f"UTF-8 without one"
        )
    return text


def digest(value: Any) -> str:
    """SHA-256, in hex, of a JSON value: white space and escapes do not count, the order does.

    The order counts because a tokenizer numbers added tokens in the order of the file.
    """
    return hashlib.sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()


def shown(text: Any, length: int = _SHOWN) -> str:
    """A file's text shortened for a message: one line of at most `length` printable characters."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in str(text)[: 2 * length])
    return plain if len(plain) <= length else f"{plain[: length - 1]}…"


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"{quoted(twice)} appears twice in one object")
    return value


def _finite(constant: str) -> float:
    """Refuse NaN. Infinity is accepted: transformers writes it for the time limits of Mamba."""
    if constant == "NaN":
        raise ValueError("NaN is not allowed")
    return float(constant)
