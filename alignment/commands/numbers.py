"""Numbers on the command line: each within bounds, so that none means nothing or takes for ever."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

from alignment.errors import quoted

_DIGITS = 18


def whole(low: int, high: int) -> Callable[[str], int]:
    """A type for argparse: whole numbers from `low` to `high`."""

    def parsed(text: str) -> int:
        digits = text.removeprefix("-")
        if digits.isdecimal() and len(digits) <= _DIGITS and low <= int(text) <= high:
            return int(text)
        wanted = f"a whole number from {low:,} to {high:,}"
        raise argparse.ArgumentTypeError(f"needs {wanted}, not {quoted(text)}")

    return parsed


def real(low: float, high: float) -> Callable[[str], float]:
    """A type for argparse: numbers from `low` to `high`."""

    def parsed(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:  # a NaN is never
            wanted = f"a number from {low:g} to {high:g}"
            raise argparse.ArgumentTypeError(f"needs {wanted}, not {quoted(text)}")
        return value

    return parsed
