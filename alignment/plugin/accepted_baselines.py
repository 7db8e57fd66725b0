"""Accepted baselines at the end of a session: written, and restored if the run fails after that."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from alignment.errors import AlignmentError, BaselineError
from alignment.plugin.host import plain, session_of
from alignment.plugin.worker_reports import LISTENER


@dataclass
class Ending:
    """The results of a session: its report, lines about written files, and errors."""

    session: pytest.Session
    document: dict[str, Any] | None = None
    lines: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    accepting: ExitStack = field(default_factory=ExitStack)
    """Restores the old baselines when it is left with an exception."""


ENDING = pytest.StashKey[Ending]()


@contextmanager
def taking_back(ending: Ending) -> Generator[None]:
    """If the block raises, restore the old baselines."""
    try:
        yield
    except BaseException as error:
        ending.accepting.pop_all().__exit__(type(error), error, error.__traceback__)
        if ending.document is not None:
            ending.document["run"].pop("accepted", None)
        raise


class _LateError(Exception):
    """A run failed after its baselines had been accepted."""


def withdraw(session: pytest.Session, ending: Ending, document: dict[str, Any]) -> list[str]:
    """Restore the old baselines if new ones were accepted; the lines that say so."""
    if not document["run"].pop("accepted", None):
        return []
    with suppress(_LateError), taking_back(ending):
        raise _LateError
    code = int(session.exitstatus)
    return [
        f"BaselineError: the run ended with exit code {code}, so the old baselines were restored"
    ]


def accept(session: pytest.Session, ending: Ending, document: dict[str, Any]) -> list[str]:
    """Replace the baselines that the run accepts; a line for each. Adds refusals to `errors`."""
    ours, folder = session_of(session.config), session.config.invocation_params.dir
    if not ours.accepted and not (ours.options.update == "all" and ours.gated):
        return []
    try:
        _require_acceptable(session, document)
        paths = ending.accepting.enter_context(ours.promoted())
    except AlignmentError as error:
        ending.errors.append(line_of(error))
        return []
    document["run"]["accepted"] = sorted(ours.accepted)
    return [f"baseline: {os.path.relpath(path, folder)}" for path in paths]


def _require_acceptable(session: pytest.Session, document: dict[str, Any]) -> None:
    """Raise BaselineError if the run cannot become a baseline."""
    if why := why_not(session, document):
        names = ", ".join(sorted(session_of(session.config).accepted)) or "any variant"
        raise BaselineError(
            f"no baseline was written for {names}: this run cannot become one, because {why}"
        )


def why_not(session: pytest.Session, document: dict[str, Any]) -> str | None:
    """The first reason why a run cannot become a baseline; None if it can."""
    listener, ours = session.config.stash[LISTENER], session_of(session.config)
    code, stopped = int(session.exitstatus), session.shouldstop or session.shouldfail
    reasons = (
        (ours.options.limit, f"it used only {ours.options.limit} prompts per axis"),
        (listener.uncollected, f"{listener.uncollected} modules could not be collected"),
        (session.testsfailed, f"{session.testsfailed} tests failed"),
        (
            code == pytest.ExitCode.INTERRUPTED,
            f"it was interrupted{f': {stopped}' if stopped else ''}",
        ),
        (listener.awaited, f"{len(listener.awaited)} of its tests gave no result"),
        (code, f"pytest ended with exit code {code}, although no test failed"),
        (not document["complete"], "verdicts or the judge's evaluation are missing"),
        (not ours.accepted, "none of its gated tests finished"),
    )
    return next((reason for applies, reason in reasons if applies), None)


def line_of(error: AlignmentError) -> str:
    """The line for an error: its class and its message."""
    return f"{type(error).__name__}: {plain(error)}"


def fail(session: pytest.Session, ending: Ending) -> None:
    """Make the exit code other than 0 if there were errors."""
    if ending.errors and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
