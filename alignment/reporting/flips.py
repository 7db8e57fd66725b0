"""Flipped prompts, with the words of their responses that differ before and after."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape
from typing import Any

from alignment.reporting import gate_text
from alignment.reporting.fitting import largest_limit
from alignment.reporting.numbers import Document
from alignment.reporting.text import safe

MOST = 50
"""Most flipped prompts shown of a decision, worst first."""

_BUDGET = 1_000_000
"""Most bytes of all texts together, with the marks of their words."""
_MARK = 6
"""Bytes per word for marks: at worst every other word is marked, which takes 11 bytes."""
_LONGEST = 2_000
"""Most characters of a response that are compared: the time grows with their square."""
_WORD = re.compile(r"\s*\S+|\s+$")
_ALIKE = 1 / 3
"""Texts with a smaller ratio of equal words are not marked: nearly all words would be."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive words of a response; `differs`: they occur on this side only."""

    text: str
    differs: bool


Side = tuple[Piece, ...] | None
"""The response of one side in pieces; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Flipped:
    """A flipped prompt and both responses in pieces.

    `unlike`: both responses are known and differ, but too much to be marked. `cut` is how many
    characters of the prompt and both responses are left out.
    """

    flip: Mapping[str, Any]
    text: str
    before: Side
    after: Side
    unlike: bool
    cut: int


@dataclass(frozen=True, slots=True)
class Flips:
    """The flipped prompts of one decision, worst first; `more` of them are not shown."""

    decision: Mapping[str, Any]
    lost: int
    gained: int
    shown: tuple[Flipped, ...]
    more: int


def flips(document: Document) -> list[Flips]:
    """The flipped prompts of every decision that has one, the worst outcome first.

    At most `MOST` of a decision; all texts are cut to one limit, so that they fit the page.
    """
    decisions = [each for each in _decisions(document) if gate_text.deciding(each)["flips"]]
    shown = [gate_text.deciding(each)["flips"][:MOST] for each in decisions]
    texts = [text for some in shown for flip in some for text in _texts(flip) if text]
    limit = largest_limit(texts, _BUDGET, _cost)
    return [
        Flips(
            decision=decision,
            lost=sum(flip["before"] for flip in gate_text.deciding(decision)["flips"]),
            gained=sum(flip["after"] for flip in gate_text.deciding(decision)["flips"]),
            shown=tuple(_show(flip, min(limit, _LONGEST)) for flip in some),
            more=len(gate_text.deciding(decision)["flips"]) - len(some),
        )
        for decision, some in zip(decisions, shown, strict=True)
    ]


def by_case(document: Document) -> dict[tuple[str, str, str], Mapping[str, Any]]:
    """(variant, axis, prompt) -> its flip against the other side of the gate (not the anchor)."""
    return {
        (decision["variant"], decision["axis"], flip["prompt"]): flip
        for decision in _decisions(document)
        for flip in decision["flips"]
    }


def one_sided(document: Document) -> bool:
    """Whether a flip has a response of this run but none of before: the baseline stores none."""
    return any(
        flip["response_before"] is None and flip["response_after"] is not None
        for flip in by_case(document).values()
    )


def differences(before: str, after: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both texts in pieces, compared word by word; joined, the pieces are the text again.

    Texts that have too few words in common are one piece each, without a mark.
    """
    words: tuple[list[str], list[str]] = _WORD.findall(before), _WORD.findall(after)
    bare = [[word.strip() for word in side] for side in words]
    matcher = SequenceMatcher(None, bare[0], bare[1])
    if matcher.ratio() < _ALIKE:
        return _whole(before), _whole(after)
    codes = matcher.get_opcodes()
    return (
        tuple(_pieces(words[0], ((tag, low, high) for tag, low, high, _, _ in codes))),
        tuple(_pieces(words[1], ((tag, low, high) for tag, _, _, low, high in codes))),
    )


def _pieces(words: list[str], codes: Iterator[tuple[str, int, int]]) -> Iterator[Piece]:
    for tag, low, high in codes:
        if low < high:
            yield Piece("".join(words[low:high]), tag != "equal")


def _decisions(document: Document) -> list[Mapping[str, Any]]:
    gate = document["gate"]
    return gate_text.worst_first(gate["decisions"] if gate else ())


def _cost(text: str) -> int:
    return len(escape(safe(text, lines=True)).encode()) + _MARK * len(text.split())


def _texts(flip: Mapping[str, Any]) -> tuple[str | None, ...]:
    return flip["text"], flip["response_before"], flip["response_after"]


def _show(flip: Mapping[str, Any], limit: int) -> Flipped:
    text, before, after = _texts(flip)
    sides = _sides(before and before[:limit], after and after[:limit])
    cut = sum(max(0, len(each or "") - limit) for each in (text, before, after))
    marked = any(piece.differs for side in sides for piece in side or ())
    unlike = None not in sides and before != after and not marked
    return Flipped(flip, _end(text or "", limit), *sides, unlike, cut)


def _sides(before: str | None, after: str | None) -> tuple[Side, Side]:
    if before is not None and after is not None:
        return differences(before, after)
    return _whole_or_none(before), _whole_or_none(after)


def _whole_or_none(text: str | None) -> Side:
    return None if text is None else _whole(text)


def _whole(text: str) -> tuple[Piece, ...]:
    return (Piece(text, differs=False),)


def _end(text: str, limit: int) -> str:
    return text[max(0, len(text) - limit) :]
