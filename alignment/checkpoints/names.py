"""Names and numbers of tensors, as they stand in messages."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """`1 tensor`, `2 tensors`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def some(names: Sequence[str], most: int = 2) -> str:
    """The first of many names, each cut where it is endless."""
    shown = ", ".join(name if len(name) <= 64 else f"{name[:61]}..." for name in names[:most])
    return shown if len(names) <= most else f"{shown}, ..."
