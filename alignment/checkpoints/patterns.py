"""The patterns by which an adapter says where it belongs, looked at before they are matched."""

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
    """Patterns of PEFT are matched against every module's name, and nothing can stop a match.

    A repetition of repetitions takes twice as long for every letter. Raises ModelError.
    """
    for key in _PATTERNS:
        for pattern in _patterns(config.get(key)):
            try:
                endless = _repeats(_parser.parse(pattern), inside=False)
            except (re.error, RecursionError, OverflowError, TypeError) as error:
                reason = f"is not a valid regular expression ({shown(error)})"
            else:
                reason = "repeats what repeats itself" if endless else ""
            if reason:
                raise ModelError(
                    f"model {folder}: adapter_config.json has {key} = {quoted(pattern)}, "
                    f"which {reason}; list the names of the modules"
                )


def _patterns(value: Any) -> list[Any]:
    """A text, or the names of a table; PEFT takes what stands in a list for names."""
    if isinstance(value, dict):
        return list(value)
    return [value] if isinstance(value, str) else []


def _repeats(parsed: Any, *, inside: bool) -> bool:
    """Whether a parsed pattern has a repetition without end inside another."""
    for what, details in parsed:
        endless = what in _REPEATED and details[1] is _parser.MAXREPEAT
        if endless and inside:
            return True
        parts = details if isinstance(details, (tuple, list)) else [details]
        for part in _flat(parts):
            if _repeats(part, inside=inside or endless):
                return True
    return False


def _flat(parts: Any) -> Iterator[Any]:
    for part in parts:
        if isinstance(part, _parser.SubPattern):
            yield part
        elif isinstance(part, (list, tuple)):
            yield from _flat(part)
