"""The end of a pytest session: writes the report, and sets an exit code that agrees with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

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

_SESSION = pytest.StashKey[pytest.Session]()
_RAISED = pytest.StashKey[BaseException | None]()
"""The exception that was being handled when pytest was called, if any."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the objects that collect what test reports carry."""
    watch = Watch(config)
    config.stash[LISTENER] = Listener(config, watch)
    config.stash[_RAISED] = sys.exception()
    config.pluginmanager.register(watch, "alignment-watch")
    config.pluginmanager.register(config.stash[LISTENER], "alignment-listener")


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """Make the report before other plugins' hooks and write it after them, in the controller.

    Other plugins write their own files in this hook (JUnit's XML), or change the exit status
    (syrupy). What workers did is known from the reports of their tests.
    """
    config, ending = session.config, None
    config.stash[_SESSION] = session
    if _has_marked_tests(config):
        ending = config.stash[ENDING] = Ending(session)
        if SESSION in config.stash and session_of(config).used:
            _make_report(session, ending)
    yield
    _keep_usage_error(config)
    if ending is not None:
        _check_results(session, ending)
        _write(session, ending)
        _unregister_hypothesis(config)


def _keep_usage_error(config: pytest.Config) -> None:
    """Set the exit code for bad input again, in case another plugin has changed it."""
    session = config.stash.get(_SESSION, None)
    if session is not None and REFUSED in config.stash and not is_worker(config):
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


def _has_marked_tests(config: pytest.Config) -> bool:
    """Whether marked tests were run, were selected, or were dropped by another plugin."""
    if REFUSED in config.stash or is_worker(config):
        return False
    if config.option.collectonly or getattr(config.option, "setuponly", False):
        return False
    watch = config.stash[LISTENER].watch
    used = SESSION in config.stash and session_of(config).used
    return used or bool(watch.asked or watch.dropped)


def _check_results(session: pytest.Session, ending: Ending) -> None:
    """Add an error where selected tests have no result, or the gate's failure was not reported."""
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


def _unregister_hypothesis(config: pytest.Config) -> None:
    """Unregister hypothesis' plugin if hypothesis was not imported: its summary would import it.

    That takes 0.7 s, of a run with stored results that takes 3 s.
    """
    plugin = config.pluginmanager.get_plugin("hypothesispytest")
    if plugin is not None and "hypothesis" not in sys.modules:
        config.pluginmanager.unregister(plugin)


def _make_report(session: pytest.Session, ending: Ending) -> None:
    """Make the report, and add the properties of the run to JUnit's XML."""
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
        if add_property := getattr(plugin, "add_global_property", None):  # JUnit's has no name
            for name, value in of_run(document):
                add_property(name, value)


def _write(session: pytest.Session, ending: Ending) -> None:
    """Write accepted baselines and the report, and set an exit code that agrees with them."""
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
    """Write baselines and report; the old baselines are restored if no report can be written."""
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
        _publish(session, document)  # again, with the new exit code


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_unconfigure(config: pytest.Config) -> Generator[None, object, object]:
    """Check the exit code a last time: other hooks may have changed it.

    (pytest itself does, for `--max-warnings`.)
    """
    try:
        return (yield)
    finally:
        _keep_usage_error(config)
        if ending := config.stash.get(ENDING, None):
            _settle(config, ending)


def _settle(config: pytest.Config, ending: Ending) -> None:
    """Make exit code, baselines and report agree at the end, and write what changed to stderr."""
    session, document, lines = ending.session, ending.document, list[str]()
    before = session.exitstatus
    if sys.exception() is not config.stash[_RAISED] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED  # Python's own code for an exception
    if not ending.errors:  # another plugin may have ended `pytest_sessionfinish` before our part
        _check_results(session, ending)
    if session.exitstatus == pytest.ExitCode.OK and _must_fail(config, ending):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        lines += ending.errors
    if document is not None and session.exitstatus != pytest.ExitCode.OK:
        lines += withdraw(session, ending, document)
    ending.accepting.close()
    if document is not None and {before, session.exitstatus} != {document["run"]["exit_status"]}:
        from alignment.reporting.merge_advice import advise  # noqa: PLC0415 - as everywhere here

        try:
            _publish(session, document)
            lines.append(advise(document).headline)
        except AlignmentError as error:
            lines.append(line_of(error))
    sys.stderr.writelines(f"{line}\n" for line in lines)


def _must_fail(config: pytest.Config, ending: Ending) -> bool:
    """Whether the exit code must not be 0: the gate blocks, or there are errors."""
    from alignment.reporting.merge_advice import blocking  # noqa: PLC0415

    blocked = ending.document is not None and blocking(ending.document)
    return blocked or bool(ending.errors) or config.stash[LISTENER].watch.held()


def _publish(session: pytest.Session, document: dict[str, Any]) -> Path:
    from alignment.reporting.publishing import publish  # noqa: PLC0415

    ours = session_of(session.config)
    document["run"]["exit_status"] = int(session.exitstatus)
    return publish(ours.options.report, document, ours.options.formats, ours.study.store)
