"""The gate put into someone's own repository: suite, profile, workflow; no file is replaced."""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from alignment.config.layers import BUILT_IN, built_in
from alignment.errors import AlignmentError
from alignment.files.single import add_files
from alignment.runtime.namesake import OURS

_HERE = Path(__file__).parents[1]
STARTER = _HERE / "starter"
SUITE = "eval_suites"
CONSTRAINTS = "alignment-constraints.txt"
_OWN_MODELS = (
    "[variants.base]",
    'model = "./my-base"',
    "[variants.candidate]",
    'model = "./my-checkpoint"',
)
"""What the commented profile has as comments, for those who start from the built-in world."""
_CONSTRAINED = """\
# The package versions that the workflow installs: those that were installed here when this file was
# written. Other versions may give other answers and scores; if you change them, you may have to
# accept the baselines again.
"""


@dataclass(frozen=True, slots=True)
class Started:
    """The files that were written, and those that were there already and stayed as they were."""

    written: tuple[str, ...]
    left: tuple[str, ...]


def start(folder: Path, profile: str) -> Started:
    """Write a suite, a profile that extends `profile`, a folder for baselines and a workflow.

    `folder` is made if need be. A file that is there is left alone, each other one appears whole or
    not at all.

    Raises AlignmentError with one line for an unknown profile, and for a folder that cannot be
    written; none of the files is then there.
    """
    texts = starter(profile)
    try:
        written = add_files(folder, texts)
    except OSError as error:
        where = error.filename or folder
        raise AlignmentError(
            f"init: {where}: {error.strerror or error}; name a folder in which files can be written"
        ) from error
    return Started(tuple(written), tuple(name for name in texts if name not in written))


def starter(profile: str) -> dict[str, str]:
    """Path -> text of all that a repository is given. Raises AlignmentError as `start` does."""
    if profile not in built_in():
        raise AlignmentError(
            f"init: unknown profile {profile!r}; start from one of {', '.join(built_in())}"
        )
    return {
        "alignment.toml": _profile(profile),
        **{f"{SUITE}/{path.name}": _text(path) for path in sorted(_suite().glob("*.py"))},
        f"{SUITE}/__baselines__/README.md": _text(STARTER / "baselines.md"),
        CONSTRAINTS: _CONSTRAINED + "".join(f"{each}\n" for each in _pinned()),
        ".github/workflows/alignment.yml": _workflow(),
    }


def _suite() -> Path:
    """The suite's files: within the package of a wheel, beside the package in a checkout."""
    packaged = STARTER / SUITE
    return packaged if packaged.is_dir() else _HERE.parent / SUITE


def _profile(name: str) -> str:
    """The commented profile; where `name` has no models of its own, the lines for them count."""
    text = _text(STARTER / "alignment.toml").replace('extends = "tiny"', f'extends = "{name}"')
    if "variants" not in tomllib.loads(_text(BUILT_IN / f"{name}.toml")):
        for line in _OWN_MODELS:
            text = text.replace(f"#{line}", line)
    return text


def _workflow() -> str:
    """The workflow, which installs the version that wrote it, on the same Python."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    wanted = f"{OURS}=={_own()['version']}"
    text = _text(STARTER / "workflow.yml")
    return text.replace("DISTRIBUTION", wanted).replace("PYTHON", python)


def _own() -> dict[str, Any]:
    """Our version and requirements: as installed, or those of a checkout on the path."""
    try:
        return {"version": metadata.version(OURS), "dependencies": metadata.requires(OURS) or []}
    except metadata.PackageNotFoundError:
        project: dict[str, Any] = tomllib.loads(_text(_HERE.parent / "pyproject.toml"))["project"]
        return project


def _pinned() -> list[str]:
    """`name==version`, as it is installed here, of all that we need, directly or not."""
    from packaging.requirements import Requirement  # noqa: PLC0415 - only `init` needs it
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    found: dict[str, str] = {}
    seen: set[str] = set()
    waiting = [need for each in _own()["dependencies"] if not (need := Requirement(each)).marker]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if f"{name}{wanted.extras}" in seen:
            continue
        seen.add(f"{name}{wanted.extras}")
        try:
            there = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # for another system, or one that nobody missed
            continue
        found[name] = there.version.partition("+")[0]  # a build for one device is no version
        for each in map(Requirement, there.requires or ()):
            extras = wanted.extras or {""}
            if each.marker is None or any(each.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(each)
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
