"""Datasets in local folders: the folder of a dataset, and the files of a split."""

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
"""The most files and folders below a dataset's folder."""

_SUFFIXES = (".jsonl.gz", ".jsonl", ".json", ".json.gz")


def local_folder(source: DatasetSource, data: Path) -> Path | None:
    """The folder that a dataset source names, or None if it names a hub dataset.

    A name means a folder if that exists (relative names start at `data`). Raises PromptError if
    the name is a file, or is spelled like a path and does not exist.
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
    """`<folder>/<data_dir>/<split>.jsonl.gz` (or .jsonl, .json) as in HH-RLHF, or None.

    Raises PromptError if it exists and is not a regular file.
    """
    inside = folder / (source.data_dir or ".")
    candidates = (inside / f"{source.split}{ending}" for ending in _SUFFIXES)
    path = next(filter(is_there, candidates), None)
    if path is not None:
        require_file(path)
    return path


def data_files(source: DatasetSource, folder: Path) -> list[Path]:
    """The files that a split is read from: its own file, else all files that are not hidden.

    Raises PromptError if there are none, or more than `MOST`.
    """
    split = split_file(source, folder)
    if split is not None:
        return [split]
    inside = folder / (source.data_dir or ".")
    files = list(_visible_files(inside))
    for path in files:
        require_file(path)  # reading a FIFO would block
    if not files:
        raise PromptError(
            f"{inside}: no data files; a clone of the dataset has {source.split}.jsonl.gz here"
        )
    return files


def _visible_files(inside: Path) -> Iterator[Path]:
    """All files below a folder that are not hidden; links to folders are not followed."""
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
