"""From names, files and options to one validated profile.

Layers, the later over the earlier, key by key:

1. the built-in profile `tiny`
2. `[tool.alignment]` in `pyproject.toml`
3. `alignment.toml`
4. `--alignment-profile NAME|FILE`
5. `--alignment-variant NAME=SPEC` and `--alignment-set key.path=value`

A layer that says `extends = "NAME|FILE"` starts from that profile and drops the layers beneath it;
naming a built-in profile does the same, and a profile FILE without `extends` stands alone.
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
"""What stands under these is not quoted in a refusal."""
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
    """Merge the layers found under `root` and the options, and validate the result.

    `selected` is a built-in name or a TOML file, `variants` are `NAME=SPEC`, `assignments` are
    `key.path=value`. Raises ProfileError with one line that names the key and what is accepted.
    """
    values = _base(root, selected)
    for text in variants:
        _assign_variant(values, text)
    for text in assignments:
        _assign(values, text)
    return _validate(values)


def _base(root: Path, selected: str | None) -> Values:
    if selected is not None:
        return _named(selected, ())
    values: Values = {}
    project = root / "alignment.toml"
    for origin, layer in (
        ("pyproject.toml, [tool.alignment]", _from_pyproject(root)),
        ("alignment.toml", _read(project) if is_there(project) else {}),
    ):
        if not layer:
            continue
        _anchor(layer, root)
        if "extends" in layer:
            values = _extended(layer, origin, root, ())
        else:
            values = _merged(values or _named(DEFAULT, ()), layer)
        values.setdefault("data", _from_here(root))
    return values or _named(DEFAULT, ())


def _named(name: str, line: tuple[str, ...]) -> Values:
    """The values of a built-in profile or a file, whatever it extends merged in."""
    path = BUILT_IN / f"{name}.toml"
    if not (name in built_in() and path.is_file()):
        path = Path(name)
        if not is_there(path) or path.is_dir():
            raise ProfileError(
                f"unknown profile {quoted(name)}: it is neither a file nor one of "
                f"{', '.join(built_in())}"
            )
    values, own = _read(path), str(path.resolve())
    if own in line:
        circle = " -> ".join(Path(each).name for each in (*line, name))
        raise ProfileError(f"profiles extend each other in a circle: {circle}")
    if len(line) >= DEPTH:
        raise ProfileError(f"profile {path}: more than {DEPTH} profiles extend each other")
    values.setdefault("name", path.stem)
    _anchor(values, path.parent)
    values = _extended(values, str(path), path.parent, (*line, own))
    if path.parent != BUILT_IN:
        values.setdefault("data", _from_here(path.parent))
    return values


def _extended(layer: Values, origin: str, folder: Path, line: tuple[str, ...]) -> Values:
    parent = layer.pop("extends", None)
    if parent is None:
        return layer
    if not isinstance(parent, str):
        raise ProfileError(f"{origin}: extends: must be the name or the file of a profile")
    beside = folder / parent
    return _merged(_named(str(beside) if is_there(beside) else parent, line), layer)


def _from_here(folder: Path) -> str:
    """A folder as seen from the current one, where it lies in it: reports then say no home."""
    try:
        return str(folder.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(folder)


def _anchor(layer: Values, folder: Path) -> None:
    """A `data` folder is relative to the file that states it."""
    if isinstance(layer.get("data"), str):
        layer["data"] = str(folder / expand(layer["data"]))


def _from_pyproject(root: Path) -> Values:
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


def _merged(below: Values, above: Values) -> Values:
    if "source" in above and above["source"] != below.get("source"):
        return above  # prompts from elsewhere: what is said of the other place means nothing there
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        result[key] = _merged(old, value) if both else value  # type: ignore[arg-type]
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
    told = quoted(f"{path}=..." if "@" in raw or "://" in raw else text)  # it may hold a key
    keys = _keys(path)
    if not equals or not all(keys):
        raise ProfileError(f"--alignment-set {told}: needs key.path=value")
    if len(keys) > DEPTH:
        raise ProfileError(f"--alignment-set {told}: more than {DEPTH} nested keys")
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
                f"--alignment-set {told}: {'.'.join(keys[: depth + 1])} is a value, not a table"
            )
    if isinstance(target, list):
        target[_index(target, keys, len(keys) - 1)] = value
    else:
        target[keys[-1]] = value


def _keys(path: str) -> list[str]:
    """The keys of a dotted path, quoted as in TOML where one holds a dot or a slash itself."""
    try:
        found: Any = parse_toml(f"{path} = 0")
    except UnfitError:
        return path.strip().split(".")
    keys: list[str] = []
    while isinstance(found, dict):
        if len(found) != 1:  # lines of their own in what should be one key
            return [""]
        ((key, found),) = found.items()
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
    """One line: profile, key path, what was found, what is accepted."""
    errors = error.errors(include_url=False)
    first = errors[0]
    path, found = _walk(first["loc"], values)
    key = ".".join(map(_step_in_words, path)) or "profile"
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
        if not isinstance(found, dict | list) and not set(path) & _MAY_HOLD_KEYS:
            text += f", found {quoted(found)}"
    return (
        f"profile {name}: {key}: {text}{more}"
        if key != "profile"
        else (f"profile {name}: {text}{more}")
    )


def _step_in_words(step: str) -> str:
    return step if len(step) <= _LONGEST_STEP else f"{step[:_LONGEST_STEP]}..."


def _walk(loc: Sequence[str | int], values: Any) -> tuple[list[str], Any]:
    """The key path of an error in the user's own terms: without pydantic's union tags."""
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
    """The type one step below `kind`; a union tag of pydantic's picks the tagged table."""
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
