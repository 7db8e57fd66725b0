"""The slices of a profile: parts of its prompts in which a loss is looked for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from alignment.config.tables import Listed, Table

Column = Annotated[str, Field(min_length=1, max_length=200)]


class Slices(Table):
    """Parts of the prompts within which the gate compares too, one for each value of a column."""

    by: Listed[Column] = ()
    """Columns of the prompts' rows, such as `category`, or what every prompt has: `language`,
    `source`, `cluster`. Empty: no slices."""
    gate: Literal["fail", "report"] = "fail"
    """What a significant loss of the margin or more in a slice does: it fails the axis, or is only
    reported."""

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        twice = next((name for name in self.by if self.by.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"`by` names the column {twice!r} twice")
        return self
