"""Progress of a long run: a live line in a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

Advance = Callable[[int, int], None]
"""Called with (done, total)."""

PLAIN_EVERY = 10.0
"""Seconds between two lines where lines cannot be rewritten."""


class Progress:
    """Shows the stage of a run, how far it is and the time left; records times and memory.

    Nothing is written if `stream` is None. With `live` one line is rewritten (tqdm); otherwise a
    plain line is written at the start, every `PLAIN_EVERY` seconds and at the end. `who` stands at
    the start of every line: the process, where there are several.
    """

    def __init__(self, stream: TextIO | None = None, *, live: bool = False, who: str = "") -> None:
        self._stream = stream
        self._live = live
        self._who = who
        self._fresh_line = False
        self.seconds: dict[str, float] = {}
        """Stage -> seconds that this process spent in it, over all times it was entered."""
        self.peaks: dict[str, int] = {}
        """Stage -> peak memory of this process in MiB, as of the end of the stage."""

    @contextlib.contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Advance]:
        """Show a stage while the body runs; yields the function to call with (done, total)."""
        started = time.perf_counter()
        try:
            if self._stream is None:
                yield _do_nothing
            else:
                self._begin_line()
                with self._report(f"{self._who}{name}", total, unit) as advance:
                    yield advance
        finally:
            spent = time.perf_counter() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + spent
            if peak := peak_memory().get("process"):
                self.peaks[name] = peak

    def note(self, text: str) -> None:
        """Write one plain line."""
        if self._stream is not None:
            self._begin_line()
            self._stream.write(f"{self._who}{text}\n")
            self._stream.flush()

    def _begin_line(self) -> None:
        """Start a new line, once: pytest leaves the cursor behind the name of a test file."""
        if not self._fresh_line and self._stream is not None:
            self._stream.write("\n")
            self._fresh_line = True

    @contextlib.contextmanager
    def _report(self, name: str, total: int, unit: str) -> Iterator[Advance]:
        from tqdm import tqdm  # noqa: PLC0415 - only long runs need it

        stream, started = self._stream, time.perf_counter()
        assert stream is not None  # noqa: S101 - `stage` checks it
        if self._live:
            with tqdm(total=total, desc=name, unit=unit, file=stream, dynamic_ncols=True) as bar:

                def update_bar(done: int, new_total: int) -> None:
                    bar.total = new_total
                    bar.update(done - bar.n)

                yield update_bar
            return
        state = [0, total, started]  # done, total, when the last line was written

        def write_line() -> None:
            elapsed = time.perf_counter() - started
            text = tqdm.format_meter(state[0], state[1], elapsed, ncols=0, prefix=name, unit=unit)
            stream.write(text + "\n")
            stream.flush()
            state[2] = time.perf_counter()

        def update_line(done: int, new_total: int) -> None:
            state[0], state[1] = done, new_total
            if time.perf_counter() - state[2] >= PLAIN_EVERY:
                write_line()

        write_line()
        try:
            yield update_line
        finally:
            write_line()


def peak_memory() -> dict[str, int]:
    """Peak memory in MiB of this `process` and of the largest of its `children`.

    Children count once they have ended. Empty where the system does not report it.
    """
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return {}
    unit = 2**20 if sys.platform == "darwin" else 2**10
    scopes = {"process": resource.RUSAGE_SELF, "children": resource.RUSAGE_CHILDREN}
    peaks = {name: resource.getrusage(scope).ru_maxrss // unit for name, scope in scopes.items()}
    with contextlib.suppress(OSError):
        # On Linux `ru_maxrss` also counts what the parent had before `exec`; VmHWM does not.
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        if match := re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE):
            peaks["process"] = int(match[1]) // 2**10
    return {name: peak for name, peak in peaks.items() if peak}


def _do_nothing(done: int, total: int) -> None:
    """Do nothing."""
