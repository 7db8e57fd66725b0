"""Where the store is. Apart from the store itself, which loads SQLite."""

from __future__ import annotations

import os
from pathlib import Path

ENVIRONMENT = "ALIGNMENT_STORE"


def location(option: str | None = None) -> Path:
    """Where the store is: the option, else `$ALIGNMENT_STORE`, else the user's cache folder."""
    if option or os.environ.get(ENVIRONMENT):
        return Path(option or os.environ[ENVIRONMENT]).expanduser()
    import platformdirs  # noqa: PLC0415 - 30 ms that most runs save

    return Path(platformdirs.user_cache_dir("alignment-gate"))
