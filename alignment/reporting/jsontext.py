"""JSON text that is the same bytes for the same document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def pieces(document: Mapping[str, Any]) -> Iterator[str]:
    r"""Indented ASCII JSON with a final new line, in the order of `document`'s keys.

    In pieces, for a report of many cases is larger than all that it is made of. ASCII, so that a
    lone surrogate, which some tokenizers decode to and UTF-8 cannot hold, survives as `\ud800`.
    Keys are not sorted here: the order of variants and axes is the profile's, and `document` has
    already sorted what has no order.

    Raises ValueError for NaN and infinity, which are not JSON.
    """
    yield from json.JSONEncoder(indent=2, ensure_ascii=True, allow_nan=False).iterencode(document)
    yield "\n"


def dumps(document: Mapping[str, Any]) -> str:
    """`pieces` as one text."""
    return "".join(pieces(document))
