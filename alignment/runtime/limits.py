"""Limits on the time and the memory of code by others, such as a model's chat template."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

_STATM = Path("/proc/self/statm")


class OverLimitError(Exception):
    """The code took longer than the limit."""


@contextlib.contextmanager
def limited(seconds: float, megabytes: int) -> Iterator[None]:
    """Stop the block after `seconds`, or when it allocates more than `megabytes`.

    The time is checked at every function call, and at every line of compiled templates (code whose
    file name begins with `<`). A single long step of Python, such as a division of numbers with
    millions of digits, is interrupted by a signal, in the main thread only. Raises OverLimitError,
    or MemoryError where the system can limit memory (Linux).
    """
    deadline = time.monotonic() + seconds
    before = sys.gettrace()

    def trace(frame: FrameType, _event: str, _argument: Any) -> Any:
        if time.monotonic() > deadline:
            raise OverLimitError(f"more than {seconds:g} s")
        return trace if frame.f_code.co_filename.startswith("<") else None

    with _memory(megabytes), _alarm(seconds):
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
    limit = used + megabytes * 2**20
    if soft not in (resource.RLIM_INFINITY, -1):
        limit = min(limit, soft)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise OverLimitError after so many seconds of CPU time, by a timer (SIGVTALRM)."""
    main = threading.current_thread() is threading.main_thread()
    if not (main and hasattr(signal, "setitimer")):
        yield
        return

    def stop(*_: object) -> None:
        raise OverLimitError(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before or signal.SIG_DFL)
