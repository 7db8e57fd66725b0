"""Texts that a spreadsheet would take for a formula, and so would run."""

from __future__ import annotations

import re
import unicodedata

_SIGNS = frozenset("=+-@\u2212")
# What some spreadsheets allow before a formula: spaces, quotes and invisible characters.
_LEADING = re.compile(
    "[\\s\"'\x00-\x1f\x7f-\xa0\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]*"
)


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may take `text` for a formula.

    The sign may be full-width, and follow quotes or invisible characters. A tab or a new line at
    the start counts too: some readers drop it.
    """
    start = _LEADING.match(text)
    first = text[start.end() : start.end() + 1] if start else ""
    return text[:1] in {"\t", "\r", "\n"} or not _SIGNS.isdisjoint(
        unicodedata.normalize("NFKC", first)[:1]
    )
