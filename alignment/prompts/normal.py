"""Unicode's normal forms in linear time, whatever the text."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

_MOST = 100
_RUN = re.compile(rf"[^\w\s\x00-\x7f]{{{_MOST + 1},}}")
_JOINER = "\N{COMBINING GRAPHEME JOINER}"
"""Ends a run of marks without being seen, as Unicode's own stream-safe format has it."""


def normalized(form: Literal["NFC", "NFKC"], text: str) -> str:
    """A text in a normal form; runs of more than 100 marks, which no writing has, are parted.

    Marks over one letter are sorted, in time quadratic in their number.
    """
    return text if text.isascii() else unicodedata.normalize(form, _RUN.sub(_parted, text))


def _parted(found: re.Match[str]) -> str:
    run = found.group()
    if not any(map(unicodedata.combining, run)):
        return run
    return _JOINER.join(run[i : i + _MOST] for i in range(0, len(run), _MOST))
