"""Folders of trained models: they appear in one step, and are checked when they are read.

A model's `manifest.json` has a hash of every file and one of itself. A folder that does not fit its
manifest is damaged; before the model is trained again, the folder is moved to `damaged/`.
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
    """A folder is not what was written; the message is the reason, in a few words."""


def read(folder: Path, hash_file: HashFile | None = None) -> dict[str, Any]:
    """The manifest of a trained model; with `hash_file` all files are compared with it.

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
    content = {key: value for key, value in manifest.items() if key != "check"}
    if manifest.get("check") != content_key(content) or not is_manifest(manifest):
        raise DamagedError(f"{MANIFEST} is not what was written")
    if hash_file is not None:
        _compare(folder, manifest["files"], hash_file)
    return manifest


def _compare(folder: Path, hashes: dict[str, str], hash_file: HashFile) -> None:
    files = _find_files(folder)
    for name in sorted(hashes.keys() ^ files.keys()):
        raise DamagedError(f"{name} is {'missing' if name in hashes else 'not of it'}")
    for name, path in sorted(files.items()):
        if hash_file(path) != hashes[name]:
            raise DamagedError(f"{name} is not what was written")


def _find_files(folder: Path) -> dict[str, Path]:
    """Name -> file of a model: all but the manifest and hidden files, which desktops may add."""
    paths = {path.relative_to(folder): path for path in folder.rglob("*") if not path.is_dir()}
    return {
        name.as_posix(): path
        for name, path in paths.items()
        if not any(part.startswith(".") for part in name.parts) and name != Path(MANIFEST)
    }


def seal(folder: Path) -> None:
    """Add the hashes to the manifest of a folder."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    files = {name: file_hash(each) for name, each in sorted(_find_files(folder).items())}
    manifest |= {"schema": _SCHEMA, "files": files}
    manifest["check"] = content_key(manifest)
    path.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")


@contextlib.contextmanager
def draft_of(final: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `final` in one step if nothing was raised.

    Nothing may be at `final` by then. A draft that a killed process left behind is removed first.
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
    """Move something damaged into `folder` under a new name, and return its new path."""
    numbered = (folder / f"{path.name}.{number}" for number in range(1, 10**9))
    target = next(each for each in numbered if not os.path.lexists(each))
    path.replace(target)
    with contextlib.suppress(OSError):
        os.utime(target)  # pruning counts its age from now on
    return target


def remove(path: Path) -> None:
    """Remove a folder, a file or a link, if there is one."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        shutil.rmtree(path)
    else:
        path.unlink()


def size_of(path: Path) -> int:
    """The size of all files below a folder, in bytes; files that vanish meanwhile do not count."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(folder) / name).lstat().st_size
    return total


def older(paths: Iterator[Path], limit: float) -> list[Path]:
    """The paths that were last changed before `limit` (seconds since the epoch)."""
    old = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_mtime < limit:
                old.append(path)
    return old


def age_of(path: Path) -> float:
    """Seconds since a folder was last changed; 0 where it cannot be read."""
    with contextlib.suppress(OSError):
        return time.time() - path.stat().st_mtime
    return 0.0


def _flush(path: Path) -> None:
    """Make sure that a file's bytes are on the disk before its folder gets its final name."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
