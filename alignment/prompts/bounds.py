"""Size limits of files that a library without limits of its own is about to read."""

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
_UNREADABLE = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!": "RAR"}


def require_bounded(path: Path) -> None:
    """Raise PromptError if a file is not regular, is damaged, or unpacks to more than the limits.

    The limits are those of `jsonfiles`: of the unpacked size, of the number of rows, and of one
    line, which may hold a whole JSON list. Parquet files are trusted to state their unpacked size.
    """
    try:
        with opened(path) as file:
            start = file.read(8)
            file.seek(0)
            _require_bounded(path, file, start)
    except UnfitError as error:
        raise PromptError(f"{path}: {error}") from error
    except (EOFError, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise PromptError(f"{path}: corrupt archive ({error}); fetch it again") from error
    except OSError as error:
        raise PromptError(f"{path}: cannot be read ({error.strerror or error})") from error


def _require_bounded(path: Path, file: IO[bytes], start: bytes) -> None:
    for magic, name in _UNREADABLE.items():
        if start.startswith(magic):
            raise PromptError(f"{path}: is packed as {name}; unpack it")
    if start.startswith(_PARQUET):
        _require_bounded_parquet(path, file)
    elif start.startswith(_ZIP):
        with zipfile.ZipFile(file) as archive:
            _require_bounded_size(path, sum(each.file_size for each in archive.infolist()))
    else:
        _require_bounded_lines(path, _unpacked(file, start))


def _require_bounded_parquet(path: Path, file: IO[bytes]) -> None:
    """Check the row count and the sizes in a Parquet file's metadata."""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        metadata: Any = pq.read_metadata(file)
        groups = [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]
    except pa.ArrowInvalid as error:
        raise PromptError(f"{path}: no Parquet file ({' '.join(str(error).split())})") from error
    _require_bounded_size(path, sum(groups))
    if metadata.num_rows > LINES:
        raise _too_large(path, f"{LINES:,} rows or more")


def _unpacked(file: IO[bytes], start: bytes) -> Iterator[bytes]:
    kind = next((name for magic, name in _STREAMS.items() if start.startswith(magic)), None)
    if kind is not None:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        read: Callable[[int], bytes] = pa.CompressedInputStream(file, kind).read
    else:
        read = lzma.LZMAFile(file).read if start.startswith(_XZ) else file.read  # noqa: SIM115
    return iter(lambda: read(_CHUNK), b"")


def _require_bounded_lines(path: Path, chunks: Iterator[bytes]) -> None:
    size = line = 0
    for chunk in chunks:
        size += len(chunk)
        _require_bounded_size(path, size)
        line = len(chunk) - 1 - end if (end := chunk.rfind(b"\n")) >= 0 else line + len(chunk)
        if line > DOCUMENT:
            raise _too_large(path, f"a line of more than {in_words(DOCUMENT)}")


def _require_bounded_size(path: Path, size: int) -> None:
    if size > WHOLE:
        raise _too_large(path, f"more than {in_words(WHOLE)}, unpacked")


def _too_large(path: Path, excess: str) -> PromptError:
    return PromptError(f"{path}: {excess}, which is the limit; split the file into smaller ones")
