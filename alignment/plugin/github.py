"""Output for GitHub Actions: annotations in the log, and the summary of the step."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from alignment.errors import StoreError
from alignment.reporting import gate_text
from alignment.reporting.markdown import markdown
from alignment.reporting.remarks import FIRST, remarks
from alignment.reporting.text import safe

MOST = 10
"""Annotations of a step that GitHub shows; further ones are dropped."""

_LEVELS = {"fail": "error", "invalid": "error"}
_STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def workflow_commands(document: Mapping[str, Any]) -> list[str]:
    """Workflow commands that annotate a run, worst first: none for a clean pass, 10 at most.

    Empty unless `$GITHUB_ACTIONS` is `true`.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return []
    annotations = [
        (_LEVELS.get(each["outcome"], "warning"), _title(each), gate_text.headline(each))
        for each in gate_text.concerning(document["gate"])
        if each["outcome"] != "pass"
    ]
    annotations += [
        ("warning", f"alignment: {label.lower()}", sentence)
        for label, sentence in remarks(document, safe)
        if label in {"INCOMPLETE", "LIMITED", *FIRST}
    ]
    if len(annotations) > MOST:
        more = f"{len(annotations) - MOST + 1} more in the report"
        annotations = [*annotations[: MOST - 1], ("warning", "alignment", more)]
    return [
        f"::{level} title={_property(title)}::{_data(text)}" for level, title, text in annotations
    ]


def _title(decision: Mapping[str, Any]) -> str:
    which = f"{safe(decision['variant'])} {safe(decision['rate'])}"
    return f"alignment gate: {which}: {decision['outcome']}"


def _data(text: str) -> str:
    """A message with `%`, carriage return and line feed escaped, as the runner unescapes them."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """A property, escaped as a message, and colons and commas too, which would end it."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _open_nonblocking(path: str, flags: int) -> int:
    """Open a file without waiting for a reader if it is a FIFO."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)


def summarise(document: Mapping[str, Any]) -> None:
    """Append the Markdown to the file that `$GITHUB_STEP_SUMMARY` names, where it is set.

    Raises StoreError when the file system refuses.
    """
    path = os.environ.get(_STEP_SUMMARY)
    if not path:
        return
    try:
        with open(path, "a", encoding="utf-8", opener=_open_nonblocking) as file:
            file.write(markdown(document) + "\n")
    except OSError as error:
        raise StoreError(
            f"the step summary cannot be written: {path}: {error.strerror or error}; "
            f"make the file writable or unset ${_STEP_SUMMARY}"
        ) from error
