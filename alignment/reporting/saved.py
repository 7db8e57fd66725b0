"""Finds and reads reports that were written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alignment.errors import ReportError
from alignment.files.foreign import UnfitError, read_json
from alignment.reporting.document import SCHEMA

COMPLETE, PARTIAL = "report", "report.partial"
"""The names of a report's files, without suffix."""

_MOST = 4 * 2**30
"""Most bytes of a report that is read: enough for a million cases."""

_NEEDED = ("axes", "cases", "complete", "gate", "judge", "limit", "profile", "prompts", "variants")


def read_report(path: Path, *, needed: tuple[str, ...] = _NEEDED) -> dict[str, Any]:
    """The document in a JSON file.

    Raises ReportError for a file that cannot be read, is cut off or not JSON, is of another schema,
    or lacks one of the `needed` keys.
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
    """The JSON file of the report at `place`, which is that file or a report's folder.

    A complete report is preferred to a partial one. Raises ReportError where there is none.
    """
    if not place.is_dir():
        return place
    for name in (COMPLETE, PARTIAL):
        if (path := place / f"{name}.json").is_file():
            return path
    raise ReportError(
        f"{place}: contains no {COMPLETE}.json; name a report's folder or its JSON file"
    )
