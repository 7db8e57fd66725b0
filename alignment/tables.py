"""What every table of a profile is: frozen, strict, closed; and the values that many share."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
Count = Annotated[int, Field(ge=1)]

_T = TypeVar("_T")


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


# A list in TOML, which strict tables would not take for a tuple: of any length, and of two.
Listed = Annotated[tuple[_T, ...], BeforeValidator(_tuple)]
Pair = Annotated[tuple[_T, _T], BeforeValidator(_tuple)]


class Table(BaseModel):
    """Base of every table of a profile: frozen, strict about types, closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
