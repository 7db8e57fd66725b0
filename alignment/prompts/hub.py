"""Rows from Hugging Face `datasets`; the only module that imports it, and only when called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alignment.config.axes import DatasetSource
from alignment.errors import PromptError
from alignment.prompts.hubcache import snapshot

_SWITCHES = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")


def load(source: DatasetSource, folder: Path | None, *, network: bool) -> Iterator[dict[str, Any]]:
    """Load one split with `datasets.load_dataset` and yield its rows as dictionaries.

    `folder` is the local folder, if the source names one. If `network` is false nothing is fetched.
    Raises PromptError, with the dataset's name and what to do, if it cannot be loaded or is in
    neither the cache of `datasets` nor that of the hub. Draws no progress bars; process-wide
    switches are restored afterwards.
    """
    with _cache(folder) as cache:
        with _offline(not network), _quiet():
            try:
                rows = _load_split(source, folder, cache)
            except Exception as error:
                fetched = None if folder else snapshot(source)
                try:
                    rows = None if fetched is None else _load_split(source, fetched, cache)
                except Exception:  # noqa: BLE001 - the first failure is reported
                    rows = None
                if rows is None:
                    raise PromptError(_failure_message(source, folder, network, error)) from error
        yield from map(dict, rows)


@contextmanager
def _cache(folder: Path | None) -> Iterator[str | None]:
    """The cache folder for `datasets`: a temporary one for a local folder, else None (its default).

    `datasets` identifies local files by name and modification time only, and could return the
    cached rows of other files.
    """
    if folder is None:
        yield None
        return
    with TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        yield temporary


def _load_split(source: DatasetSource, folder: Path | None, cache: str | None) -> Any:
    import datasets  # noqa: PLC0415 - takes a second to import

    return datasets.load_dataset(
        str(folder or source.dataset),
        data_dir=source.data_dir,
        split=source.split,
        revision=None if folder else source.revision,
        cache_dir=cache,
    )


def _failure_message(
    source: DatasetSource, folder: Path | None, network: bool, error: Exception
) -> str:
    part = f"data_dir {source.data_dir!r}, split {source.split!r}"
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    if folder is not None:
        remedy = f"put {source.split}.jsonl.gz there, or correct `data_dir` and `split`"
    elif network:
        remedy = "check the name, `data_dir`, `split` and the connection"
    else:
        remedy = "set `network = true` in the profile, or give a local folder as `dataset`"
    return f"dataset {source.dataset!r} ({part}) cannot be loaded: {reason}; {remedy}"


@contextmanager
def _offline(offline: bool) -> Iterator[None]:
    """Keep the hub libraries offline, here by their constants, in child processes by environment.

    The libraries read the environment once, when they are imported. They are imported here before
    it is changed (which fetches nothing), so that their original constants can be restored.
    """
    if not offline:
        yield
        return
    import datasets.config  # noqa: PLC0415
    import huggingface_hub.constants  # noqa: PLC0415

    holders: tuple[Any, ...] = (datasets.config, huggingface_hub.constants)
    constants = [holder.HF_HUB_OFFLINE for holder in holders]
    before = {name: os.environ.get(name) for name in _SWITCHES}
    try:
        os.environ.update(dict.fromkeys(_SWITCHES, "1"))
        for holder in holders:
            holder.HF_HUB_OFFLINE = True
        yield
    finally:
        for holder, constant in zip(holders, constants, strict=True):
            holder.HF_HUB_OFFLINE = constant
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no log lines of `datasets` while inside."""
    import datasets  # noqa: PLC0415
    import datasets.utils.logging as log  # noqa: PLC0415

    drawn, level = not datasets.are_progress_bars_disabled(), log.get_verbosity()
    datasets.disable_progress_bars()
    log.set_verbosity_error()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if drawn:
            datasets.enable_progress_bars()
