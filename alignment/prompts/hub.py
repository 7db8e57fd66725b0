"""Rows through Hugging Face `datasets`: the only place that imports it, and only when called."""

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
    """Load one split with `datasets.load_dataset` and give its rows as dictionaries.

    `folder` is the local folder, where the source names one. Without `network` nothing is fetched:
    what is not on this machine, neither in the cache of `datasets` nor in the hub's, raises
    PromptError with the dataset's name and what to do. No progress bars are drawn; process-wide
    switches are put back as they were.
    """
    with _cache(folder) as cache:
        with _offline(not network), _quiet():
            try:
                rows = _loaded(source, folder, cache)
            except Exception as error:
                fetched = None if folder else snapshot(source)
                try:
                    rows = None if fetched is None else _loaded(source, fetched, cache)
                except Exception:  # noqa: BLE001 - the first failure is the one to tell
                    rows = None
                if rows is None:
                    raise PromptError(_failure(source, folder, network, error)) from error
        yield from map(dict, rows)


@contextmanager
def _cache(folder: Path | None) -> Iterator[str | None]:
    """Where `datasets` keeps the rows; None is its own place.

    It knows the files of a folder by name and time of modification, and would give the rows of
    others that had these before.
    """
    if folder is None:
        yield None
        return
    with TemporaryDirectory(ignore_cleanup_errors=True) as own:
        yield own


def _loaded(source: DatasetSource, folder: Path | None, cache: str | None) -> Any:
    import datasets  # noqa: PLC0415 - a second of imports that most runs do without

    return datasets.load_dataset(
        str(folder or source.dataset),
        data_dir=source.data_dir,
        split=source.split,
        revision=None if folder else source.revision,
        cache_dir=cache,
    )


def _failure(source: DatasetSource, folder: Path | None, network: bool, error: Exception) -> str:
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
def _offline(wanted: bool) -> Iterator[None]:
    """Keep the hub libraries offline, and this process's children: by constant, by environment.

    The libraries read the environment once, when imported, which somebody may have done before;
    importing them here first (it fetches nothing) keeps their own setting to be put back.
    """
    if not wanted:
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
