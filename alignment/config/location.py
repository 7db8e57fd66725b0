"""Where the store is, and what `~` is. Apart from the store itself, which loads SQLite."""

from __future__ import annotations

import os
from pathlib import Path

from alignment.errors import AlignmentError, StoreError

ENVIRONMENT = "ALIGNMENT_STORE"


def location(option: str | None = None) -> Path:
    """Where the store is: the option, else `$ALIGNMENT_STORE`, else the user's cache folder.

    Raises StoreError where that is below a home folder that is not known.
    """
    named = option or os.environ.get(ENVIRONMENT)
    try:
        return expand(named) if named else _cache()
    except AlignmentError as error:
        raise StoreError(
            f"store {error}, or name a folder with --alignment-store or ${ENVIRONMENT}"
        ) from None


def _cache() -> Path:
    import platformdirs  # noqa: PLC0415 - 30 ms that most runs save

    try:
        return expand(platformdirs.user_cache_dir("alignment-gate"))
    except RuntimeError:  # later releases look themselves
        return expand("~/.cache/alignment-gate")


def expand(path: str | Path) -> Path:
    """A path whose leading `~` is the user's home folder. Raises AlignmentError for none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise AlignmentError(f"{path}: the home folder (~) is not known; set $HOME") from None
