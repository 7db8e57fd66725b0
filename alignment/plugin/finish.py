"""The end of a pytest session: reports, baselines, the summary, and what a CI takes from it."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alignment.errors import AlignmentError, BaselineError
from alignment.plugin.host import REFUSED, SESSION, is_worker, plain, session_of, verbosity
from alignment.plugin.sections import add_sections, tell_written
from alignment.plugin.watching import Watch
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
    accepting: ExitStack = field(default_factory=ExitStack)
    """Accepted baselines are taken back where this is left with an exception."""


_NAMED = 3
"""Gated tests that one line names."""

_ENDING = pytest.StashKey[_Ending]()
_SESSION = pytest.StashKey[pytest.Session]()
_RAISED = pytest.StashKey[BaseException | None]()
"""What was being handled when pytest was called."""


def pytest_configure(config: pytest.Config) -> None:
    """Hear what the reports of tests carry."""
    watch = Watch(config)
    config.stash[LISTENER] = Listener(config, watch)
    config.stash[_RAISED] = sys.exception()
    config.pluginmanager.register(watch, "alignment-watch")
    config.pluginmanager.register(config.stash[LISTENER], "alignment-listener")


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """The controller writes the reports; what workers did it has heard by those of their tests.

    Others write what they know of a session in the same hook (JUnit's XML), or add to its exit
    status (syrupy): the report is made before them, and written after them.
    """
    config, ending = session.config, None
    config.stash[_SESSION] = session
    if _concerned(config):
        ending = config.stash[_ENDING] = _Ending(session)
        if SESSION in config.stash and session_of(config).used:
            _make(session, ending)
    yield
    _hold_refusal(config)
    if ending is not None:
        _miss(session, ending)
        _write(session, ending)
        _spare_hypothesis(config)


def _hold_refusal(config: pytest.Config) -> None:
    """Bad input has its exit code whatever others make of a session in which nothing failed."""
    session = config.stash.get(_SESSION, None)
    if session is not None and REFUSED in config.stash and not is_worker(config):
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


def _concerned(config: pytest.Config) -> bool:
    """Whether tests of ours were run, or were to be, or would have been but for what they found."""
    if REFUSED in config.stash or is_worker(config):
        return False
    if config.option.collectonly or getattr(config.option, "setuponly", False):
        return False
    watch = config.stash[LISTENER].watch
    used = SESSION in config.stash and session_of(config).used
    return used or bool(watch.asked or watch.dropped)


def _miss(session: pytest.Session, ending: _Ending) -> None:
    """No run is good of whose tests nothing is known, nor one whose gate failed a test unseen."""
    watch = session.config.stash[LISTENER].watch
    if session.exitstatus != pytest.ExitCode.OK:
        return
    if lost := watch.lost():
        first = plain(lost[0])
        ending.errors.append(
            f"AlignmentError: {len(lost)} of {len(watch.asked)} selected tests marked alignment "
            f"have no result, first {first}; look for a pytest plugin that drops tests or reports"
        )
    if watch.held() and ending.document is None:
        ending.errors.append("the gate does not pass, although no test failed")


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
    try:
        add_sections(config, document)
    except AlignmentError as error:
        ending.errors.append(_line(error))
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
    config, document = session.config, ending.document
    if document is not None:
        document["run"].pop("accepted", None)
        try:
            _publish_accepted(session, ending, document)
        except AlignmentError as error:
            ending.errors.append(_line(error))
    _fail(session, ending)
    if document is not None:
        document["run"]["exit_status"] = int(session.exitstatus)
    if not config.pluginmanager.has_plugin("terminalreporter"):
        sys.stderr.writelines(f"{line}\n" for line in ending.errors)


def _publish_accepted(session: pytest.Session, ending: _Ending, document: dict[str, Any]) -> None:
    """The report and the baselines: these are taken back where no report says so."""
    from alignment.plugin import github  # noqa: PLC0415
    from alignment.reporting.gate_text import blocking  # noqa: PLC0415

    config = session.config
    with _taken_back(ending):
        lines = _accept(session, ending, document)
        passed = session.exitstatus == pytest.ExitCode.OK and not ending.errors
        if passed and (blocking(document) or config.stash[LISTENER].watch.held()):
            ending.errors.append("the gate does not pass, although no test failed: see the report")
        _fail(session, ending)
        path = _publish(session, document)
    report = os.path.relpath(path, config.invocation_params.dir)
    ending.lines += [*lines, f"report: {report}"]
    try:
        tell_written(config, document, path.parent)
        github.summarise(document)
    except AlignmentError as error:
        ending.errors.append(_line(error))
        _fail(session, ending)
        _publish(session, document)  # it has said another exit code


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_unconfigure(config: pytest.Config) -> Generator[None, object, object]:
    """The last that a run hears of its exit code, which hooks of others may have set late.

    (pytest itself does, for `--max-warnings`.)
    """
    try:
        return (yield)
    finally:
        _hold_refusal(config)
        if ending := config.stash.get(_ENDING, None):
            _settle(config, ending)


def _settle(config: pytest.Config, ending: _Ending) -> None:
    """Have exit code, baselines and report agree at last."""
    session, document, said = ending.session, ending.document, list[str]()
    before = session.exitstatus
    if sys.exception() is not config.stash[_RAISED] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED  # Python ends with this code
    if not ending.errors:  # somebody may have left the hook before we had our say
        _miss(session, ending)
    if session.exitstatus == pytest.ExitCode.OK and _forbidden(config, ending):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        said += ending.errors
    if document is not None and session.exitstatus != pytest.ExitCode.OK:
        said += _withdraw(session, ending, document)
    ending.accepting.close()
    if document is not None and {before, session.exitstatus} != {document["run"]["exit_status"]}:
        from alignment.reporting.gate_text import verdict  # noqa: PLC0415 - as everywhere here

        try:
            _publish(session, document)
            said.append(verdict(document).headline)
        except AlignmentError as error:
            said.append(_line(error))
    sys.stderr.writelines(f"{line}\n" for line in said)


def _forbidden(config: pytest.Config, ending: _Ending) -> bool:
    """Whether a run cannot have been a success, whatever others say of it."""
    from alignment.reporting.gate_text import blocking  # noqa: PLC0415

    blocked = ending.document is not None and blocking(ending.document)
    return blocked or bool(ending.errors) or config.stash[LISTENER].watch.held()


class _LateError(Exception):
    """A run failed after its baselines had been accepted."""


def _withdraw(session: pytest.Session, ending: _Ending, document: dict[str, Any]) -> list[str]:
    """Take accepted baselines back, and say so."""
    if not document["run"].pop("accepted", None):
        return []
    with suppress(_LateError), _taken_back(ending):
        raise _LateError
    code = int(session.exitstatus)
    return [
        f"BaselineError: the run ended with exit code {code}, so the old baselines were restored"
    ]


@contextmanager
def _taken_back(ending: _Ending) -> Generator[None]:
    """When anything is raised within, the old baselines are back."""
    try:
        yield
    except BaseException as error:
        ending.accepting.pop_all().__exit__(type(error), error, error.__traceback__)
        if ending.document is not None:
            ending.document["run"].pop("accepted", None)
        raise


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


def _accept(session: pytest.Session, ending: _Ending, document: dict[str, Any]) -> list[str]:
    """Replace the baselines that were asked for: a line for each. A refusal is the ending's."""
    ours, folder = session_of(session.config), session.config.invocation_params.dir
    if not ours.accepted and not (ours.options.update == "all" and ours.gated):
        return []
    try:
        _require_acceptable(session, document)
        replaced = ending.accepting.enter_context(ours.promoted())
    except AlignmentError as error:
        ending.errors.append(_line(error))
        return []
    document["run"]["accepted"] = sorted(ours.accepted)
    return [f"baseline: {os.path.relpath(path, folder)}" for path in replaced]


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
        (listener.awaited, f"{len(listener.awaited)} of its tests gave no result"),
        (code, f"pytest ended with exit code {code}, although no test failed"),
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
    notes = _undecided(config, ending)
    if ending.document is None and not ending.errors and not notes:
        return
    write = terminalreporter.write_line
    if level >= 0:
        terminalreporter.write_sep("=", f"alignment: {ours.profile.name}")
        width = terminalreporter._tw.fullwidth  # noqa: SLF001
        for line in _told(ours, ending.document, width, every=level > 0):
            write(inert(line))
    for line in (*notes, *ending.lines) if level >= -1 else ():
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


def _undecided(config: pytest.Config, ending: _Ending) -> list[str]:
    """Gated tests that the user had skipped, where the report has no gate either."""
    names = config.stash[LISTENER].watch.undecided()
    told = ending.document is not None and ending.document["gate"]
    if not names or told or session_of(config).options.limit:
        return []
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    shown = ", ".join(map(plain, names[:_NAMED]))
    return [f"not decided, because the test was not run: {shown}{more}"]
