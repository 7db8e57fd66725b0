"""JSON text that is the same bytes for the same document."""

from __future__ import annotations

import json
from typing import Any


def dumps(document: dict[str, Any]) -> str:
    r"""Indented ASCII JSON with a final new line, in the order of `document`'s keys.

    ASCII, so that a lone surrogate, which some tokenizers decode to and UTF-8 cannot hold, survives
    as `\ud800`. Keys are not sorted here: the order of variants and axes is the profile's, and
    `document` has already sorted what has no order.

    Raises ValueError for NaN and infinity, which are not JSON.
    """
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
