"""The gate put into someone's own repository: suite, profile, workflow; no file is replaced."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from alignment.errors import AlignmentError
from alignment.files import add_files
from alignment.layers import BUILT_IN, built_in
from alignment.namesake import OURS

_HERE = Path(__file__).parent
STARTER = _HERE / "starter"
SUITE = "eval_suites"
_OWN_MODELS = (
    "[variants.base]",
    'model = "./my-base"',
    "[variants.candidate]",
    'model = "./my-checkpoint"',
)
"""What the commented profile has as comments, for those who start from the built-in world."""


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
            f"init: {where}: {error.strerror or error}; name a folder that can be written"
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
    """The workflow, which installs the version that wrote it."""
    try:
        wanted = f"{OURS}=={metadata.version(OURS)}"
    except metadata.PackageNotFoundError:  # a checkout on the path, installed nowhere
        wanted = OURS
    return _text(STARTER / "workflow.yml").replace("DISTRIBUTION", wanted)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
