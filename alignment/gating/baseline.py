"""Baselines: what an accepted run leaves behind, and when another run may be compared with it.

One JSON file per variant, small and readable in a diff: the manifest, then a line per prompt. The
file carries a digest of itself, so that a hand-edited one is no baseline.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alignment.errors import BaselineError
from alignment.files.foreign import MissingError, UnfitError, parse_json, read_text
from alignment.records.decisions import ACCEPT
from alignment.store import content_key

SCHEMA = 1
"""Goes up when a key changes its meaning."""

FOLDER = "__baselines__"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Manifest(_Record):
    """What two runs must share to be compared."""

    prompts: dict[str, str]
    """Axis -> digest of the ids of its prompts."""
    criteria: dict[str, str]
    """Axis -> criterion, as `reward >= -3`."""
    judge: dict[str, Any]
    """How scores are made: `identity` (weights, or recipe, data and seed), and what it reads."""
    decoding: dict[str, Any] | None
    """How responses are made; None where nobody knows: recorded responses."""
    format: str | None
    """The dialogue format; None as for `decoding`."""


class Row(_Record):
    """One prompt's score and verdict, and its verdict at the anchor."""

    score: Annotated[float, Field(allow_inf_nan=False)]
    passed: bool
    anchor: bool
    degenerate: str | None = None
    """The kind of a response that is no answer at all."""
    response: str | None = None


class Probe(_Record):
    """A response that every judge of this baseline must score alike."""

    prompt: str
    """The prompt's id."""
    response: str
    score: Annotated[float, Field(allow_inf_nan=False)]


class Baseline(_Record):
    """An accepted run of one variant."""

    profile: str
    variant: str
    reason: str | None
    """Why the anchor is where it is: `--alignment-reason`, None for a first baseline."""
    manifest: Manifest
    model: dict[str, Any]
    """What was accepted, for the reader; not compared."""
    probe: tuple[Probe, ...]
    cases: dict[str, dict[str, Row]]
    """Axis -> prompt id -> row."""


# -- files -------------------------------------------------------------------------------------


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
    return _rendered({"schema": SCHEMA, "digest": content_key(body), **body}) + "\n"


def load(path: Path) -> Baseline | None:
    """The baseline in a file; None where there is no file.

    Raises BaselineError, one line, for a file that cannot be read, is no JSON, is of a newer
    release, lacks something, or was changed by hand.
    """
    try:
        text = read_text(path)
    except MissingError:
        return None
    except UnfitError as error:
        raise _refused(path, str(error)) from error
    return loads(text, path)


def loads(text: str, path: Path) -> Baseline:
    """The baseline in a text that was read from `path`. Raises BaselineError."""
    try:
        body = parse_json(text, finite=True)
    except UnfitError as error:
        raise _refused(path, f"{error}: damaged or cut off") from None
    if not isinstance(body, dict) or not isinstance(body.get("schema"), int):
        raise _refused(path, "is not a baseline: it has no `schema`")
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
        raise _refused(path, f"`{key}`: {first['msg'].lower()}") from None
    if digest != content_key(_body(baseline)):
        raise _refused(path, "its digest does not match its content: the file was edited")
    return baseline


def _refused(path: Path, found: str) -> BaselineError:
    return BaselineError(
        f"baseline {shown(path)}: {found}; restore the file, or accept this run with {ACCEPT}"
    )


def _body(baseline: Baseline) -> dict[str, Any]:
    body = baseline.model_dump(mode="json")
    for rows in body["cases"].values():
        for row in rows.values():
            for name in ("degenerate", "response"):
                if row[name] is None:
                    del row[name]
    return body


def _rendered(value: Any, depth: int = 0) -> str:
    """Indented JSON in which what holds only plain values is one line."""
    children = list(value.values() if isinstance(value, dict) else value)
    if not any(isinstance(child, dict | list) for child in children):
        return json.dumps(value, allow_nan=False)
    inner, outer = "\n" + " " * (depth + 1), "\n" + " " * depth
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_item(child, depth)}" for key, child in value.items()]
        return "{" + inner + f",{inner}".join(parts) + outer + "}"
    return "[" + inner + f",{inner}".join(_item(child, depth) for child in value) + outer + "]"


def _item(value: Any, depth: int) -> str:
    if isinstance(value, dict | list):
        return _rendered(value, depth + 1)
    return json.dumps(value, allow_nan=False)


def storable(text: str) -> str:
    """Without lone surrogates: some tokenizers decode to them, and JSON readers refuse them."""
    return text.encode("utf-8", "replace").decode()


# -- comparing ---------------------------------------------------------------------------------


def digest_of(ids: Sequence[str]) -> str:
    """A digest of a set of prompt ids, with their number before it: `100 prompts 3f2a...`."""
    return f"{len(ids)} prompts {content_key(sorted(ids))[:12]}"


def differences(before: Manifest, after: Manifest, words: tuple[str, str]) -> dict[str, str]:
    """What keeps two runs from being compared: part of the manifest -> a sentence with both values.

    `words` name the two sides: ("the baseline", "this run"). Decoding and format count where both
    are known.
    """
    found: dict[str, str] = {}
    for part in ("prompts", "criteria", "judge", "decoding", "format"):
        old, new = getattr(before, part), getattr(after, part)
        if old == new or (part in ("decoding", "format") and None in (old, new)):
            continue
        told = _told(old, new) if isinstance(old, dict) and isinstance(new, dict) else None
        sides = told or [(part, old, new)]
        listed = "; ".join(
            f"{name} is {_plain(a)} in {words[0]} and {_plain(b)} in {words[1]}"
            for name, a, b in sides
        )
        verb = "differ" if part in ("prompts", "criteria") else "differs"
        found[part] = f"the {part} {verb}: {listed}" if part != "format" else listed
    return found


def _told(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    keys = dict.fromkeys((*old, *new))
    return [(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]


def _plain(value: Any) -> str:
    return "absent" if value is None else str(value)
