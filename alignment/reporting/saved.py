"""Reports that were written: found, read back and looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alignment.errors import ReportError
from alignment.files.foreign import UnfitError, read_json
from alignment.reporting.document import SCHEMA

COMPLETE, PARTIAL = "report", "report.partial"
"""How the files of a report are called."""

_MOST = 4 * 2**30
"""Bytes of a report: one of a million cases can be read again."""

_NEEDED = ("axes", "cases", "complete", "gate", "judge", "limit", "profile", "prompts", "variants")


def read_report(path: Path, *, needed: tuple[str, ...] = _NEEDED) -> dict[str, Any]:
    """The document in a JSON file.

    Raises ReportError for a file that cannot be read, that is cut off or no JSON, that is of
    another schema, or that lacks a key which is `needed`.
    """
    try:
        document = read_json(path, most=_MOST, finite=True)
    except UnfitError as error:
        remedy = "name another report, or run the suite again"
        raise ReportError(f"{path}: {error}; {remedy}") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if type(schema) is int and schema > SCHEMA:
        raise ReportError(
            f"{path}: written by a newer release (schema {schema}, this release reads {SCHEMA}); "
            f"upgrade alignment-gate"
        )
    if not isinstance(document, dict) or type(schema) is not int or schema != SCHEMA:
        raise ReportError(f"{path}: is not a report of schema {SCHEMA}; run the suite again")
    if missing := sorted(set(needed) - document.keys()):
        raise ReportError(f"{path}: {', '.join(missing)} is missing; run the suite again")
    return document


def found_in(place: Path) -> Path:
    """The report that `place` stands for: a JSON file, or the one in a folder.

    A complete report goes before a partial one. Raises ReportError where there is none.
    """
    if not place.is_dir():
        return place
    for name in (COMPLETE, PARTIAL):
        if (path := place / f"{name}.json").is_file():
            return path
    raise ReportError(
        f"{place}: contains no {COMPLETE}.json; name a report's folder or its JSON file"
    )
