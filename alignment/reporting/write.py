"""Reports on disk: the only place in `reporting` that writes files.

A complete run writes all of its renderings under their own names. A run that is incomplete or
limited writes `report.partial.json` and the like instead, always, whether or not a complete report
is there: a name then says what a file is, and a quick look never replaces a verdict. The next
complete run removes the partial files.
"""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from alignment.errors import ReportError, StoreError
from alignment.files.foreign import UnfitError, require_folder
from alignment.reporting.read import COMPLETE, PARTIAL

Rendering = bytes | Iterable[str]
"""A file's content: bytes, or pieces of a text in UTF-8."""

REPORT = f"{COMPLETE}.json"
_PAGES = tuple(f"{COMPLETE}.{suffix}" for suffix in ("json", "md", "html"))
"""What a partial run writes too."""


def is_whole(document: Mapping[str, Any]) -> bool:
    """Whether a report is of a complete run and no quick look."""
    return bool(document["complete"]) and document["limit"] is None


def write_report(
    directory: Path,
    document: Mapping[str, Any],
    renderings: Mapping[str, Rendering],
    owned: Iterable[str] = (),
) -> Path:
    """Write the `renderings` of `document` into `directory`; returns the path of the JSON.

    `renderings` are by file name as in a complete report (`report.json`, which must be there,
    `report.md`, `figures/rates.svg`); of a partial one only the pages are written. Each file
    appears whole or not at all, and when one cannot be written all are as they were before. The
    folder is made if need be.

    `owned` are the names of all that a report may consist of. Where the folder held another run's
    report, those of them that this one does not bring are removed; nothing else is ever touched.

    Raises StoreError when the file system refuses, ValueError for a document that is not JSON.
    """
    whole = is_whole(document)
    texts = {
        directory / (name if whole else _partial(name)): content
        for name, content in renderings.items()
        if whole or name in _PAGES
    }
    report = directory / (REPORT if whole else _partial(REPORT))
    try:
        fresh = _replace_all(texts, last=report)
        stale = {directory / _partial(name) for name in _PAGES} if whole else set()
        if whole and fresh:
            stale |= {directory / name for name in owned} - texts.keys()
        _remove(stale, directory)
    except OSError as error:
        where = error.filename or directory
        raise StoreError(
            f"the report cannot be written: {where}: {error.strerror or error}; "
            "make the folder writable or choose another"
        ) from error
    return report


def check_place(directory: Path) -> None:
    """See before a run that a report can lie there. Raises ReportError where no folder can."""
    try:
        require_folder(directory)
    except UnfitError as error:
        raise ReportError(f"--alignment-report: {error}; name a folder") from None


def _partial(name: str) -> str:
    return f"{PARTIAL}{name.removeprefix(COMPLETE)}"


def _replace_all(texts: dict[Path, Rendering], last: Path) -> bool:
    """Replace all files, or leave all as they were; whether `last` is another than before."""
    fresh = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in texts}
    replaced: dict[Path, bytes | None] = {}
    made = [folder for folder in {path.parent for path in texts} if not folder.exists()]
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(fresh[path], text)
        changed = not (last.is_file() and filecmp.cmp(last, fresh[last], shallow=False))
        for path in texts.keys() - {last}:
            before = path.read_bytes() if path.exists() else None
            fresh[path].replace(path)
            replaced[path] = before
        fresh[last].replace(last)  # the large one: nothing fails after it, nothing of it is kept
    except OSError:
        for path, before in replaced.items():
            _put_back(path, before)
        raise
    finally:
        for path in fresh.values():
            with suppress(OSError):
                path.unlink(missing_ok=True)
        for folder in sorted(made, reverse=True):  # what is in one was written after all
            with suppress(OSError):
                folder.rmdir()
    return changed


def _write(path: Path, content: Rendering) -> None:
    if isinstance(content, bytes):
        path.write_bytes(content)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(content)


def _put_back(path: Path, before: bytes | None) -> None:
    with suppress(OSError):
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)


def _remove(paths: Iterable[Path], directory: Path) -> None:
    """Remove the files that are there, and the folders that this leaves empty."""
    emptied = set()
    for path in paths:
        if path.is_file():
            path.unlink()
            emptied.add(path.parent)
    for folder in emptied - {directory}:
        with suppress(OSError):  # somebody else's file is in it
            folder.rmdir()
