"""JSON text: equal documents give equal bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def pieces(document: Mapping[str, Any]) -> Iterator[str]:
    r"""Indented ASCII JSON with a final new line, in the order of `document`'s keys.

    The text comes in pieces because that of many cases takes more memory than the document itself.
    It is ASCII so that a lone surrogate, which some tokenizers produce and UTF-8 cannot hold, is
    kept as `\ud800`. Keys are not sorted here: variants and axes have the order of the profile, and
    `document` has sorted everything without an order.

    Raises ValueError for NaN and infinity, which are not JSON.
    """
    yield from json.JSONEncoder(indent=2, ensure_ascii=True, allow_nan=False).iterencode(document)
    yield "\n"


def dumps(document: Mapping[str, Any]) -> str:
    """`pieces` as one text."""
    return "".join(pieces(document))
