"""What two runs must share to be compared, and what keeps them from it, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alignment.gating.baseline import Manifest
from alignment.store import content_key

SIDES = ("the baseline", "this run")
"""How the two sides of a comparison are called."""


def digest_of(ids: Sequence[str]) -> str:
    """A digest of a set of prompt ids, with their number before it: `100 prompts 3f2a...`."""
    return f"{len(ids)} prompts {content_key(sorted(ids))[:12]}"


def differences(before: Manifest, after: Manifest, words: tuple[str, str]) -> dict[str, str]:
    """What keeps two runs from being compared: part of the manifest -> a sentence with both values.

    `words` name the two sides: ("the baseline", "this run"). Decoding and format count where both
    are known.
    """
    differing: dict[str, str] = {}
    for part in ("prompts", "criteria", "judge", "decoding", "format"):
        old, new = getattr(before, part), getattr(after, part)
        if old == new or (part in ("decoding", "format") and None in (old, new)):
            continue
        entries = _unequal(old, new) if isinstance(old, dict) and isinstance(new, dict) else None
        listed = "; ".join(
            f"{name} is {_plain(a)} in {words[0]} and {_plain(b)} in {words[1]}"
            for name, a, b in entries or [(part, old, new)]
        )
        verb = "differ" if part in ("prompts", "criteria") else "differs"
        differing[part] = f"the {part} {verb}: {listed}" if part != "format" else listed
    return differing


def _unequal(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    keys = dict.fromkeys((*old, *new))
    return [(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]


def _plain(value: Any) -> str:
    return "absent" if value is None else str(value)
