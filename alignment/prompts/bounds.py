"""What a file unpacks to, found before a library reads it that has no limits of its own."""

from __future__ import annotations

import lzma
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from alignment.errors import PromptError
from alignment.files.foreign import DOCUMENT, UnfitError, in_words, opened
from alignment.prompts.jsonfiles import LINES, WHOLE

_CHUNK = 2**20
_PARQUET = b"PAR1"
_ZIP = b"PK\x03\x04"
_XZ = b"\xfd7zXZ\x00"
_STREAMS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
}
_CLOSED = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!": "RAR"}


def require_bounded(path: Path) -> None:
    """Raise PromptError for a file that is none, or unpacks to more than may be read.

    The limits are those of files that are read here: of all that is unpacked, of rows, and of one
    line, which may hold a whole list. What a value in Parquet is repeated to is not known.
    """
    try:
        with opened(path) as file:
            start = file.read(8)
            file.seek(0)
            _require(path, file, start)
    except UnfitError as error:
        raise PromptError(f"{path}: {error}") from error
    except (EOFError, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise PromptError(f"{path}: corrupt archive ({error}); fetch it again") from error
    except OSError as error:
        raise PromptError(f"{path}: cannot be read ({error.strerror or error})") from error


def _require(path: Path, file: IO[bytes], start: bytes) -> None:
    for magic, name in _CLOSED.items():
        if start.startswith(magic):
            raise PromptError(f"{path}: is packed as {name}; unpack it")
    if start.startswith(_PARQUET):
        _require_columns(path, file)
    elif start.startswith(_ZIP):
        with zipfile.ZipFile(file) as archive:
            _require_size(path, sum(each.file_size for each in archive.infolist()))
    else:
        _require_lines(path, _unpacked(file, start))


def _require_columns(path: Path, file: IO[bytes]) -> None:
    """By the file's own account."""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        told: Any = pq.read_metadata(file)
        groups = [told.row_group(i).total_byte_size for i in range(told.num_row_groups)]
    except pa.ArrowInvalid as error:
        raise PromptError(f"{path}: no Parquet file ({' '.join(str(error).split())})") from error
    _require_size(path, sum(groups))
    if told.num_rows > LINES:
        raise _too_large(path, f"{LINES:,} rows or more")


def _unpacked(file: IO[bytes], start: bytes) -> Iterator[bytes]:
    kind = next((name for magic, name in _STREAMS.items() if start.startswith(magic)), None)
    if kind is not None:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        read: Callable[[int], bytes] = pa.CompressedInputStream(file, kind).read
    else:
        read = lzma.LZMAFile(file).read if start.startswith(_XZ) else file.read  # noqa: SIM115
    return iter(lambda: read(_CHUNK), b"")


def _require_lines(path: Path, chunks: Iterator[bytes]) -> None:
    size = line = 0
    for chunk in chunks:
        size += len(chunk)
        _require_size(path, size)
        line = len(chunk) - 1 - end if (end := chunk.rfind(b"\n")) >= 0 else line + len(chunk)
        if line > DOCUMENT:
            raise _too_large(path, f"a line of more than {in_words(DOCUMENT)}")


def _require_size(path: Path, size: int) -> None:
    if size > WHOLE:
        raise _too_large(path, f"more than {in_words(WHOLE)}, unpacked")


def _too_large(path: Path, found: str) -> PromptError:
    return PromptError(f"{path}: {found}, which is the limit; split the file into smaller ones")
