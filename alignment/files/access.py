"""Permissions of stored files: prompts and answers may be confidential.

A new folder is accessible to its owner only, and to its group if the umask lets a group write. An
existing folder keeps its permissions, and new files in a folder get permissions that fit it.
"""

from __future__ import annotations

import stat
from contextlib import suppress
from pathlib import Path

_OWNER, _GROUP = 0o700, 0o070


def private_folder(path: Path) -> None:
    """Make a folder for prompts and answers, if it is missing; its parents get the usual access.

    Raises OSError.
    """
    try:
        path.mkdir(_OWNER | _GROUP, parents=True)
    except FileExistsError:
        if not path.is_dir():
            raise
        return
    shared = path.stat().st_mode & stat.S_IWGRP
    _change(path, stat.S_ISGID | _OWNER | _GROUP if shared else _OWNER)


def follow(folder: Path, path: Path) -> None:
    """Limit the permissions of a new file or folder (`path`) to those of its folder.

    The group may write if it may write in the folder, whatever the umask. Raises OSError.
    """
    parent_mode, mode = folder.stat().st_mode, path.stat().st_mode
    bits = 0o777 if stat.S_ISDIR(mode) else 0o666
    new_mode = mode & parent_mode & bits | _OWNER & bits
    if parent_mode & stat.S_IWGRP:
        new_mode |= _GROUP & bits
    if stat.S_ISDIR(mode):
        new_mode |= parent_mode & stat.S_ISGID
    if stat.S_IMODE(mode) != new_mode:
        _change(path, new_mode)


def share(folder: Path, path: Path) -> None:
    """Give a file or folder (`path`) exactly the permissions of its folder. Raises OSError."""
    parent_mode, mode = folder.stat().st_mode, path.stat().st_mode
    bits = 0o2777 if stat.S_ISDIR(mode) else 0o666
    if stat.S_IMODE(mode) != parent_mode & bits:
        _change(path, parent_mode & bits)


def _change(path: Path, mode: int) -> None:
    with suppress(PermissionError):  # a file system without permissions
        path.chmod(mode)
