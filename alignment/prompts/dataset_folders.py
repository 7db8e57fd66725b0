"""Datasets as folders on this machine: which ones are, and which files a split is made of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from alignment.config.axes import DatasetSource
from alignment.config.location import expand
from alignment.errors import PromptError
from alignment.files.foreign import is_there
from alignment.prompts.jsonfiles import require_file

MOST = 10_000
"""Files and folders of a data set's folder: further ones are no data set."""

_ENDINGS = (".jsonl.gz", ".jsonl", ".json", ".json.gz")


def local_folder(source: DatasetSource, data: Path) -> Path | None:
    """The folder that a dataset source names, or None when it names a hub dataset.

    A name is a folder when there is one (relative names start at `data`). Raises PromptError when
    the name is spelled like a path and there is none, or when it is a file.
    """
    path = data / expand(source.dataset)
    if path.is_dir():
        return path
    if path.exists():
        raise PromptError(
            f"{path}: is a file, where a dataset's folder is required; "
            'use `source = "file"` with `path` for a single file'
        )
    if Path(source.dataset).is_absolute() or source.dataset.startswith((".", "~")):
        raise PromptError(f"{path}: there is no such folder (relative paths start at `data`)")
    return None


def split_file(source: DatasetSource, folder: Path) -> Path | None:
    """`<folder>/<data_dir>/<split>.jsonl.gz` (or .jsonl, .json) as HH-RLHF has it, if any.

    Raises PromptError where that is there and no regular file.
    """
    inside = folder / (source.data_dir or ".")
    candidates = (inside / f"{source.split}{ending}" for ending in _ENDINGS)
    found = next(filter(is_there, candidates), None)
    if found is not None:
        require_file(found)
    return found


def data_files(source: DatasetSource, folder: Path) -> list[Path]:
    """The files that a split is read from: its own one, else all that are not hidden.

    Raises PromptError when there are none, or so many that this is no data set's folder.
    """
    own = split_file(source, folder)
    if own is not None:
        return [own]
    inside = folder / (source.data_dir or ".")
    files = list(_shown(inside))
    for path in files:
        require_file(path)  # a FIFO would be waited for
    if not files:
        raise PromptError(
            f"{inside}: no data files; a clone of the dataset has {source.split}.jsonl.gz here"
        )
    return files


def _shown(inside: Path) -> Iterator[Path]:
    """What lies in a folder and is not hidden; links to folders are not followed."""
    seen = 0
    for root, folders, names in os.walk(inside):
        seen += len(folders) + len(names)
        if seen > MOST:
            raise PromptError(
                f"{inside}: more than {MOST:,} files and folders, which is the limit; name the "
                f"data set's own folder"
            )
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(root, name) for name in names if not name.startswith("."))
