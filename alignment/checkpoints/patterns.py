"""Checks the regular expressions by which an adapter selects modules, before they are matched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from re import _parser  # type: ignore[attr-defined] # what the standard library parses with
from typing import Any

from alignment.checkpoints.documents import shown
from alignment.errors import ModelError, quoted

_PATTERNS = ("target_modules", "exclude_modules", "layers_pattern", "rank_pattern", "alpha_pattern")
_REPEATED = (_parser.MAX_REPEAT, _parser.MIN_REPEAT)


def check_patterns(folder: Path, config: dict[str, Any]) -> None:
    """Refuse an adapter's patterns that are invalid or could take for ever. Raises ModelError.

    PEFT matches them against the name of every module, and a match cannot be interrupted. With one
    unbounded repetition inside another, the time may double with every letter.
    """
    for key in _PATTERNS:
        for pattern in _patterns(config.get(key)):
            try:
                nested = _has_nested_repeat(_parser.parse(pattern), inside=False)
            except (re.error, RecursionError, OverflowError, TypeError) as error:
                reason = f"is not a valid regular expression ({shown(error)})"
            else:
                reason = "repeats what repeats itself" if nested else ""
            if reason:
                raise ModelError(
                    f"model {folder}: adapter_config.json has {key} = {quoted(pattern)}, "
                    f"which {reason}; list the names of the modules"
                )


def _patterns(value: Any) -> list[Any]:
    """A text, or the keys of a table; PEFT takes the items of a list for names, not patterns."""
    if isinstance(value, dict):
        return list(value)
    return [value] if isinstance(value, str) else []


def _has_nested_repeat(parsed: Any, *, inside: bool) -> bool:
    """Whether a parsed pattern has an unbounded repetition inside another."""
    for opcode, argument in parsed:
        unbounded = opcode in _REPEATED and argument[1] is _parser.MAXREPEAT
        if unbounded and inside:
            return True
        parts = argument if isinstance(argument, (tuple, list)) else [argument]
        for pattern in _find_subpatterns(parts):
            if _has_nested_repeat(pattern, inside=inside or unbounded):
                return True
    return False


def _find_subpatterns(parts: Any) -> Iterator[Any]:
    for part in parts:
        if isinstance(part, _parser.SubPattern):
            yield part
        elif isinstance(part, (list, tuple)):
            yield from _find_subpatterns(part)
