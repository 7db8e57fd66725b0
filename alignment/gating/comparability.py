"""Whether two runs can be compared: the differences of their manifests, as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alignment.gating.baseline import Manifest
from alignment.store import content_key

SIDES = ("the baseline", "this run")
"""The names of the two sides of a comparison."""


def digest_of(ids: Sequence[str]) -> str:
    """A digest of a set of prompt ids, with their number before it: `100 prompts 3f2a...`."""
    return f"{len(ids)} prompts {content_key(sorted(ids))[:12]}"


def differences(before: Manifest, after: Manifest, sides: tuple[str, str]) -> dict[str, str]:
    """Why two runs cannot be compared: part of the manifest -> a sentence with both values.

    `sides` are the names of the two sides: ("the baseline", "this run"). Decoding and format only
    count where both are known. Empty where the runs can be compared.
    """
    differing: dict[str, str] = {}
    for part in ("prompts", "criteria", "judge", "decoding", "format"):
        old, new = getattr(before, part), getattr(after, part)
        if old == new or (part in ("decoding", "format") and None in (old, new)):
            continue
        entries = _unequal(old, new) if isinstance(old, dict) and isinstance(new, dict) else None
        listed = "; ".join(
            f"{name} is {_show(old_value)} in {sides[0]} and {_show(new_value)} in {sides[1]}"
            for name, old_value, new_value in entries or [(part, old, new)]
        )
        verb = "differ" if part in ("prompts", "criteria") else "differs"
        differing[part] = f"the {part} {verb}: {listed}" if part != "format" else listed
    return differing


def _unequal(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    keys = dict.fromkeys((*old, *new))
    return [(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]


def _show(value: Any) -> str:
    return "absent" if value is None else str(value)
