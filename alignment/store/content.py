"""Hashes of content: of JSON values, of a file's bytes, of the tensors in a file.

The module itself can be used as a `Hasher` that reads every file.
"""

from __future__ import annotations

import hashlib
import json
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Protocol

from alignment.files.foreign import UnfitError

_LENGTH = 8
"""Bytes at the beginning of a safetensors file that hold the length of its header."""
_HEADER = 100_000_000
"""Bytes of a header at most, as in safetensors itself."""
_CHUNK = 2**20


class Hasher(Protocol):
    """Gives the hashes of files: by reading them, or from a cache."""

    def file_hash(self, path: Path, /) -> str:
        """SHA-256 of a file's bytes, in hex."""

    def tensor_hashes(self, path: Path, /) -> tuple[str, ...]:
        """SHA-256 of each tensor in a safetensors file (name, type, shape, bytes), sorted."""


def content_key(*parts: Any) -> str:
    """The first 32 hex digits of a SHA-256 over JSON values; the order of keys does not count."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_hash(path: Path, /) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return digest_file(file)


def tensor_hashes(path: Path, /) -> tuple[str, ...]:
    """SHA-256 of each tensor in a safetensors file, sorted. Raises UnfitError, OSError."""
    with path.open("rb") as file:
        return digest_tensors(file)


def digest_file(file: BufferedIOBase) -> str:
    """SHA-256 of an open file's bytes, in hex."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def digest_tensors(file: BufferedIOBase) -> tuple[str, ...]:
    """SHA-256 of each tensor in an open safetensors file, sorted; `__metadata__` does not count.

    The file is parsed here, because the safetensors library reads only types that numpy or torch
    has, and a whole tensor at once. Raises UnfitError for a file that is no safetensors file.
    """
    header, data = _header(file)
    try:
        return tuple(
            sorted(
                _digest(file, [name, each["dtype"], each["shape"]], data, *each["data_offsets"])
                for name, each in header.items()
            )
        )
    except (TypeError, KeyError, ValueError) as error:
        raise UnfitError("is no safetensors file: its header says no places of tensors") from error


def _header(file: BufferedIOBase) -> tuple[dict[str, Any], int]:
    """Name -> entry of a tensor in the header, and the position at which the data begins."""
    file.seek(0)
    length = int.from_bytes(file.read(_LENGTH), "little")
    if length > _HEADER:
        raise UnfitError("is no safetensors file: its header is too long")
    try:
        header = json.loads(file.read(length))
    except (ValueError, RecursionError) as error:
        raise UnfitError("is no safetensors file: its header is no JSON") from error
    if not isinstance(header, dict):
        raise UnfitError("is no safetensors file: its header is no object")
    header.pop("__metadata__", None)
    return header, _LENGTH + length


def _digest(file: BufferedIOBase, entry: list[Any], data: int, begin: int, end: int) -> str:
    digest = hashlib.sha256(json.dumps(entry).encode() + b"\0")
    file.seek(data + begin)
    left = end - begin
    while left > 0:
        chunk = file.read(min(left, _CHUNK))
        if not chunk:
            raise UnfitError("is no safetensors file: it ends before its last tensor")
        digest.update(chunk)
        left -= len(chunk)
    return digest.hexdigest()
