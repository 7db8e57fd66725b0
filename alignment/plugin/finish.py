"""The end of a pytest session: reports, baselines, the summary, and what a CI takes from it."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alignment.errors import AlignmentError, BaselineError
from alignment.plugin.host import REFUSED, SESSION, is_worker, plain, session_of, verbosity
from alignment.plugin.worker_reports import LISTENER, Listener

if TYPE_CHECKING:
    from alignment.plugin.session import Session


@dataclass
class _Ending:
    """What a session leaves: its report, what to say of the files, what went wrong."""

    session: pytest.Session
    document: dict[str, Any] | None = None
    lines: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


_ENDING = pytest.StashKey[_Ending]()


def pytest_configure(config: pytest.Config) -> None:
    """Hear what the reports of tests carry."""
    config.stash[LISTENER] = Listener(config)
    config.pluginmanager.register(config.stash[LISTENER], "alignment-listener")


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """The controller writes the reports; what workers did it has heard by those of their tests.

    Others write what they know of a session in the same hook (JUnit's XML), or add to its exit
    status (syrupy): the report is made before them, and written after them.
    """
    config, ending = session.config, None
    if _reported(config):
        ending = config.stash[_ENDING] = _Ending(session)
        _make(session, ending)
    yield
    if REFUSED in config.stash and not is_worker(config):
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
    if ending is not None:
        _write(session, ending)
        _spare_hypothesis(config)


def _reported(config: pytest.Config) -> bool:
    """Whether tests of ours were run, or would have been but for what they found."""
    known = SESSION in config.stash and REFUSED not in config.stash
    shown = config.option.collectonly or getattr(config.option, "setuponly", False)
    return known and session_of(config).used and not shown and not is_worker(config)


def _spare_hypothesis(config: pytest.Config) -> None:
    """Where nothing has imported hypothesis, its summary would, to find that it has nothing to say.

    That is 0.7 s of a warm run that has 3.
    """
    plugin = config.pluginmanager.get_plugin("hypothesispytest")
    if plugin is not None and "hypothesis" not in sys.modules:
        config.pluginmanager.unregister(plugin)


def _make(session: pytest.Session, ending: _Ending) -> None:
    """Make the report, and tell those who write files of their own about the session."""
    from alignment.plugin.properties import of_run  # noqa: PLC0415

    config, ours = session.config, session_of(session.config)
    try:
        ending.document = ours.document(int(session.exitstatus))
    except AlignmentError as error:
        ending.errors.append(_line(error))
    document = ending.document
    if document is None:
        return
    if ours.accepted and _why_not(session, document) is None:
        document["run"]["accepted"] = sorted(ours.accepted)
    for plugin in config.pluginmanager.get_plugins():
        if tell := getattr(plugin, "add_global_property", None):  # JUnit's, which has no name
            for name, value in of_run(document):
                tell(name, value)


def _write(session: pytest.Session, ending: _Ending) -> None:
    """Write accepted baselines and the report, and keep what the terminal shows of them.

    The exit code says what the report says.
    """
    from alignment.plugin import github  # noqa: PLC0415
    from alignment.reporting.gate_text import blocking  # noqa: PLC0415

    config, document = session.config, ending.document
    if document is not None:
        document["run"].pop("accepted", None)
        try:
            with _accepted(session, ending) as lines:  # taken back where no report says so
                passed = session.exitstatus == pytest.ExitCode.OK and not ending.errors
                if passed and blocking(document):
                    ending.errors.append(
                        "the gate does not pass, although no test failed: see the report"
                    )
                _fail(session, ending)
                path = _publish(session, document)
            report = os.path.relpath(path, config.invocation_params.dir)
            ending.lines += [*lines, f"report: {report}"]
            try:
                github.summarise(document)
            except AlignmentError as error:
                ending.errors.append(_line(error))
                _fail(session, ending)
                _publish(session, document)  # it has said another exit code
        except AlignmentError as error:
            ending.errors.append(_line(error))
    _fail(session, ending)
    if document is not None:
        document["run"]["exit_status"] = int(session.exitstatus)
    if not config.pluginmanager.has_plugin("terminalreporter"):
        sys.stderr.writelines(f"{line}\n" for line in ending.errors)


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Where the exit code is another one than the report says, both are made to agree.

    Hooks of others may set it last (pytest itself does, for `--max-warnings`).
    """
    ending = config.stash.get(_ENDING, None)
    document = None if ending is None else ending.document
    if ending is None or document is None:
        return
    from alignment.reporting.gate_text import blocking, verdict  # noqa: PLC0415 - as everywhere here

    session = ending.session
    if session.exitstatus == document["run"]["exit_status"]:
        return
    if blocking(document) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    try:
        _publish(session, document)
        said = verdict(document).headline
    except AlignmentError as error:
        said = _line(error)
    sys.stderr.write(f"{said}\n")


def _publish(session: pytest.Session, document: dict[str, Any]) -> Path:
    from alignment.reporting.publishing import publish  # noqa: PLC0415

    ours = session_of(session.config)
    document["run"]["exit_status"] = int(session.exitstatus)
    return publish(ours.options.report, document, ours.options.formats, ours.study.store)


def _line(error: AlignmentError) -> str:
    return f"{type(error).__name__}: {plain(error)}"


def _fail(session: pytest.Session, ending: _Ending) -> None:
    if ending.errors and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@contextmanager
def _accepted(session: pytest.Session, ending: _Ending) -> Generator[list[str]]:
    """Replace the baselines that were asked for: a line for each. A refusal is the ending's.

    When anything is raised within, the old ones are back.
    """
    ours, document, lines = session_of(session.config), ending.document, list[str]()
    assert document is not None  # noqa: S101 - a run of which something is known
    with ExitStack() as steps:
        try:
            if ours.accepted or (ours.options.update == "all" and ours.gated):
                _require_acceptable(session, document)
                folder = session.config.invocation_params.dir
                for path in steps.enter_context(ours.promoted()):
                    lines.append(f"baseline: {os.path.relpath(path, folder)}")
                document["run"]["accepted"] = sorted(ours.accepted)
        except AlignmentError as error:
            ending.errors.append(_line(error))
        try:
            yield lines
        except BaseException:
            document["run"].pop("accepted", None)
            raise


def _require_acceptable(session: pytest.Session, document: dict[str, Any]) -> None:
    """Raise BaselineError where the run cannot be relied on, or none of its tests accepted it."""
    if why := _why_not(session, document):
        names = ", ".join(sorted(session_of(session.config).accepted)) or "any variant"
        raise BaselineError(
            f"no baseline was written for {names}: this run cannot become one, because {why}"
        )


def _why_not(session: pytest.Session, document: dict[str, Any]) -> str | None:
    """What keeps a run from being accepted: the first of these that is true."""
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
        (code, f"pytest ended with exit code {code}, although no test failed"),
        (listener.awaited, f"{len(listener.awaited)} of its tests have no result"),
        (not document["complete"], "verdicts or the judge's evaluation are missing"),
        (not ours.accepted, "none of its gated tests finished"),
    )
    return next((reason for found, reason in reasons if found), None)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show the table and where the reports are; with -v every case, with -q only the place."""
    if _ENDING not in config.stash:
        return
    from alignment.plugin.github import workflow_commands  # noqa: PLC0415
    from alignment.reporting.text import inert  # noqa: PLC0415

    ending, ours, level = config.stash[_ENDING], session_of(config), verbosity(config)
    if ending.document is None and not ending.errors:
        return
    write = terminalreporter.write_line
    if level >= 0:
        terminalreporter.write_sep("=", f"alignment: {ours.profile.name}")
        width = terminalreporter._tw.fullwidth  # noqa: SLF001
        for line in _told(ours, ending.document, width, every=level > 0):
            write(inert(line))
    for line in ending.lines if level >= -1 else ():
        write(inert(line))
    for line in ending.errors:
        write(inert(line), red=True)
    if ending.document is not None and not ours.options.update:  # what is accepted is no finding
        for line in workflow_commands(ending.document):
            write(line)


def _told(
    ours: Session, document: dict[str, Any] | None, width: int, *, every: bool
) -> Generator[str]:
    """The summary of a run; with `every` all cases before it and all comparisons after."""
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
