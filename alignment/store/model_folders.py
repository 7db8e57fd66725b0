"""Folders of trained models: appear at once and whole, and are what they were when they are read.

A model's `manifest.json` holds the hash of every file and one of itself. A folder that does not
fit its manifest is no model; whoever makes the model anew moves it to `damaged/` first.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from alignment.files.access import follow, share
from alignment.files.foreign import UnfitError, is_there, read_json
from alignment.store.content import content_key, file_hash
from alignment.store.shapes import is_manifest

MANIFEST = "manifest.json"
DRAFT = ".draft-"

_SCHEMA = 2
"""Of a manifest. The first had no hashes."""

HashFile = Callable[[Path], str]
"""Path -> SHA-256 of a file's bytes, in hex."""


class DamagedError(Exception):
    """A folder is not what was written; says why in a few words."""


def read(folder: Path, hash_file: HashFile | None = None) -> dict[str, Any]:
    """The manifest of a trained model; with `hash_file` all of its files are compared with it.

    Raises DamagedError, and OSError where something cannot be read.
    """
    if not folder.is_dir():
        raise DamagedError("no folder")
    path = folder / MANIFEST
    if not is_there(path):
        raise DamagedError(f"without {MANIFEST}")
    try:
        manifest = read_json(path)
    except UnfitError:
        raise DamagedError(f"{MANIFEST} is no JSON") from None
    if not isinstance(manifest, dict):
        raise DamagedError(f"{MANIFEST} is no object")
    if manifest.get("schema") == 1 and "files" not in manifest:
        raise DamagedError("of an earlier release, without hashes of its files")
    own = {key: value for key, value in manifest.items() if key != "check"}
    if manifest.get("check") != content_key(own) or not is_manifest(manifest):
        raise DamagedError(f"{MANIFEST} is not what was written")
    if hash_file is not None:
        _compare(folder, manifest["files"], hash_file)
    return manifest


def _compare(folder: Path, kept: dict[str, str], hash_file: HashFile) -> None:
    there = _files(folder)
    for name in sorted(kept.keys() ^ there.keys()):
        raise DamagedError(f"{name} is {'missing' if name in kept else 'not of it'}")
    for name, path in sorted(there.items()):
        if hash_file(path) != kept[name]:
            raise DamagedError(f"{name} is not what was written")


def _files(folder: Path) -> dict[str, Path]:
    """What a model is made of: all but hidden files, such as desktops leave, and the manifest."""
    found = {path.relative_to(folder): path for path in folder.rglob("*") if not path.is_dir()}
    return {
        name.as_posix(): path
        for name, path in found.items()
        if not any(part.startswith(".") for part in name.parts) and name != Path(MANIFEST)
    }


def seal(folder: Path) -> None:
    """Add the hashes to a manifest that is there."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    files = {name: file_hash(each) for name, each in sorted(_files(folder).items())}
    manifest |= {"schema": _SCHEMA, "files": files}
    manifest["check"] = content_key(manifest)
    path.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")


@contextlib.contextmanager
def draft_of(final: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `final` in one step if nothing was raised.

    What is at `final` must have gone by then; what a killed predecessor left behind goes now.
    """
    draft = final.with_name(f"{DRAFT}{final.name}")
    remove(draft)
    draft.mkdir()
    try:
        yield draft
        if (draft / MANIFEST).is_file():
            seal(draft)
        follow(final.parent, draft)
        for path in draft.rglob("*"):
            share(draft, path)
            if path.is_file():
                _flush(path)
        draft.replace(final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def set_aside(path: Path, folder: Path) -> Path:
    """Move something that is no model into `folder`; where it is now."""
    numbered = (folder / f"{path.name}.{number}" for number in range(1, 10**9))
    there = next(each for each in numbered if not os.path.lexists(each))
    path.replace(there)
    with contextlib.suppress(OSError):
        os.utime(there)  # from now on it grows old
    return there


def remove(path: Path) -> None:
    """Remove a folder, or whatever is there instead, if anything is."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        shutil.rmtree(path)
    else:
        path.unlink()


def size_of(path: Path) -> int:
    """How many bytes the files below take, as far as they are still there."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(folder) / name).lstat().st_size
    return total


def older(paths: Iterator[Path], limit: float) -> list[Path]:
    """Those that were last changed before `limit`."""
    found = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_mtime < limit:
                found.append(path)
    return found


def age_of(path: Path) -> float:
    """Seconds since a folder was made."""
    with contextlib.suppress(OSError):
        return time.time() - path.stat().st_mtime
    return 0.0


def _flush(path: Path) -> None:
    """Make sure that a file's bytes are on the disk before its folder gets its final name."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
