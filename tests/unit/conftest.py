from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from alignment.commands import main
from support.places import SHARED

_SHARED = SHARED


@pytest.fixture
def shared_data() -> Callable[..., Path]:
    """The folder of the real data, which lies next to the repository and is never copied into it.

    Called with the files that a test needs (relative to that folder); skips, naming the first one
    that is absent.
    """

    def folder(*needed: str) -> Path:
        for name in needed:
            if not (_SHARED / name).exists():
                pytest.skip(f"real data absent: {_SHARED / name}")
        return _SHARED

    return folder


@pytest.fixture
def command(capsys):
    """Run a command in this process; gives its status, stdout and stderr."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
