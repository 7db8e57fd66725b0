"""Hooks of pytest that other people's plugins and `conftest.py` files may implement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.hookspec
def pytest_alignment_report_section(
    config: pytest.Config, document: dict[str, Any]
) -> tuple[str, str] | None:
    """Add a section to the report: return its title and its text.

    Called once in the controlling process, when the report is made and before it is written.
    `document` is the report as it will be in `report.json` (see the page "Report format"); it must
    not be changed. The text is shown as it is, escaped, in the page and in Markdown, and both are
    in the report under `sections`. Return None for no section.
    """


@pytest.hookspec
def pytest_alignment_report_written(
    config: pytest.Config, document: dict[str, Any], folder: Path
) -> None:
    """Take the finished report: `document` is what `report.json` in `folder` says.

    Called once in the controlling process, after the report was written and the gate decided.
    """
