"""Time and memory that code of somebody else's may take: the templates of a model, say."""

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
    """What was run took longer than it may."""


@contextlib.contextmanager
def limited(seconds: float, megabytes: int) -> Iterator[None]:
    """Stop Python code that runs on, and what asks for memory without bound.

    The clock is looked at whenever a function is called and at every line of code that has no
    module of its own, as a template has. What is one step for Python (a division of numbers with
    millions of digits) is stopped by a signal, in the main thread. Raises OverLimitError, or
    MemoryError where the system can refuse memory (Linux).
    """
    latest = time.monotonic() + seconds
    before = sys.gettrace()

    def trace(frame: FrameType, _event: str, _argument: Any) -> Any:
        if time.monotonic() > latest:
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
    most = used + megabytes * 2**20
    if soft not in (resource.RLIM_INFINITY, -1):
        most = min(most, soft)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise OverLimitError after so many seconds of computing, by a timer that nobody else uses."""
    main = threading.current_thread() is threading.main_thread()
    if not (main and hasattr(signal, "setitimer")):
        yield
        return

    def over(*_: object) -> None:
        raise OverLimitError(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before or signal.SIG_DFL)
