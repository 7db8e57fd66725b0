"""Merges files and options into one validated profile.

These layers are merged key by key; later ones override earlier ones:

1. the built-in profile `tiny`
2. `[tool.alignment]` in `pyproject.toml`
3. `alignment.toml`
4. `--alignment-profile NAME|FILE`
5. `--alignment-variant NAME=SPEC` and `--alignment-set key.path=value`

A layer with `extends = "NAME|FILE"` starts from that profile, and the layers before it are dropped.
So are they where `--alignment-profile` names a built-in profile or a FILE without `extends`.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from alignment.config.location import expand
from alignment.config.profile import Profile
from alignment.config.recipes import is_path_or_hub_id
from alignment.errors import ProfileError, quoted
from alignment.files.foreign import DEPTH, UnfitError, is_there, parse_toml, read_toml

BUILT_IN = Path(__file__).parents[1] / "profiles"
DEFAULT = "tiny"
REAL_CHECKPOINT = (
    "pytest eval_suites --alignment-profile hh-rlhf --alignment-variant candidate=./my-checkpoint"
)

Values = dict[str, Any]

_MAY_HOLD_KEYS = {"endpoint", "url", "key_env"}
"""Values under these keys are not quoted in messages."""
_LONGEST_STEP = 64
"""Characters of one key in a message."""


def built_in() -> tuple[str, ...]:
    """The names of the profiles that ship with the package."""
    return tuple(sorted(path.stem for path in BUILT_IN.glob("*.toml")))


def resolve(
    root: Path,
    *,
    selected: str | None = None,
    variants: Sequence[str] = (),
    assignments: Sequence[str] = (),
) -> Profile:
    """Merge the settings files in the folder `root` and the options, and validate the result.

    `selected` is a built-in name or a TOML file, `variants` are `NAME=SPEC`, `assignments` are
    `key.path=value`. Raises ProfileError with one line that names the key and what is accepted.
    """
    values = _read_layers(root, selected)
    for text in variants:
        _assign_variant(values, text)
    for text in assignments:
        _assign(values, text)
    return _validate(values)


def _read_layers(root: Path, selected: str | None) -> Values:
    if selected is not None:
        return _read_profile(selected, ())
    values: Values = {}
    project = root / "alignment.toml"
    for origin, layer in (
        ("pyproject.toml, [tool.alignment]", _read_pyproject(root)),
        ("alignment.toml", _read(project) if is_there(project) else {}),
    ):
        if not layer:
            continue
        _resolve_data(layer, root)
        if "extends" in layer:
            values = _extend(layer, origin, root, ())
        else:
            values = _merge(values or _read_profile(DEFAULT, ()), layer)
        values.setdefault("data", _relative_to_cwd(root))
    return values or _read_profile(DEFAULT, ())


def _read_profile(name: str, children: tuple[str, ...]) -> Values:
    """The values of a built-in profile or a file, merged with the profiles that it extends.

    `children` are the paths of the profiles that extend it, to notice circles. Raises ProfileError.
    """
    path = BUILT_IN / f"{name}.toml"
    if not (name in built_in() and path.is_file()):
        path = Path(name)
        if not is_there(path) or path.is_dir():
            raise ProfileError(
                f"unknown profile {quoted(name)}: it is neither a file nor one of "
                f"{', '.join(built_in())}"
            )
    values, resolved = _read(path), str(path.resolve())
    if resolved in children:
        circle = " -> ".join(Path(each).name for each in (*children, name))
        raise ProfileError(f"profiles extend each other in a circle: {circle}")
    if len(children) >= DEPTH:
        raise ProfileError(f"profile {path}: more than {DEPTH} profiles extend each other")
    values.setdefault("name", path.stem)
    _resolve_data(values, path.parent)
    values = _extend(values, str(path), path.parent, (*children, resolved))
    if path.parent != BUILT_IN:
        values.setdefault("data", _relative_to_cwd(path.parent))
    return values


def _extend(layer: Values, origin: str, folder: Path, children: tuple[str, ...]) -> Values:
    """The layer merged with the profile that it extends, if it has `extends`."""
    parent = layer.pop("extends", None)
    if parent is None:
        return layer
    if not isinstance(parent, str):
        raise ProfileError(f"{origin}: extends: must be the name or the file of a profile")
    beside = folder / parent
    name = str(beside) if is_there(beside) else parent
    return _merge(_read_profile(name, children), layer)


def _relative_to_cwd(folder: Path) -> str:
    """A folder's path, relative where it is below the current folder: reports show this path."""
    try:
        return str(folder.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(folder)


def _resolve_data(layer: Values, folder: Path) -> None:
    """Make `data` a path below the folder of the file that sets it."""
    if isinstance(layer.get("data"), str):
        layer["data"] = str(folder / expand(layer["data"]))


def _read_pyproject(root: Path) -> Values:
    path = root / "pyproject.toml"
    if not is_there(path):
        return {}
    table: Any = _read(path)
    for key in ("tool", "tool.alignment"):
        table = table.get(key.rpartition(".")[2], {})
        if not isinstance(table, dict):
            raise ProfileError(f"pyproject.toml: {key}: must be a table")
    return dict(table)


def _read(path: Path) -> Values:
    try:
        return read_toml(path)
    except UnfitError as error:
        raise ProfileError(f"profile {path}: {error}") from error


def _merge(base: Values, layer: Values) -> Values:
    if "source" in layer and layer["source"] != base.get("source"):
        return layer  # another kind of source has other keys: nothing of the old one is kept
    result = dict(base)
    for key, value in layer.items():
        old = result.get(key)
        tables = isinstance(old, dict) and isinstance(value, dict)
        result[key] = _merge(old, value) if tables else value  # type: ignore[arg-type]
    return result


def _assign_variant(values: Values, text: str) -> None:
    name, equals, spec = text.partition("=")
    if not (name and equals and spec):
        raise ProfileError(
            f"--alignment-variant {quoted(text)}: needs NAME=SPEC, for example "
            f"candidate=./my-checkpoint"
        )
    variants = values.setdefault("variants", {})
    if not isinstance(variants, dict):
        raise ProfileError(
            f"--alignment-variant {quoted(text)}: `variants` in the profile must be a table"
        )
    if spec.startswith(("http://", "https://")):
        url, sharp, model = spec.partition("#")
        if not (sharp and model):
            raise ProfileError(
                f"--alignment-variant {quoted(name)}: a served model needs NAME=URL#MODEL, for "
                f"example candidate=http://127.0.0.1:8000/v1#my-model"
            )
        variants[name] = {"endpoint": {"url": url, "model": model}}
        return
    recorded = spec.endswith((".json", ".jsonl", ".json.gz", ".jsonl.gz"))
    if recorded:
        spec = str(expand(spec).absolute())  # not relative to the profile's data
    variants[name] = {"recorded" if recorded else "model": spec}


def _assign(values: Values, text: str) -> None:
    path, equals, raw = text.partition("=")
    shown = quoted(f"{path}=..." if "@" in raw or "://" in raw else text)  # it may hold a key
    keys = _parse_keys(path)
    if not equals or not all(keys):
        raise ProfileError(f"--alignment-set {shown}: needs key.path=value")
    if len(keys) > DEPTH:
        raise ProfileError(f"--alignment-set {shown}: more than {DEPTH} nested keys")
    try:
        value = parse_toml(f"value = {raw}")["value"]
    except UnfitError:
        value = raw.strip()
    target: Any = values
    for depth, key in enumerate(keys[:-1]):
        if isinstance(target, list):
            target = target[_index(target, keys, depth)]
        else:
            target = target.setdefault(key, {})
        if not isinstance(target, dict | list):
            raise ProfileError(
                f"--alignment-set {shown}: {'.'.join(keys[: depth + 1])} is a value, not a table"
            )
    if isinstance(target, list):
        target[_index(target, keys, len(keys) - 1)] = value
    else:
        target[keys[-1]] = value


def _parse_keys(path: str) -> list[str]:
    """The keys of a dotted path; one that has a dot or a slash itself is quoted, as in TOML."""
    try:
        value: Any = parse_toml(f"{path} = 0")
    except UnfitError:
        return path.strip().split(".")
    keys: list[str] = []
    while isinstance(value, dict):
        if len(value) != 1:  # the path has several lines of TOML
            return [""]
        ((key, value),) = value.items()
        keys.append(key)
    return keys


def _index(target: list[Any], keys: list[str], depth: int) -> int:
    key = keys[depth]
    if not (key.isdecimal() and len(key) < 10 and int(key) < len(target)):
        raise ProfileError(
            f"--alignment-set {'.'.join(keys)}: {quoted(key)} is not an index below {len(target)}"
        )
    return int(key)


def _validate(values: Values) -> Profile:
    try:
        profile = Profile.model_validate(values)
    except ValidationError as error:
        raise ProfileError(_explain(error, values)) from None
    loaded = [
        name
        for name, variant in profile.variants.items()
        if variant.model is not None
        or variant.endpoint is not None
        or (variant.parent is not None and is_path_or_hub_id(variant.parent))
    ]
    if profile.toy and loaded:
        raise ProfileError(
            f"variant {loaded[0]!r} is a real checkpoint, but profile {profile.name!r} is a demo "
            f"with toy prompts and a toy judge; use: {REAL_CHECKPOINT}"
        )
    if not profile.variants:
        raise ProfileError(
            f"profile {profile.name!r} has no variant to evaluate; name one: {REAL_CHECKPOINT}"
        )
    return profile


def _explain(error: ValidationError, values: Values) -> str:
    """One line: the profile, the key, what is accepted, and the value that was found."""
    errors = error.errors(include_url=False)
    first = errors[0]
    path, value = _find_value(first["loc"], values)
    key = ".".join(map(_shorten, path)) or "profile"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    name = quoted(values.get("name", "?"))
    if first["type"] == "extra_forbidden":
        accepted = _fields_at(first["loc"][:-1])
        near = difflib.get_close_matches(path[-1], accepted, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        text = f"unknown key; {hint}accepted: {', '.join(accepted)}"
    elif first["type"] == "missing":
        text = "required key is missing"
    else:
        text = first["msg"].removeprefix("Value error, ")
        text = text[:1].lower() + text[1:] if text[1:2].islower() else text
        if not isinstance(value, dict | list) and not set(path) & _MAY_HOLD_KEYS:
            text += f", found {quoted(value)}"
    return (
        f"profile {name}: {key}: {text}{more}"
        if key != "profile"
        else (f"profile {name}: {text}{more}")
    )


def _shorten(step: str) -> str:
    return step if len(step) <= _LONGEST_STEP else f"{step[:_LONGEST_STEP]}..."


def _find_value(loc: Sequence[str | int], values: Any) -> tuple[list[str], Any]:
    """The key path of an error as the user wrote it, without pydantic's union tags; its value."""
    path: list[str] = []
    for position, step in enumerate(loc):
        inside = (
            step in values
            if isinstance(values, dict)
            else (isinstance(values, list | tuple) and isinstance(step, int) and step < len(values))
        )
        if inside:
            values = values[step]
        elif position < len(loc) - 1 or step == "[key]":
            continue
        path.append(str(step))
    return path, values


def _fields_at(loc: Sequence[str | int]) -> list[str]:
    """The keys that the table at `loc` accepts."""
    kind: Any = Profile
    for step in loc:
        kind = _step(_plain(kind), step)
    kind = _plain(kind)
    return list(kind.model_fields) if _is_table(kind) else []


def _step(kind: Any, step: str | int) -> Any:
    """The type of `step` in the type `kind`; a union tag of pydantic gives the tagged table."""
    if _is_table(kind):
        return kind.model_fields[str(step)].annotation
    if get_origin(kind) in {dict, tuple}:
        return get_args(kind)[-1 if get_origin(kind) is dict else 0]
    for option in map(_plain, get_args(kind)):
        tag = option.model_fields.get("source") if _is_table(option) else None
        if tag is not None and step in get_args(tag.annotation):
            return option
    return kind


def _plain(kind: Any) -> Any:
    """The type inside `Annotated[...]` or `... | None`."""
    while hasattr(kind, "__metadata__"):
        kind = kind.__origin__
    options = [option for option in get_args(kind) if option is not type(None)]
    optional = len(options) < len(get_args(kind)) and len(options) == 1
    return options[0] if optional else kind


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
