"""The files of baselines: one JSON file per variant, small and readable in a diff.

The manifest comes first, then a line per prompt. The file holds a digest of its content, so that
one that was edited by hand is refused.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from alignment.errors import BaselineError
from alignment.files.foreign import MissingError, UnfitError, parse_json, read_text
from alignment.gating.baseline import Baseline
from alignment.records.decisions import ACCEPT
from alignment.store import content_key

SCHEMA = 1
"""Increased when a key changes its meaning."""

FOLDER = "__baselines__"


def shown(path: Path) -> str:
    """A path as the user would type it: relative where it lies below the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def path_of(folder: Path, variant: str) -> Path:
    """Where the baseline of a variant lies."""
    return folder / f"{variant}.json"


def dumps(baseline: Baseline) -> str:
    """The text of a baseline's file: the same bytes for the same content."""
    body = _body(baseline)
    return _render({"schema": SCHEMA, "digest": content_key(body), **body}) + "\n"


def load(path: Path) -> Baseline | None:
    """The baseline in a file; None where there is no file.

    Raises BaselineError for a file that cannot be read, is not JSON, was written by a newer
    release, lacks a key, or was edited by hand.
    """
    try:
        text = read_text(path)
    except MissingError:
        return None
    except UnfitError as error:
        raise _error(path, str(error)) from error
    return loads(text, path)


def loads(text: str, path: Path) -> Baseline:
    """The baseline in `text`, which was read from `path`. Raises BaselineError as `load` does."""
    try:
        body = parse_json(text, finite=True)
    except UnfitError as error:
        raise _error(path, f"{error}: damaged or cut off") from None
    if not isinstance(body, dict) or not isinstance(body.get("schema"), int):
        raise _error(path, "is not a baseline: it has no `schema`")
    if body["schema"] > SCHEMA:
        raise BaselineError(
            f"baseline {shown(path)}: written by a newer release (schema {body['schema']}, this "
            f"release reads {SCHEMA}); upgrade alignment-gate"
        )
    del body["schema"]
    digest = body.pop("digest", None)
    try:
        # From JSON, so that lists become tuples while everything else stays strict.
        baseline = Baseline.model_validate_json(json.dumps(body))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise _error(path, f"`{key}`: {first['msg'].lower()}") from None
    if digest != content_key(_body(baseline)):
        raise _error(path, "its digest does not match its content: the file was edited")
    return baseline


def _error(path: Path, problem: str) -> BaselineError:
    return BaselineError(
        f"baseline {shown(path)}: {problem}; restore the file, or accept this run with {ACCEPT}"
    )


def _body(baseline: Baseline) -> dict[str, Any]:
    """Plain values of a baseline; keys of a case that are None by default are left out."""
    body = baseline.model_dump(mode="json")
    for cases in body["cases"].values():
        for case in cases.values():
            for name in ("degenerate", "response"):
                if case[name] is None:
                    del case[name]
    return body


def _render(value: Any, depth: int = 0) -> str:
    """Indented JSON; an object or list that holds only plain values is one line."""
    children = list(value.values() if isinstance(value, dict) else value)
    if not any(isinstance(child, dict | list) for child in children):
        return json.dumps(value, allow_nan=False)
    inner, outer = "\n" + " " * (depth + 1), "\n" + " " * depth
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_nested(child, depth)}" for key, child in value.items()]
        return "{" + inner + f",{inner}".join(parts) + outer + "}"
    return "[" + inner + f",{inner}".join(_nested(child, depth) for child in value) + outer + "]"


def _nested(value: Any, depth: int) -> str:
    if isinstance(value, dict | list):
        return _render(value, depth + 1)
    return json.dumps(value, allow_nan=False)
