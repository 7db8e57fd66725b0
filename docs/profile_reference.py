"""The configuration reference, made of the profile's schema: every key, its type, default, meaning.

A Sphinx extension that fills in the place of `MARK`; `python docs/profile_reference.py` prints it.
What a key means is the docstring under it, in `alignment/config/`.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Sequence
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from alignment.config.profile import Profile
from alignment.config.tables import Table

if TYPE_CHECKING:
    from sphinx.application import Sphinx

MARK = "<!-- every table of a profile -->"
_WORDS = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`", Any: "any"}
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
_NAMES = {"axes": "AXIS", "judges": "NAME", "variants": "NAME", "outputs": "DIMENSION"}


def reference() -> str:
    """All tables of a profile as Markdown, in the order in which a reader meets them."""
    places: dict[type[Table], list[str]] = {}
    _walk(Profile, "", places)
    return "\n".join(_section(kind, where) for kind, where in places.items())


def _walk(kind: type[Table], where: str, places: dict[type[Table], list[str]]) -> None:
    """Note where a table stands, then look into its keys."""
    places.setdefault(kind, []).append(where)
    for key, field in kind.model_fields.items():
        for below, several in _tables(field.annotation, named=False):
            step = f"{key}.{_NAMES.get(key, 'NAME')}" if several else key
            _walk(below, f"{where}.{step}" if where else step, places)


def _tables(kind: Any, *, named: bool) -> list[tuple[type[Table], bool]]:
    """The tables that a key may hold, and whether they stand under names of their own."""
    if isinstance(kind, type) and issubclass(kind, Table):
        return [(kind, named)]
    named = named or get_origin(kind) is dict
    return [found for each in get_args(kind) for found in _tables(each, named=named)]


def _section(kind: type[Table], where: list[str]) -> str:
    title = f"`{where[0]}`" if where[0] else "The profile itself"
    if kind.__name__.endswith("Source"):
        title = f"`source = {_shown(get_args(kind.model_fields['source'].annotation)[0])}`"
    lines = [f"## {title}", "", _sentence(kind.__doc__ or ""), ""]
    if len(where) > 1 or kind.__name__.endswith("Source"):
        lines += [f"Stands in {', '.join(f'`{each}`' for each in where)}.", ""]
    lines += ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    meant = _docstrings(kind)
    for key, field in kind.model_fields.items():
        cells = (f"`{key}`", _type(field), _default(field), meant.get(key, ""))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join([*lines, ""])


@cache
def _docstrings(kind: type) -> dict[str, str]:
    """Key -> the text under it in the source, of a table and of those that it is made of."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if not issubclass(each, Table):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(each))).body[0]
        assert isinstance(body, ast.ClassDef)  # noqa: S101 - the source of a class
        for key, text in zip(body.body, body.body[1:], strict=False):
            if isinstance(key, ast.AnnAssign) and isinstance(text, ast.Expr):
                found[ast.unparse(key.target)] = _sentence(ast.literal_eval(text.value))
    return found


def _sentence(text: str) -> str:
    return " ".join(text.split())


def _type(field: FieldInfo) -> str:
    return ", ".join([_word(field.annotation), *_limits(field.metadata)])


def _limits(metadata: Sequence[Any]) -> list[str]:
    """The bounds of a number in words; those of a list or a text say themselves."""
    return [
        f"{word} {value:,}" if isinstance(value, int) else f"{word} {value:g}"
        for each in metadata
        for name, word in _BOUNDS.items()
        if isinstance(value := getattr(each, name, None), int | float)
    ]


def _word(kind: Any) -> str:
    if kind in _WORDS:
        return _WORDS[kind]
    if isinstance(kind, type) and issubclass(kind, Table):
        return "table"
    inner = [each for each in get_args(kind) if each is not NoneType]
    if hasattr(kind, "__metadata__"):
        found = (getattr(each, "metadata", ()) for each in kind.__metadata__)
        return ", ".join(
            [_word(kind.__origin__), *(limit for each in found for limit in _limits(each))]
        )
    return _listed(get_origin(kind), inner)


def _listed(origin: Any, inner: Sequence[Any]) -> str:
    if origin is Literal:
        return ", ".join(f"`{_shown(each)}`" for each in inner)
    if origin is dict:
        return f"{_word(inner[1])} by name"
    if origin is tuple:
        return f"list of {_word(inner[0])}"
    return " or ".join(dict.fromkeys(map(_word, inner)))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or value in ({}, (), ""):
        return ""
    if isinstance(value, Table):
        return "its own"
    return f"`{_shown(value)}`"


def _shown(value: Any) -> str:
    return json.dumps(value)


def _fill_in(_: Sphinx, name: str, source: list[str]) -> None:
    if name == "configuration":
        source[0] = source[0].replace(MARK, reference())


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's entry."""
    app.connect("source-read", _fill_in)
    return {"parallel_read_safe": True}


if __name__ == "__main__":
    print(reference())  # noqa: T201 - what it is for
