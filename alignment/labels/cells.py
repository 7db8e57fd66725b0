r"""Texts as cells of a table that spreadsheets open, so that reading gives exactly the same text.

Two things are done to a text, and undone in reverse order:

- Characters that a cell cannot hold (controls, and carriage returns, which tools drop or take for
  the end of a row) are written as `\x00`, and a backslash that begins such a sequence as `\x5c`.
  After 32,000 characters the signs that begin a formula are written so
  too: some spreadsheets put what does not fit into a cell into the next one.
- A text that a spreadsheet could take for a formula, or that begins with an apostrophe, gets an
  apostrophe before it.
"""

from __future__ import annotations

import re

from alignment.reporting.formulas import is_formula

_CELL = 32_000
"""Where the signs of formulas begin to be escaped: a cell of a spreadsheet holds 32,767."""
_CODE = "0[0-8bcdef]|1[0-9a-f]|2b|2d|3d|40|5c|7f|[89][0-9a-f]"
_WIDE = "207a|207b|207c|208a|208b|208c|2212|2a75|2a76|fb29|fe62|fe63|fe66|fe6b|ff0b|ff0d|ff1d|ff20"
"""The signs `=`, `+`, `-`, `@` of other scripts and widths."""

_ESCAPED = re.compile(rf"\\(?:x({_CODE})|u({_WIDE}))")
_UNFIT = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f]|\\(?=x(?:{_CODE})|u(?:{_WIDE}))")
_SIGN = re.compile(f"[-=+@{''.join(chr(int(code, 16)) for code in _WIDE.split('|'))}]")


def as_cell(text: str) -> str:
    """`text` as a cell; `from_cell` gives it back. Raises nothing."""
    shown = _UNFIT.sub(_escape, text)
    if len(shown) > _CELL:
        shown = shown[:_CELL] + _SIGN.sub(_escape, shown[_CELL:])
    return f"'{shown}" if _needs_apostrophe(shown) else shown


def from_cell(cell: str) -> str:
    """The text of a cell that `as_cell` made; any other cell that it could not have made as it is.

    An apostrophe that a spreadsheet has dropped is not missed.
    """
    if cell[:1] == "'" and _needs_apostrophe(cell[1:]):
        cell = cell[1:]
    if "\\" not in cell:
        return cell
    return _ESCAPED.sub(lambda match: chr(int(match[1] or match[2], 16)), cell)


def _needs_apostrophe(text: str) -> bool:
    return text[:1] == "'" or is_formula(text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"
