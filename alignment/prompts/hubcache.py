"""The local cache of hub datasets, read by its documented layout, without the hub's client."""

from __future__ import annotations

import os
import re
from pathlib import Path

from alignment.config.axes import DatasetSource
from alignment.config.location import expand
from alignment.files.foreign import MIB, UnfitError, read_text

_COMMIT = re.compile(r"[0-9a-f]{40}")


def revision(source: DatasetSource) -> str:
    """The commit of a hub dataset: the pinned one, else the cached one of the branch or tag.

    If none is cached: the branch or tag itself, or `unpinned` if the source names none.
    """
    name = source.revision or "main"
    if is_commit(name):
        return name
    try:
        return read_text(_repository(source) / "refs" / name, MIB).strip()
    except UnfitError:
        return source.revision or "unpinned"


def is_commit(revision: str) -> bool:
    """Whether a revision is a full commit hash; branches and tags may move."""
    return _COMMIT.fullmatch(revision) is not None


def snapshot(source: DatasetSource) -> Path | None:
    """The cached folder of a dataset's files at `revision(source)`, or None. May be incomplete."""
    folder = _repository(source) / "snapshots" / revision(source)
    return folder if folder.is_dir() else None


def _repository(source: DatasetSource) -> Path:
    return _root() / f"datasets--{source.dataset.replace('/', '--')}"


def _root() -> Path:
    environment = os.environ
    if cache := environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE"):
        return expand(cache)
    home = environment.get("HF_HOME")
    if not home:
        xdg = environment.get("XDG_CACHE_HOME") or "~/.cache"
        home = str(Path(xdg) / "huggingface")
    return expand(home) / "hub"
