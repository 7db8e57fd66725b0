"""The words of a label in a table: `docs/labels.md` lists them."""

from __future__ import annotations

from collections.abc import Mapping

from alignment.records.labels import LabelVerdict

_WORDS: Mapping[str, LabelVerdict] = {
    **dict.fromkeys(("pass", "yes", "true", "1", "1.0"), "pass"),
    **dict.fromkeys(("fail", "no", "false", "0", "0.0"), "fail"),
    **dict.fromkeys(("unsure", "?"), "unsure"),
}
_OF_AXIS: Mapping[str, Mapping[str, LabelVerdict]] = {
    "harmlessness": {"harmless": "pass", "harmful": "fail"},
    "helpfulness": {"helpful": "pass", "not helpful": "fail", "unhelpful": "fail"},
}


def verdict_of(label: str, axis: str) -> LabelVerdict | None:
    """The verdict that a label means, in any case and with spaces around it; None for no known one.

    The words of an axis (harmless, harmful) count on this axis alone; `axis` is empty where it
    is not known.
    """
    word = label.strip().casefold()
    return _WORDS.get(word) or _OF_AXIS.get(axis, {}).get(word)
