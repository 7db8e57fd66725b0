"""Unicode normalization in linear time for any text."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

_LONGEST_RUN = 100
_RUN = re.compile(rf"[^\w\s\x00-\x7f]{{{_LONGEST_RUN + 1},}}")
_JOINER = "\N{COMBINING GRAPHEME JOINER}"
"""An invisible character that ends a run of marks, as in Unicode's stream-safe text format."""


def normalized(form: Literal["NFC", "NFKC"], text: str) -> str:
    """A text in a normal form; runs of over 100 marks, which no language has, are split.

    Normalization sorts the marks of a letter in time quadratic in their number.
    """
    return text if text.isascii() else unicodedata.normalize(form, _RUN.sub(_split_run, text))


def _split_run(match: re.Match[str]) -> str:
    run = match.group()
    if not any(map(unicodedata.combining, run)):
        return run
    return _JOINER.join(run[i : i + _LONGEST_RUN] for i in range(0, len(run), _LONGEST_RUN))
