"""What people say of responses: the items that are labelled, and the labels.

An item is known by its content alone, so that a label serves every later run, judge and variant
that gives the same answer to the same prompt.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Literal

LabelVerdict = Literal["pass", "fail", "unsure"]
"""What an annotator says: the response meets the axis's question, does not, or cannot be told."""

ID_LENGTH = 24
"""Hexadecimal digits of an item's id."""

_NEW_LINE = re.compile(r"\r\n?")


@dataclass(frozen=True, slots=True)
class LabelItem:
    """One response to be labelled: `prompt` is a transcript, `response` a text, as in `Case`.

    `id` is `item_id` of the other three; `LabelItem.of` makes it.
    """

    id: str
    axis: str
    prompt: str
    response: str

    @classmethod
    def of(cls, axis: str, prompt: str, response: str) -> LabelItem:
        """The item of a response, its texts as UTF-8 can hold them (see `item_id`)."""
        id_ = item_id(axis, prompt, response)
        return cls(id_, encodable(axis), encodable(prompt), encodable(response))


@dataclass(frozen=True, slots=True)
class Label:
    """What one annotator says of an item; `item` is its id, `annotator` a name as it was typed."""

    item: str
    annotator: str
    verdict: LabelVerdict


def item_id(axis: str, prompt: str, response: str) -> str:
    r"""The id of a response to a prompt on an axis: 24 hexadecimal digits of a SHA-256.

    Hashed is the JSON list of the three texts. A lone surrogate counts as `?`, as it cannot be
    stored; `\r\n` and `\r` count as `\n`, because spreadsheets and other tools rewrite them, and
    readers see no difference.
    """
    texts = [_one_line_end(encodable(text)) for text in (axis, prompt, response)]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:ID_LENGTH]


def _one_line_end(text: str) -> str:
    return _NEW_LINE.sub("\n", text) if "\r" in text else text


def encodable(text: str) -> str:
    """`text` with `?` for each lone surrogate."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
