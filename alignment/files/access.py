"""Who may look at what the project keeps: prompts and answers are not for everybody.

A folder that the project makes is its owner's alone, and its group's too where the umask lets a
group write. One that is there already keeps the access that somebody gave it, and what is made
inside follows it.
"""

from __future__ import annotations

import stat
from contextlib import suppress
from pathlib import Path

_OWNER, _GROUP = 0o700, 0o070


def private_folder(path: Path) -> None:
    """Make a folder for prompts and answers; those above it are made as the umask says.

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
    """Give something new in a folder the access that the folder gives, and no more to others.

    The group may write where it may write in the folder, whatever the umask. Raises OSError.
    """
    above, own = folder.stat().st_mode, path.stat().st_mode
    bits = 0o777 if stat.S_ISDIR(own) else 0o666
    wanted = own & above & bits | _OWNER & bits
    if above & stat.S_IWGRP:
        wanted |= _GROUP & bits
    if stat.S_ISDIR(own):
        wanted |= above & stat.S_ISGID
    if stat.S_IMODE(own) != wanted:
        _change(path, wanted)


def share(folder: Path, path: Path) -> None:
    """Give something in a folder the folder's own access, whoever made it and however.

    Raises OSError.
    """
    above, own = folder.stat().st_mode, path.stat().st_mode
    bits = 0o2777 if stat.S_ISDIR(own) else 0o666
    if stat.S_IMODE(own) != above & bits:
        _change(path, above & bits)


def _change(path: Path, mode: int) -> None:
    with suppress(PermissionError):  # a file system that keeps no access rights
        path.chmod(mode)
