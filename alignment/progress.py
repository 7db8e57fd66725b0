"""What a long run says while it works: a live line in a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

Advance = Callable[[int, int], None]
"""Told (done, in all)."""

PLAIN_EVERY = 10.0
"""Seconds between two lines where lines cannot be rewritten."""


class Progress:
    """Says what is under way, how far it is and how long it still takes. Keeps times and memory.

    `stream` None says nothing; `live` rewrites one line (tqdm), else a plain line comes at the
    start, every `PLAIN_EVERY` seconds, and at the end.
    """

    def __init__(self, stream: TextIO | None = None, *, live: bool = False, who: str = "") -> None:
        self._stream = stream
        self._live = live
        self._who = who
        self._fresh_line = False
        self.seconds: dict[str, float] = {}
        """Stage -> seconds that this process spent in it."""
        self.peaks: dict[str, int] = {}
        """Stage -> the most memory in MiB that this process had had when it was over."""

    @contextlib.contextmanager
    def stage(self, what: str, total: int, unit: str) -> Iterator[Advance]:
        """Announce a stage; the value takes (done, total) as it goes on."""
        started = time.perf_counter()
        try:
            if self._stream is None:
                yield _silent
            else:
                self._begin_line()
                with self._shown(f"{self._who}{what}", total, unit) as advance:
                    yield advance
        finally:
            spent = time.perf_counter() - started
            self.seconds[what] = self.seconds.get(what, 0.0) + spent
            if peak := peak_memory().get("process"):
                self.peaks[what] = peak

    def note(self, text: str) -> None:
        """One plain line."""
        if self._stream is not None:
            self._begin_line()
            self._stream.write(f"{self._who}{text}\n")
            self._stream.flush()

    def _begin_line(self) -> None:
        """Begin below the name of a test file, where pytest has left its cursor; once."""
        if not self._fresh_line and self._stream is not None:
            self._stream.write("\n")
            self._fresh_line = True

    @contextlib.contextmanager
    def _shown(self, what: str, total: int, unit: str) -> Iterator[Advance]:
        from tqdm import tqdm  # noqa: PLC0415 - only long runs pay for it

        stream, started = self._stream, time.perf_counter()
        assert stream is not None  # noqa: S101 - `stage` has looked
        if self._live:
            with tqdm(total=total, desc=what, unit=unit, file=stream, dynamic_ncols=True) as bar:

                def live(done: int, new_total: int) -> None:
                    bar.total = new_total
                    bar.update(done - bar.n)

                yield live
            return
        state = [0, total, started]  # done, total, when the last line was written

        def line() -> None:
            elapsed = time.perf_counter() - started
            text = tqdm.format_meter(state[0], state[1], elapsed, ncols=0, prefix=what, unit=unit)
            stream.write(text + "\n")
            stream.flush()
            state[2] = time.perf_counter()

        def plain(done: int, new_total: int) -> None:
            state[0], state[1] = done, new_total
            if time.perf_counter() - state[2] >= PLAIN_EVERY:
                line()

        line()
        try:
            yield plain
        finally:
            line()


def peak_memory() -> dict[str, int]:
    """The most memory, in MiB, that this `process` and the largest of its `children` have had.

    Children count once they have ended. Empty where the system does not keep it.
    """
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return {}
    unit = 2**20 if sys.platform == "darwin" else 2**10
    asked = {"process": resource.RUSAGE_SELF, "children": resource.RUSAGE_CHILDREN}
    found = {name: resource.getrusage(who).ru_maxrss // unit for name, who in asked.items()}
    with contextlib.suppress(OSError):
        # Linux counts for a process what the one that started it had: here is its own.
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        if own := re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE):
            found["process"] = int(own[1]) // 2**10
    return {name: peak for name, peak in found.items() if peak}


def _silent(done: int, total: int) -> None:
    """Say nothing."""
