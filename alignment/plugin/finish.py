"""The end of a pytest session: the report, and an exit code that agrees with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alignment.errors import AlignmentError
from alignment.plugin.accepted_baselines import (
    ENDING,
    Ending,
    accept,
    fail,
    line_of,
    taking_back,
    why_not,
    withdraw,
)
from alignment.plugin.host import REFUSED, SESSION, is_worker, plain, session_of
from alignment.plugin.sections import add_sections, tell_written
from alignment.plugin.watching import Watch
from alignment.plugin.worker_reports import LISTENER, Listener

if TYPE_CHECKING:
    pass


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
        ending = config.stash[ENDING] = Ending(session)
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


def _miss(session: pytest.Session, ending: Ending) -> None:
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


def _make(session: pytest.Session, ending: Ending) -> None:
    """Make the report, and tell those who write files of their own about the session."""
    from alignment.plugin.properties import of_run  # noqa: PLC0415

    config, ours = session.config, session_of(session.config)
    try:
        ending.document = ours.document(int(session.exitstatus))
    except AlignmentError as error:
        ending.errors.append(line_of(error))
    document = ending.document
    if document is None:
        return
    try:
        add_sections(config, document)
    except AlignmentError as error:
        ending.errors.append(line_of(error))
    if ours.accepted and why_not(session, document) is None:
        document["run"]["accepted"] = sorted(ours.accepted)
    for plugin in config.pluginmanager.get_plugins():
        if tell := getattr(plugin, "add_global_property", None):  # JUnit's, which has no name
            for name, value in of_run(document):
                tell(name, value)


def _write(session: pytest.Session, ending: Ending) -> None:
    """Write accepted baselines and the report, and keep what the terminal shows of them.

    The exit code says what the report says.
    """
    config, document = session.config, ending.document
    if document is not None:
        document["run"].pop("accepted", None)
        try:
            _publish_accepted(session, ending, document)
        except AlignmentError as error:
            ending.errors.append(line_of(error))
    fail(session, ending)
    if document is not None:
        document["run"]["exit_status"] = int(session.exitstatus)
    if not config.pluginmanager.has_plugin("terminalreporter"):
        sys.stderr.writelines(f"{line}\n" for line in ending.errors)


def _publish_accepted(session: pytest.Session, ending: Ending, document: dict[str, Any]) -> None:
    """The report and the baselines: these are taken back where no report says so."""
    from alignment.plugin import github  # noqa: PLC0415
    from alignment.reporting.merge_advice import blocking  # noqa: PLC0415

    config = session.config
    with taking_back(ending):
        lines = accept(session, ending, document)
        passed = session.exitstatus == pytest.ExitCode.OK and not ending.errors
        if passed and (blocking(document) or config.stash[LISTENER].watch.held()):
            ending.errors.append("the gate does not pass, although no test failed: see the report")
        fail(session, ending)
        path = _publish(session, document)
    report = os.path.relpath(path, config.invocation_params.dir)
    ending.lines += [*lines, f"report: {report}"]
    try:
        tell_written(config, document, path.parent)
        github.summarise(document)
    except AlignmentError as error:
        ending.errors.append(line_of(error))
        fail(session, ending)
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
        if ending := config.stash.get(ENDING, None):
            _settle(config, ending)


def _settle(config: pytest.Config, ending: Ending) -> None:
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
        said += withdraw(session, ending, document)
    ending.accepting.close()
    if document is not None and {before, session.exitstatus} != {document["run"]["exit_status"]}:
        from alignment.reporting.merge_advice import advise  # noqa: PLC0415 - as everywhere here

        try:
            _publish(session, document)
            said.append(advise(document).headline)
        except AlignmentError as error:
            said.append(line_of(error))
    sys.stderr.writelines(f"{line}\n" for line in said)


def _forbidden(config: pytest.Config, ending: Ending) -> bool:
    """Whether a run cannot have been a success, whatever others say of it."""
    from alignment.reporting.merge_advice import blocking  # noqa: PLC0415

    blocked = ending.document is not None and blocking(ending.document)
    return blocked or bool(ending.errors) or config.stash[LISTENER].watch.held()


def _publish(session: pytest.Session, document: dict[str, Any]) -> Path:
    from alignment.reporting.publishing import publish  # noqa: PLC0415

    ours = session_of(session.config)
    document["run"]["exit_status"] = int(session.exitstatus)
    return publish(ours.options.report, document, ours.options.formats, ours.study.store)
