"""The shape of the values of each kind of record, checked when they are read.

A kind that is not listed may have any JSON value.
"""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from alignment.records import PreferencePair, Prompt, Response

RUN = "run"
"""The kind of the summaries of runs, which cannot be computed again and are never pruned."""

UNSCORED, REPEATS = "*unscored", "*repeats"
"""Keys of a score beside the names of its dimensions, which cannot begin with `*`."""

Check = Callable[[Any], bool]


def fits(kind: str, value: Any) -> bool:
    """Whether a value has the shape of its kind."""
    check = _KINDS.get(kind)
    return check is None or check(value)


def is_manifest(value: Any) -> bool:
    """Whether a value has the keys of a trained model's manifest, with values of their types."""
    return _has(
        value,
        name=_text,
        identity=_text,
        adapter=_flag,
        stages=_list_of(lambda stage: _has(stage, log=_list_of(lambda one: _has(one, loss=_real)))),
        seconds=_number,
        processes=_count,
    )


def _text(value: Any) -> bool:
    return type(value) is str


def _flag(value: Any) -> bool:
    return type(value) is bool


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= sys.maxsize


def _number(value: Any) -> bool:
    if type(value) is int:
        return abs(value) < 2**1000  # must be convertible to a float
    return type(value) is float and math.isfinite(value)


def _real(value: Any) -> bool:
    return _number(value) or type(value) is float


def _maybe(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _list_of(check: Check) -> Check:
    return lambda value: type(value) is list and all(map(check, value))


def _by_name(check: Check) -> Check:
    return lambda value: type(value) is dict and all(map(check, value.values()))


def _has(value: Any, **required: Check) -> bool:
    """Whether a value is an object with these keys and fitting values; it may have other keys."""
    return type(value) is dict and all(
        name in value and check(value[name]) for name, check in required.items()
    )


@cache
def _fields(record: type) -> tuple[dict[str, frozenset[Any]], frozenset[str]]:
    """Field -> its allowed types and literals; and the names of the required fields."""
    hints = get_type_hints(record)
    allowed = {field.name: _read_hint(hints[field.name]) for field in fields(record)}
    required = (f.name for f in fields(record) if f.default is f.default_factory is MISSING)
    return allowed, frozenset(required)


def _read_hint(hint: Any) -> frozenset[Any]:
    """The types and literals that a type hint allows."""
    if get_origin(hint) is Literal:
        return frozenset(get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return frozenset().union(*map(_read_hint, get_args(hint)))
    return frozenset({hint} if hint in _PLAIN else {object})


def _record(record: type) -> Check:
    """A check for a record class; only its fields of plain types are checked."""

    def check(value: Any) -> bool:
        allowed, required = _fields(record)
        return (
            type(value) is dict
            and required <= value.keys() <= allowed.keys()
            and all(_is(each, allowed[name]) for name, each in value.items())
        )

    return check


def _is(value: Any, allowed: frozenset[Any]) -> bool:
    if type(value) is str and value in allowed:
        return True
    return type(value) in allowed or object in allowed or (_number(value) and float in allowed)


_PLAIN = (str, int, float, bool, type(None))


def _score(value: Any) -> bool:
    if type(value) is not dict:
        return False
    if UNSCORED in value:
        return len(value) == 1 and _text(value[UNSCORED])
    repeats = value.get(REPEATS, [])
    dimensions = {name: each for name, each in value.items() if name != REPEATS}
    return bool(dimensions) and _NUMBERS(dimensions) and _list_of(_NUMBERS)(repeats)


_NUMBERS = _by_name(_number)


def _interval(value: Any) -> bool:
    return _list_of(_number)(value) and len(value) == 2


def _rate(value: Any) -> bool:
    return _has(value, percent=_number, interval=_interval)


def _variant(value: Any) -> bool:
    return _has(value, rates=_by_name(_rate), scores=_NUMBERS)


def _summary(value: Any) -> bool:
    """The summary of a run (see `alignment.store.history`)."""
    return _has(
        value,
        id=_text,
        started=_text,
        last=_text,
        seen=_count,
        basis=_text,
        confidence=_number,
        variants=_by_name(_variant),
        outcome=_maybe(_text),
    )


def _questions(value: Any) -> bool:
    return _has(
        value,
        prompts=_by_name(_list_of(_record(Prompt))),
        trials=_by_name(_list_of(_record(PreferencePair))),
    )


def _invariance(value: Any) -> bool:
    measured = {"total": _count, "score_drift": _real}
    if _has(value, kind=lambda kind: kind == "policy"):
        counts = {"differing": _count, "total": _count}
        shares = dict.fromkeys(("percent", "low", "high"), _number)
        measured = counts | shares | {"logit_drift": _real, "smallest_gap": _real}
    return _has(value, kind=_text, model=_text, dtype=_text, device=_text, **measured)


def _bootstrap(value: Any) -> bool:
    return _list_of(_number)(value) and len(value) == 3 and value[1] <= value[2]


_KINDS: dict[str, Check] = {
    RUN: lambda value: _has(value, profile=_text, run=_summary),
    "response": _record(Response),
    "score": _score,
    "questions": _questions,
    "lessons": _text,
    "figure": _text,
    "begins_with": _maybe(_text),
    "served": lambda value: _has(value, model=_maybe(_text), fingerprint=_maybe(_text)),
    "invariance": _invariance,
    "bootstrap": _bootstrap,
}
