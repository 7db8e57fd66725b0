"""Writes reports to disk: the only module of `reporting` that writes files.

A complete run writes all of its renderings under their own names. A run that is incomplete or
limited always writes `report.partial.json` and so on instead, so that it never replaces the report
of a complete run. The next complete run removes the partial files.

All files in the folder are of one run: they are replaced in one step (see `files.sets`), the JSON
last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from alignment.errors import ReportError, StoreError
from alignment.files.foreign import UnfitError, require_folder
from alignment.files.rooms import Content
from alignment.files.sets import replacing
from alignment.reporting.saved import COMPLETE, PARTIAL

REPORT = f"{COMPLETE}.json"
_PAGES = tuple(f"{COMPLETE}.{suffix}" for suffix in ("json", "md", "html"))
"""The files that a partial run writes too, as `report.partial.*`."""


def is_whole(document: Mapping[str, Any]) -> bool:
    """Whether a report is of a complete run with all prompts of the profile."""
    return bool(document["complete"]) and document["limit"] is None


def write_report(
    directory: Path,
    document: Mapping[str, Any],
    renderings: Mapping[str, Content],
    owned: Iterable[str] = (),
) -> Path:
    """Write the `renderings` of `document` into `directory`; returns the path of the JSON.

    `renderings` are by file name as in a complete report (`report.json`, which must be there,
    `report.md`, `figures/rates.svg`); of a partial one only JSON, Markdown and HTML are written.
    They appear together or not at all. A missing folder is created, accessible to its owner only.

    `owned` are the names of all files that a report may have. If the folder held the report of
    another run, those among them that this report does not have are removed, and nothing else.

    Raises StoreError when the file system refuses, ValueError for a document that is not JSON.
    """
    whole = is_whole(document)
    report = REPORT if whole else _partial(REPORT)
    texts = {
        name if whole else _partial(name): content
        for name, content in renderings.items()
        if whole or name in _PAGES
    }
    try:
        with replacing(directory, private=True) as new:
            for name in sorted(texts, key=report.__eq__):
                new.write(name, texts[name])
            stale = {_partial(name) for name in _PAGES} if whole else set()
            if whole and not new.is_as_before(report):
                stale |= set(owned) - texts.keys()
            new.commit(stale)
    except OSError as error:
        where = error.filename or directory
        raise StoreError(
            f"the report cannot be written: {where}: {error.strerror or error}; "
            "free disk space, check the permissions of the folder, or choose another"
        ) from error
    return directory / report


def check_place(directory: Path) -> None:
    """Check before a run that a report can be written there. Raises ReportError if not."""
    try:
        require_folder(directory)
    except UnfitError as error:
        raise ReportError(f"--alignment-report: {error}; name a folder") from None
    for path in (directory / name for page in _PAGES for name in (page, _partial(page))):
        if path.exists() and not path.is_file() and not path.is_dir():
            raise ReportError(
                f"--alignment-report: {path} exists and is not a regular file; name another folder"
            )


def _partial(name: str) -> str:
    return f"{PARTIAL}{name.removeprefix(COMPLETE)}"
