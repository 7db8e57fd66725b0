"""Time and memory that code of somebody else's may take: the templates of a model, say."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

_STATM = Path("/proc/self/statm")


class OverLimitError(Exception):
    """What was run took longer than it may."""


@contextlib.contextmanager
def limited(seconds: float, megabytes: int) -> Iterator[None]:
    """Stop Python code that runs on, and what asks for memory without bound.

    The clock is looked at whenever a function is called and at every line of code that has no
    module of its own, as a template has. Raises OverLimitError, or MemoryError where the system can
    refuse memory (Linux).
    """
    latest = time.monotonic() + seconds
    before = sys.gettrace()

    def trace(frame: FrameType, _event: str, _argument: Any) -> Any:
        if time.monotonic() > latest:
            raise OverLimitError(f"more than {seconds:g} s")
        return trace if frame.f_code.co_filename.startswith("<") else None

    with _memory(megabytes):
        sys.settrace(trace)
        try:
            yield
        finally:
            sys.settrace(before)


@contextlib.contextmanager
def _memory(megabytes: int) -> Iterator[None]:
    if not _STATM.exists():
        yield
        return
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(_STATM.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    most = used + megabytes * 2**20
    if soft not in (resource.RLIM_INFINITY, -1):
        most = min(most, soft)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
