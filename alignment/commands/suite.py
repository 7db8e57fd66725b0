"""Adds the gate to a repository: suite, profile, workflow; no file is replaced."""

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

_PACKAGE = Path(__file__).parents[1]
STARTER = _PACKAGE / "starter"
SUITE = "eval_suites"
CONSTRAINTS = "alignment-constraints.txt"
_OWN_MODELS = (
    "[variants.base]",
    'model = "./my-base"',
    "[variants.candidate]",
    'model = "./my-checkpoint"',
)
"""Lines that are comments in the template, because profile `tiny` has its own variants."""
_CONSTRAINED = """\
# The package versions that the workflow installs: those that were installed here when this file was
# written. Other versions may give other answers and scores; if you change them, you may have to
# accept the baselines again.
"""


@dataclass(frozen=True, slots=True)
class Started:
    """The files that were written, and those that existed already and were not changed."""

    written: tuple[str, ...]
    left: tuple[str, ...]


def start(folder: Path, profile: str) -> Started:
    """Write a suite, a profile that extends `profile`, a folder for baselines and a workflow.

    `folder` is made if need be. Existing files are not changed; each other one is written
    completely or not at all.

    Raises AlignmentError with one line for an unknown profile, and for a folder that cannot be
    written; then no file was written.
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
    """Path -> text of all files for a repository. Raises AlignmentError for an unknown profile."""
    if profile not in built_in():
        raise AlignmentError(
            f"init: unknown profile {profile!r}; start from one of {', '.join(built_in())}"
        )
    return {
        "alignment.toml": _profile(profile),
        **{f"{SUITE}/{path.name}": _text(path) for path in sorted(_suite().glob("*.py"))},
        f"{SUITE}/__baselines__/README.md": _text(STARTER / "baselines.md"),
        CONSTRAINTS: _CONSTRAINED + "".join(f"{each}\n" for each in _pin_packages()),
        ".github/workflows/alignment.yml": _workflow(),
    }


def _suite() -> Path:
    """The folder of the suite's files: in the package of a wheel, beside it in a checkout."""
    packaged = STARTER / SUITE
    return packaged if packaged.is_dir() else _PACKAGE.parent / SUITE


def _profile(name: str) -> str:
    """The commented profile that extends `name`; with variants, if `name` has none."""
    text = _text(STARTER / "alignment.toml").replace('extends = "tiny"', f'extends = "{name}"')
    if "variants" not in tomllib.loads(_text(BUILT_IN / f"{name}.toml")):
        for line in _OWN_MODELS:
            text = text.replace(f"#{line}", line)
    return text


def _workflow() -> str:
    """The workflow, which installs this version of the package on this version of Python."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    requirement = f"{OURS}=={_metadata()['version']}"
    text = _text(STARTER / "workflow.yml")
    return text.replace("DISTRIBUTION", requirement).replace("PYTHON", python)


def _metadata() -> dict[str, Any]:
    """`version` and `dependencies` of this package, as installed, or from a checkout."""
    try:
        return {"version": metadata.version(OURS), "dependencies": metadata.requires(OURS) or []}
    except metadata.PackageNotFoundError:
        text = _text(_PACKAGE.parent / "pyproject.toml")
        project: dict[str, Any] = tomllib.loads(text)["project"]
        return project


def _pin_packages() -> list[str]:
    """`name==version` of all installed packages that this one needs, directly or not."""
    from packaging.requirements import Requirement  # noqa: PLC0415 - only `init` needs it
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    versions: dict[str, str] = {}
    seen: set[str] = set()
    dependencies = map(Requirement, _metadata()["dependencies"])
    pending = [each for each in dependencies if not each.marker]
    while pending:
        requirement = pending.pop()
        name = canonicalize_name(requirement.name)
        if f"{name}{requirement.extras}" in seen:
            continue
        seen.add(f"{name}{requirement.extras}")
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # for another system, or an optional one
            continue
        versions[name] = distribution.version.partition("+")[0]  # without the build, as in +cpu
        for each in map(Requirement, distribution.requires or ()):
            extras = requirement.extras or {""}
            if each.marker is None or any(each.marker.evaluate({"extra": e}) for e in extras):
                pending.append(each)
    return [f"{name}=={version}" for name, version in sorted(versions.items())]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
