"""The folder of the store, and paths with `~`; imports no SQLite, unlike the store itself."""

from __future__ import annotations

import os
from pathlib import Path

from alignment.errors import AlignmentError, StoreError

ENVIRONMENT = "ALIGNMENT_STORE"


def location(option: str | None = None) -> Path:
    """The folder of the store: the option, else `$ALIGNMENT_STORE`, else in the user's cache.

    Raises StoreError where the path begins with a home folder that is not known.
    """
    path = option or os.environ.get(ENVIRONMENT)
    try:
        return expand(path) if path else _cache_folder()
    except AlignmentError as error:
        raise StoreError(
            f"store {error}, or name a folder with --alignment-store or ${ENVIRONMENT}"
        ) from None


def _cache_folder() -> Path:
    import platformdirs  # noqa: PLC0415 - 30 ms that most runs save

    try:
        return expand(platformdirs.user_cache_dir("alignment-gate"))
    except RuntimeError:  # of older releases of platformdirs, where there is no home folder
        return expand("~/.cache/alignment-gate")


def expand(path: str | Path) -> Path:
    """A path with a leading `~` replaced by the home folder; AlignmentError if it is not known."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise AlignmentError(f"{path}: the home folder (~) is not known; set $HOME") from None
