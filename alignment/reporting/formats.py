"""The formats of a report, and those that a run writes by default."""

from __future__ import annotations

FILES = {
    "json": "report.json",
    "md": "report.md",
    "html": "report.html",
    "csv": "cases.csv",
    "parquet": "cases.parquet",
}
"""Format -> its file name, for formats that are one file."""

PICTURES = ("svg", "png", "pdf")
"""Formats of figures: one file per figure."""

FORMATS = (*FILES, *PICTURES)
DEFAULT = ("json", "md", "html", "csv", "svg", "png")
"""Written by every run; the others on request."""
