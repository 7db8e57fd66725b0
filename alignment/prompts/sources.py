"""The sources of rows: the built-in corpus, a file, or a dataset; read one row at a time."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from alignment.config.axes import DatasetSource, FileSource, TinySource
from alignment.errors import PromptError
from alignment.prompts import bounds, hub, hubcache
from alignment.prompts import dataset_folders as folders
from alignment.prompts.identities import identity, names_content
from alignment.prompts.jsonfiles import entries
from alignment.prompts.rows import Row, make_row

__all__ = ["AnySource", "Row", "check", "identity", "label", "names_content", "read_rows", "tiny"]

AnySource = TinySource | DatasetSource | FileSource


def read_rows(
    source: AnySource, *, data: Path, axis: str, network: bool, columns: Sequence[str] = ()
) -> Iterator[Row]:
    """The rows of a source, in its order.

    Relative paths start at `data`; `axis` selects rows of the built-in corpus; `network` is whether
    a hub dataset may be fetched; `columns` names further keys that are kept. Raises PromptError,
    naming file and line, if a source is missing or damaged or a row lacks required keys.
    """
    name = label(source)
    if isinstance(source, TinySource):
        return _from_tiny(source, axis, name, columns)
    if isinstance(source, FileSource):
        return _from_file(data / source.path, name, columns)
    folder = folders.local_folder(source, data)
    available = folder or hubcache.snapshot(source)
    split_path = folders.split_file(source, available) if available is not None else None
    if split_path is not None:
        return _from_file(split_path, name, columns)
    return _from_datasets(source, folder, name, columns, network=network)


def check(source: AnySource, *, data: Path, axis: str) -> None:
    """Check cheaply, before the run, that a source can be read; nothing is fetched.

    Only the first row of a file is read. Raises PromptError as `read_rows` does.
    """
    if isinstance(source, TinySource):
        if axis not in tiny().AXES:  # the rows themselves are always there
            raise PromptError(_without_axis(source, axis))
        return
    if isinstance(source, DatasetSource):
        folder = folders.local_folder(source, data)
        if folder is None:
            return
        if folders.split_file(source, folder) is None:
            folders.data_files(source, folder)
            return
    next(read_rows(source, data=data, axis=axis, network=False), None)


def label(source: AnySource) -> str:
    """The name of a source in records and messages, as the profile spells it."""
    if isinstance(source, TinySource):
        return f"tiny/{source.split}"
    if isinstance(source, FileSource):
        return source.path
    return "/".join(filter(None, (source.dataset, source.data_dir, source.split)))


def tiny() -> Any:
    """The module of the built-in corpus, imported when first needed."""
    return importlib.import_module("alignment.tiny")


def _from_tiny(source: TinySource, axis: str, name: str, columns: Sequence[str]) -> Iterator[Row]:
    try:
        rows = tiny().rows(source.split, axis)
    except (KeyError, ValueError) as error:
        raise PromptError(_without_axis(source, axis)) from error
    for number, value in enumerate(rows, 1):
        place = f"{name}, row {number}"
        yield make_row(value, line=number, source=name, place=place, columns=columns)


def _without_axis(source: TinySource, axis: str) -> str:
    return (
        f"the built-in corpus has no rows for split {source.split!r}, axis {axis!r}; "
        f"it has {' and '.join(tiny().AXES)}"
    )


def _from_file(path: Path, name: str, columns: Sequence[str]) -> Iterator[Row]:
    for entry in entries(path):
        yield make_row(
            entry.value, line=entry.number, source=name, place=entry.place, columns=columns
        )


def _from_datasets(
    source: DatasetSource, folder: Path | None, name: str, columns: Sequence[str], *, network: bool
) -> Iterator[Row]:
    for path in () if folder is None else folders.data_files(source, folder):
        bounds.require_bounded(path)
    for number, value in enumerate(hub.load(source, folder, network=network), 1):
        place = f"{name}, row {number}"
        yield make_row(value, line=number, source=name, place=place, columns=columns)
