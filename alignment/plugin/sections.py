"""Calls the hooks of other plugins that add sections to a report, or take the finished report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alignment.errors import AlignmentError
from alignment.runtime.plugins import said_by

_TITLE, _TEXT = 200, 200_000
"""Characters of a section's title and text, at most."""


def add_sections(config: pytest.Config, document: dict[str, Any]) -> None:
    """Add the sections that hooks return, if any, to the document. Raises AlignmentError."""
    hook = "pytest_alignment_report_section"
    try:
        returned = config.hook.pytest_alignment_report_section(config=config, document=document)
    except Exception as error:
        raise AlignmentError(f"{hook}: a plugin's hook raised {said_by(error)}") from error
    if sections := [_section(hook, each) for each in returned]:
        document["sections"] = sections


def tell_written(config: pytest.Config, document: dict[str, Any], folder: Path) -> None:
    """Call the hooks that take the finished report. Raises AlignmentError if one raises."""
    try:
        config.hook.pytest_alignment_report_written(config=config, document=document, folder=folder)
    except Exception as error:
        raise AlignmentError(
            f"pytest_alignment_report_written: a plugin's hook raised {said_by(error)}"
        ) from error


def _section(hook: str, returned: object) -> dict[str, str]:
    if not (
        isinstance(returned, tuple)
        and len(returned) == 2
        and all(isinstance(each, str) for each in returned)
    ):
        kind = type(returned).__name__
        raise AlignmentError(
            f"{hook}: a plugin's hook returned a {kind}; (title, text) is required"
        )
    title, text = returned
    if not title.strip() or len(title) > _TITLE or len(text) > _TEXT:
        raise AlignmentError(
            f"{hook}: a plugin's section has a title of {len(title)} characters and a text of "
            f"{len(text)}; 1 to {_TITLE} and at most {_TEXT} are required"
        )
    return {"title": title, "text": text}
