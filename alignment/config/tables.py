"""The base class of a profile's tables, and the types of values that several tables use.

Every number is finite and every count has an upper bound, so that no accepted profile can crash or
hang because of a meaningless number.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

LONGEST_NAME = 64
"""Characters of a name at most; file names contain it with prefixes and suffixes."""

HIGHEST = 1e12
"""The largest score, positive or negative; sums of many squares are still finite."""

_LONGEST_TEXT = 65_536
_LARGEST = 2**63
_DEVICES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)))
)
"""Names of devices on Windows, where no file can have one of them."""

_PARTS = re.compile(r"(?:layers?|heads?|experts)$")
_MOST_PARTS = 1000
"""Layers, heads or experts, each at most, of a model that is made from scratch."""

_T = TypeVar("_T")


def _refuse_device(name: str) -> str:
    if name.lower() in _DEVICES:
        raise ValueError("is the name of a device on Windows, so no file can have this name there")
    return name


def _refuse_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("contains a NUL character, which no file or model can have in its name")
    return text


def _make_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _require_plain(value: Any) -> Any:
    """Raise ValueError for dates, and for numbers that are not finite or have more than 64 bits."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            _require_plain(each)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("contains a number that is not finite")
    elif isinstance(value, int) and abs(value) >= _LARGEST:
        raise ValueError("contains a whole number of more than 64 bits")
    elif not isinstance(value, str | int | float | None):
        raise ValueError(
            f"contains a {type(value).__name__}; only texts, numbers, lists and tables are allowed"
        )
    return value


def _limit_parts(fields: dict[str, Any]) -> dict[str, Any]:
    """Refuse counts of parts that would take for ever: parts are made one by one."""
    for key, value in fields.items():
        if _PARTS.search(key) and isinstance(value, int) and value > _MOST_PARTS:
            raise ValueError(f"has {key} = {value}; at most {_MOST_PARTS} are allowed")
    return fields


Name = Annotated[
    str,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=LONGEST_NAME),
    AfterValidator(_refuse_device),
]
Place = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_refuse_nul)]
"""A file, a folder, or a name on the hub."""
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Tokens = Annotated[int, Field(ge=1, le=1_000_000)]
Number = Annotated[float, Field(ge=-HIGHEST, le=HIGHEST)]
"""A score, or a threshold for scores."""
Settings = Annotated[dict[str, Any], AfterValidator(_require_plain)]
"""The arguments of a class in another library, such as TRL's configs."""
Architecture = Annotated[Settings, AfterValidator(_limit_parts)]
"""The fields of the transformers config of a new model."""

# Lists in TOML, of any length and of two; strict tables would not accept a list for a tuple.
Listed = Annotated[tuple[_T, ...], BeforeValidator(_make_tuple), Field(max_length=1000)]
Pair = Annotated[tuple[_T, _T], BeforeValidator(_make_tuple)]
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
    """Base of a profile's tables: frozen, strict about types, without unknown keys."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        str_max_length=_LONGEST_TEXT,
    )
