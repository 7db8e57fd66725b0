"""The commands `store` and `store prune`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alignment.commands.shared import add_store
from alignment.config.location import location
from alignment.errors import AlignmentError, StoreError, quoted
from alignment.files.foreign import is_there
from alignment.store import FILE, Store
from alignment.store import model_folders as folders

_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_AGE = "delete entries that are older than this: 45m, 12h, 30d or 4w"


def declare(commands: Any) -> None:
    """Add `store` and `store prune`."""
    store = commands.add_parser("store", help="show what the store holds, or prune it")
    store.set_defaults(command=_show)
    actions = store.add_subparsers(metavar="ACTION")
    prune = actions.add_parser("prune", help="delete old entries")
    prune.set_defaults(command=_prune)
    prune.add_argument("--older-than", required=True, metavar="AGE", help=_AGE)
    prune.add_argument("--dry-run", action="store_true", help="only list what would be deleted")
    # The option may be before or after `prune`; its absence after `prune` must not reset it.
    for command, default in ((store, None), (prune, argparse.SUPPRESS)):
        add_store(command, default)


def _show(options: argparse.Namespace) -> Iterator[str]:
    root = location(options.store)
    yield f"store {root}"
    store = opened(root)
    if store is None:
        yield "empty: nothing is stored there yet"
        return
    yield f"{_size(folders.size_of(root))} on disk"
    for kind, count, size in store.contents():
        yield f"  {kind:<12}{count:>8}  {_size(size):>10}"
    for folder in store.folders():
        on_disk, age = _size(folders.size_of(folder)), _age(folders.age_of(folder))
        yield f"  model {folder.name}  {on_disk:>10}  {age:>5} old  {_name(folder)}"


def _name(folder: Path) -> str:
    """The name of a trained model, or what is wrong with its manifest; its files are not read."""
    try:
        return str(folders.read(folder)["name"])
    except (folders.DamagedError, OSError) as error:
        return f"damaged: {error}"


def _prune(options: argparse.Namespace) -> Iterator[str]:
    seconds, root = _duration(options.older_than), location(options.store)
    store = opened(root)
    records, models = store.prune(older_than=seconds, dry_run=options.dry_run) if store else (0, 0)
    action = "would delete" if options.dry_run else "deleted"
    yield f"store {root}: {action} {records} records and {models} models"


def opened(root: Path) -> Store | None:
    """The store at `root`, or None if there is none: it is not made. Raises StoreError."""
    if is_there(root) and not root.is_dir():
        raise StoreError(f"store {root}: is a file; name a folder with --alignment-store")
    if not is_there(root / FILE):
        return None
    store = Store(root)
    store.note = lambda text: print(text, file=sys.stderr)  # noqa: T201 - a command line
    return store


def _duration(text: str) -> float:
    match = re.fullmatch(r"([0-9]{1,9})([mhdw])", text)
    if match is None:
        raise AlignmentError(
            f"--older-than {quoted(text)}: a number and a unit (m, h, d or w) is required, such "
            f"as 30d"
        )
    return float(match[1]) * _SECONDS[match[2]]


def _age(seconds: float) -> str:
    unit = next((unit for unit in "dhm" if seconds >= _SECONDS[unit]), "m")
    return f"{max(0.0, seconds) / _SECONDS[unit]:.0f} {unit}"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
