"""Types for numbers on the command line, each within bounds."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

from alignment.errors import quoted

_DIGITS = 18


def whole(low: int, high: int) -> Callable[[str], int]:
    """A type for argparse: whole numbers from `low` to `high`, both included."""

    def parse(text: str) -> int:
        digits = text.removeprefix("-")
        if digits.isdecimal() and len(digits) <= _DIGITS and low <= int(text) <= high:
            return int(text)
        required = f"a whole number from {low:,} to {high:,}"
        raise argparse.ArgumentTypeError(f"needs {required}, not {quoted(text)}")

    return parse


def real(low: float, high: float) -> Callable[[str], float]:
    """A type for argparse: numbers from `low` to `high`, both included."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:  # also for NaN
            required = f"a number from {low:g} to {high:g}"
            raise argparse.ArgumentTypeError(f"needs {required}, not {quoted(text)}")
        return value

    return parse
