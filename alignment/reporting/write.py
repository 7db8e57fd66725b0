"""Reports on disk: the only place in `reporting` that touches files.

A complete run writes `report.json` and `report.md`. A run that is incomplete or limited writes
`report.partial.json` and `report.partial.md` instead, always, whether or not a complete report is
there: a name then says what a file is, and a quick look never replaces a verdict. The next complete
run removes the partial files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from alignment.errors import StoreError
from alignment.reporting import jsontext
from alignment.reporting.markdown import markdown

COMPLETE, PARTIAL = "report", "report.partial"
_SUFFIXES = (".md", ".json")
_STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def write_report(directory: Path, document: dict[str, Any]) -> Path:
    """Write the JSON and the Markdown report into `directory`; returns the path of the JSON.

    Each file appears whole or not at all, and when one of the two cannot be written both are as
    they were before. The folder is made if need be. The Markdown is also appended to the file that
    `$GITHUB_STEP_SUMMARY` names, where it is set.

    Raises StoreError when the file system refuses, ValueError for a document that is not JSON.
    """
    whole = bool(document["complete"]) and document["limit"] is None
    stem = COMPLETE if whole else PARTIAL
    summary = markdown(document)
    texts = {".md": [summary], ".json": jsontext.pieces(document)}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _replace_all({directory / f"{stem}{suffix}": texts[suffix] for suffix in _SUFFIXES})
        if whole:
            for suffix in _SUFFIXES:
                (directory / f"{PARTIAL}{suffix}").unlink(missing_ok=True)
        if place := os.environ.get(_STEP_SUMMARY):
            with Path(place).open("a", encoding="utf-8") as file:
                file.write(summary + "\n")
    except OSError as error:
        where = error.filename or directory
        raise StoreError(
            f"the report cannot be written: {where}: {error.strerror or error}; "
            "make the folder writable or choose another"
        ) from error
    return directory / f"{stem}.json"


def _replace_all(texts: dict[Path, Iterable[str]]) -> None:
    """Replace all files, or leave all as they were."""
    fresh = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in texts}
    replaced: dict[Path, bytes | None] = {}
    *earlier, last = texts
    try:
        for path, text in texts.items():
            with fresh[path].open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(text)
        for path in earlier:
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


def _put_back(path: Path, before: bytes | None) -> None:
    with suppress(OSError):
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)
