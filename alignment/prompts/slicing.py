"""The slices of prompts: which have one value in a column of their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alignment.errors import PromptError, quoted
from alignment.prompts.jsonfiles import text_field
from alignment.records import Prompt

FIELDS = ("language", "source", "cluster")
"""Columns that every prompt has, if its row has none of that name."""

MOST_VALUES = 1000
"""Values of a column on one axis, at most."""

_LONGEST = 200
"""Characters of a value that are kept."""


def columns_of(value: Mapping[str, Any], columns: Sequence[str], place: str) -> dict[str, str]:
    """The texts that a row has in `columns`; numbers and booleans as JSON writes them.

    Missing, `null` and blank ones are left out. Raises PromptError, beginning with `place`, for
    lists, objects and texts with half of a surrogate pair.
    """
    found: dict[str, str] = {}
    for column in columns:
        each = value.get(column)
        if isinstance(each, bool):
            each = str(each).lower()
        elif isinstance(each, int | float):
            each = repr(each)
        text = text_field({column: each}, column, place)
        if text is not None and text.strip():
            found[column] = text.strip()[:_LONGEST]
    return found


def slice_value(prompt: Prompt, column: str) -> str:
    """The value of a prompt in a column: that of its row, else its field of that name, else ""."""
    own = getattr(prompt, column) if column in FIELDS else ""
    return prompt.columns.get(column, own)


def require_columns(prompts: Mapping[str, Sequence[Prompt]], columns: Sequence[str]) -> None:
    """Raise PromptError for a column that no prompt has, or that has too many values on an axis."""
    for column in columns:
        counts = {
            axis: len({slice_value(prompt, column) for prompt in each})
            for axis, each in prompts.items()
        }
        if not any(slice_value(prompt, column) for each in prompts.values() for prompt in each):
            raise PromptError(
                f"slices.by: no prompt has a column {quoted(column)}; name a column of the rows "
                f"that the prompts are read from, or one of {', '.join(FIELDS)}"
            )
        for axis, count in counts.items():
            if count > MOST_VALUES:
                raise PromptError(
                    f"slices.by: column {quoted(column)} has {count:,} values on {axis}; at most "
                    f"{MOST_VALUES:,} are allowed"
                )
