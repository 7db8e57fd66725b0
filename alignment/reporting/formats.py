"""What a report can be written in, and what a run writes if nobody says otherwise."""

from __future__ import annotations

FILES = {
    "json": "report.json",
    "md": "report.md",
    "html": "report.html",
    "csv": "cases.csv",
    "parquet": "cases.parquet",
}
"""Format -> the one file that it is."""

PICTURES = ("svg", "png", "pdf")
"""Formats of figures, which have one file each."""

FORMATS = (*FILES, *PICTURES)
DEFAULT = ("json", "md", "html", "csv", "svg", "png")
"""What every run leaves; the others are made on request."""
