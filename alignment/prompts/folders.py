"""Datasets as folders on this machine: which ones are, and which files a split is made of."""

from __future__ import annotations

from pathlib import Path

from alignment.axes import DatasetSource
from alignment.errors import PromptError
from alignment.location import expand

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
    """`<folder>/<data_dir>/<split>.jsonl.gz` (or .jsonl, .json) as HH-RLHF has it, if any."""
    inside = folder / (source.data_dir or ".")
    candidates = (inside / f"{source.split}{ending}" for ending in _ENDINGS)
    return next((path for path in candidates if path.is_file()), None)


def data_files(source: DatasetSource, folder: Path) -> list[Path]:
    """The files that a split is read from: its own one, else all that are not hidden.

    Raises PromptError when there are none.
    """
    own = split_file(source, folder)
    if own is not None:
        return [own]
    inside = folder / (source.data_dir or ".")
    files = [
        path
        for path in inside.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not files:
        raise PromptError(
            f"{inside}: no data files; a clone of the dataset has {source.split}.jsonl.gz here"
        )
    return files
