"""Makes untrusted text safe to be shown: texts of models and datasets may contain anything."""

from __future__ import annotations

import re
import textwrap

# Everything that a terminal or a browser may act on instead of showing it: C0 and C1 controls, DEL,
# bidi controls, line and paragraph separators, invisible fillers, interlinear marks, tags, lone
# surrogates, and the two that XML refuses (U+FFFE, U+FFFF). The zero-width joiners U+200C and
# U+200D stay: Persian, Indic scripts and emoji need them, and they only shape the letters beside
# them.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
# Commands that a CI reads in its log: GitHub's `::error::` at the start of a line, and anywhere the
# older form `##[error]`, which Azure writes `##vso[...]` and TeamCity `##teamcity[...]`.
_COMMAND = re.compile(r"^([^\S\n]*+):(?=:)|#(?=#\w*\[)", re.MULTILINE)
_LINE, _END = 480, 200
_SCANNED = 10_000
_NEW_LINE = re.compile(r"\r\n?")
_TAB = "    "


def safe(text: str, *, lines: bool = False) -> str:
    r"""`text` with every control character as a visible escape, such as `\x1b` or `\u202e`.

    With `lines` new lines stay (`\r\n` and `\r` become `\n`) and tabs become four spaces; without,
    the result is one line. The result can always be encoded as UTF-8.
    """
    if not lines:
        return _UNSAFE.sub(_escape, text)
    text = _NEW_LINE.sub("\n", text).replace("\t", _TAB)
    return "\n".join(_UNSAFE.sub(_escape, line) for line in text.split("\n"))


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def shorten(text: str, limit: int) -> str:
    """`text`, or its first `limit` - 1 characters and an ellipsis where it is longer."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def one_line(text: str) -> str:
    """A message as one line of at most 480 characters, safe for a terminal and for a CI's log.

    A longer one loses its middle: the beginning says where the problem is, the end what to do.
    """
    line = inert(safe(text[:_SCANNED] + text[-_SCANNED:] if len(text) > 2 * _SCANNED else text))
    return line if len(line) <= _LINE else f"{line[: _LINE - _END - 3]} … {line[-_END:]}"


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` characters, all but the first indented by two."""
    return textwrap.wrap(text, width, subsequent_indent="  ")


def inert(lines: str) -> str:
    r"""Lines for a terminal in which a CI sees no command, whatever text they quote.

    `::` at the start of a line becomes `\x3a:`, and the `##` of `##[` becomes `\x23#`.
    """
    return _COMMAND.sub(
        lambda match: rf"{match[1]}\x3a" if match[1] is not None else r"\x23", lines
    )
