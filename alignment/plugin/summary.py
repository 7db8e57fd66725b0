"""The terminal summary of a run: the table, undecided gated tests, and the report's path."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from alignment.plugin.accepted_baselines import ENDING, Ending
from alignment.plugin.host import plain, session_of, verbosity
from alignment.plugin.worker_reports import LISTENER

if TYPE_CHECKING:
    from alignment.plugin.session import Session


_NAMED = 3
"""Gated tests that are named in one line, at most."""


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show the table and the report's path; with -v every case too, with -q only the path."""
    if ENDING not in config.stash:
        return
    from alignment.plugin.github import workflow_commands  # noqa: PLC0415
    from alignment.reporting.text import inert  # noqa: PLC0415

    ending, ours, verbosity_level = config.stash[ENDING], session_of(config), verbosity(config)
    notes = _undecided(config, ending)
    if ending.document is None and not ending.errors and not notes:
        return
    write = terminalreporter.write_line
    if verbosity_level >= 0:
        terminalreporter.write_sep("=", f"alignment: {ours.profile.name}")
        width = terminalreporter._tw.fullwidth  # noqa: SLF001
        for line in _summary_lines(ours, ending.document, width, every=verbosity_level > 0):
            write(inert(line))
    for line in (*notes, *ending.lines) if verbosity_level >= -1 else ():
        write(inert(line))
    for line in ending.errors:
        write(inert(line), red=True)
    if ending.document is not None and not ours.options.update:  # an accepted change is no finding
        for line in workflow_commands(ending.document):
            write(line)


def _summary_lines(
    ours: Session, document: dict[str, Any] | None, width: int, *, every: bool
) -> Generator[str]:
    """The summary of a run; with `every`, all cases before it and all comparisons after it."""
    from alignment.reporting import terminal  # noqa: PLC0415
    from alignment.reporting.gate_text import comparisons  # noqa: PLC0415

    if document is None:
        return
    if every:
        yield from (*ours.listing(), "")
    yield from terminal.summary(document, width=width)
    if every:
        yield from comparisons(document, width)
    yield from ("", *terminal.headline(document, width=width))


def _undecided(config: pytest.Config, ending: Ending) -> list[str]:
    """A line about gated tests that were skipped, if the report has no gate; otherwise none."""
    names = config.stash[LISTENER].watch.undecided()
    has_gate = ending.document is not None and ending.document["gate"]
    if not names or has_gate or session_of(config).options.limit:
        return []
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    shown = ", ".join(map(plain, names[:_NAMED]))
    return [f"not decided, because the test was not run: {shown}{more}"]
