"""What every table of a profile is: frozen, strict, closed; and the values that many share.

Every number is finite and every count has an end, so that no profile that is accepted dies or
hangs for a number that means nothing.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

LONGEST_NAME = 64
"""Characters of a name: with what is put around it, it fits the name of a file."""

HIGHEST = 1e12
"""Of scores that somebody states: sums and squares of many are still numbers."""

_LONGEST_TEXT = 65_536
_LARGEST = 2**63
_DEVICES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)))
)
"""What Windows takes for devices: no file there can be called so."""

_PARTS = re.compile(r"(?:layers?|heads?|experts)$")
_MOST_PARTS = 1000
"""Layers, heads or experts of a model that is made from scratch."""

_T = TypeVar("_T")


def _no_device(name: str) -> str:
    if name.lower() in _DEVICES:
        raise ValueError("is the name of a device on Windows, so no file can have this name there")
    return name


def _spelled(text: str) -> str:
    if "\0" in text:
        raise ValueError("contains a NUL character, which no file or model can have in its name")
    return text


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """Raise ValueError for what is no JSON: dates, and numbers without an end."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            _plain(each)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("contains a number that is not finite")
    elif isinstance(value, int) and abs(value) >= _LARGEST:
        raise ValueError("contains a whole number of more than 64 bits")
    elif not isinstance(value, str | int | float | None):
        raise ValueError(
            f"contains a {type(value).__name__}; only texts, numbers, lists and tables are allowed"
        )
    return value


def _of_few_parts(fields: dict[str, Any]) -> dict[str, Any]:
    """Parts are made one by one: of a thousand million the machine would never be done."""
    for key, value in fields.items():
        if _PARTS.search(key) and isinstance(value, int) and value > _MOST_PARTS:
            raise ValueError(f"has {key} = {value}; at most {_MOST_PARTS} are allowed")
    return fields


Name = Annotated[
    str,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=LONGEST_NAME),
    AfterValidator(_no_device),
]
Place = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_spelled)]
"""A file, a folder, or a name on the hub."""
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Tokens = Annotated[int, Field(ge=1, le=1_000_000)]
Number = Annotated[float, Field(ge=-HIGHEST, le=HIGHEST)]
"""A score, or what one is held against."""
Settings = Annotated[dict[str, Any], AfterValidator(_plain)]
"""The arguments of somebody else's configuration."""
Architecture = Annotated[Settings, AfterValidator(_of_few_parts)]
"""The fields of a model's configuration, from which it is made."""

# A list in TOML, which strict tables would not take for a tuple: of any length, and of two.
Listed = Annotated[tuple[_T, ...], BeforeValidator(_tuple), Field(max_length=1000)]
Pair = Annotated[tuple[_T, _T], BeforeValidator(_tuple)]
Keywords = Listed[Annotated[str, Field(min_length=1, max_length=1000)]]


PythonObject = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*(:[A-Za-z_][A-Za-z0-9_.]*)?$",
        max_length=255,
    ),
]
"""`package.module:name`, or the name of an entry point."""


class Table(BaseModel):
    """Base of every table of a profile: frozen, strict about types, closed to unknown keys."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        str_max_length=_LONGEST_TEXT,
    )
