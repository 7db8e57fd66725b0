"""The end of a pytest session: reports, baselines, the summary, and what a CI takes from it."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alignment.errors import AlignmentError, BaselineError
from alignment.hosting import REFUSED, SESSION, is_worker, plain, session_of, verbosity

if TYPE_CHECKING:
    from alignment.session import Session


@dataclass
class _Ending:
    """What a session leaves: its report, what to say of the files, what went wrong."""

    document: dict[str, Any] | None = None
    lines: list[str] = field(default_factory=list)
    failed: bool = False


_ENDING = pytest.StashKey[_Ending]()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """A worker tells the controller what it did; the controller writes the reports.

    Others write what they know of a session in the same hook (JUnit's XML), or add to its exit
    status (syrupy): the report is made before them, and written after them.
    """
    config, ending = session.config, None
    if is_worker(config):
        _hand_over(config)
    elif _reported(config):
        ending = config.stash[_ENDING] = _Ending()
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
    return known and session_of(config).used and not config.option.collectonly


def _hand_over(config: pytest.Config) -> None:
    output: dict[str, Any] = config.workeroutput  # type: ignore[attr-defined]
    output["alignment_refused"] = REFUSED in config.stash
    if SESSION in config.stash and session_of(config).used:
        ours = session_of(config)
        output["alignment"] = dict(ours.progress.seconds)
        output["alignment_baselines"] = str(ours.baselines) if ours.baselines else None
        output["alignment_gated"] = ours.gated
        output["alignment_accepted"] = sorted(ours.accepted)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ARG001 - xdist's signature
    """Take over what a worker did."""
    output = getattr(node, "workeroutput", {})
    if output.get("alignment_refused"):
        node.config.stash[REFUSED] = True
    if output.get("alignment") is not None:
        ours = session_of(node.config)
        ours.used = True
        ours.accepted.update(output["alignment_accepted"])
        ours.gated = ours.gated or output["alignment_gated"]
        if output["alignment_baselines"]:
            ours.baselines = Path(output["alignment_baselines"])
        for stage, spent in output["alignment"].items():
            ours.elsewhere[stage] = ours.elsewhere.get(stage, 0.0) + spent


def _spare_hypothesis(config: pytest.Config) -> None:
    """Where nothing has imported hypothesis, its summary would, to find that it has nothing to say.

    That is 0.7 s of a warm run that has 3.
    """
    plugin = config.pluginmanager.get_plugin("hypothesispytest")
    if plugin is not None and "hypothesis" not in sys.modules:
        config.pluginmanager.unregister(plugin)


def _make(session: pytest.Session, ending: _Ending) -> None:
    """Make the report, and tell those who write files of their own about the session."""
    from alignment.properties import of_run  # noqa: PLC0415

    try:
        ending.document = session_of(session.config).document(int(session.exitstatus))
    except AlignmentError as error:
        _failed(ending, error)
    if ending.document is None:
        return
    for plugin in session.config.pluginmanager.get_plugins():
        if tell := getattr(plugin, "add_global_property", None):  # JUnit's, which has no name
            for name, value in of_run(ending.document):
                tell(name, value)


def _write(session: pytest.Session, ending: _Ending) -> None:
    """Write the report and accepted baselines, and keep what the terminal shows of them."""
    from alignment import github  # noqa: PLC0415
    from alignment.publishing import publish  # noqa: PLC0415

    config, ours, document = session.config, session_of(session.config), ending.document
    try:
        if document is not None:
            with _accepted(session, ending) as lines:  # taken back where no report says so
                document["run"]["exit_status"] = int(session.exitstatus)
                store, options = ours.study.store, ours.options
                path = publish(options.report, document, options.formats, store)
            report = os.path.relpath(path, config.invocation_params.dir)
            ending.lines += [*lines, f"report: {report}"]
            github.summarise(document)
    except AlignmentError as error:
        _failed(ending, error)
    if ending.failed:
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if not config.pluginmanager.has_plugin("terminalreporter"):
            sys.stderr.write(f"{ending.lines[-1]}\n")


def _failed(ending: _Ending, error: AlignmentError) -> None:
    ending.lines.append(f"{type(error).__name__}: {plain(error)}")
    ending.failed = True


@contextmanager
def _accepted(session: pytest.Session, ending: _Ending) -> Iterator[list[str]]:
    """Replace the baselines that were asked for: a line for each. A refusal is the ending's."""
    ours, document, lines = session_of(session.config), ending.document, list[str]()
    with ExitStack() as steps:
        try:
            if document is not None and ours.accepted:
                _require_whole(session, ours, complete=bool(document["complete"]))
                folder = session.config.invocation_params.dir
                for path in steps.enter_context(ours.promoted()):
                    lines.append(f"baseline: {os.path.relpath(path, folder)}")
                document["run"]["accepted"] = sorted(ours.accepted)
        except AlignmentError as error:
            _failed(ending, error)
        yield lines


def _require_whole(session: pytest.Session, ours: Session, *, complete: bool) -> None:
    """Raise BaselineError where the run cannot be relied on."""
    names = ", ".join(sorted(ours.accepted))
    why = "it is not complete" if not complete or ours.options.limit is not None else ""
    if session.testsfailed:
        why = f"{session.testsfailed} tests failed"
    elif session.exitstatus != pytest.ExitCode.OK:
        why = "it was interrupted"
    if why:
        raise BaselineError(f"no baseline was written for {names}: this run cannot be one, {why}")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show the table and where the reports are; with -v every case, with -q only the place."""
    if _ENDING not in config.stash:
        return
    from alignment.github import workflow_commands  # noqa: PLC0415
    from alignment.reporting.text import inert  # noqa: PLC0415

    ending, ours, level = config.stash[_ENDING], session_of(config), verbosity(config)
    if ending.document is None and not ending.lines:
        return
    write = terminalreporter.write_line
    if level >= 0:
        terminalreporter.write_sep("=", f"alignment: {ours.profile.name}")
        width = terminalreporter._tw.fullwidth  # noqa: SLF001
        for line in _told(ours, ending.document, width, every=level > 0):
            write(inert(line))
    for line in ending.lines:
        failed = not line.startswith(("report: ", "baseline: "))
        if level >= -1 or failed:
            write(inert(line), red=failed)
    if ending.document is not None and not ours.options.update:  # what is accepted is no finding
        for line in workflow_commands(ending.document):
            write(line)


def _told(
    ours: Session, document: dict[str, Any] | None, width: int, *, every: bool
) -> Generator[str]:
    """The summary of a run; with `every` all cases before it and all comparisons after."""
    from alignment.reporting import terminal  # noqa: PLC0415
    from alignment.reporting.gate import comparisons  # noqa: PLC0415

    if document is None:
        return
    if every:
        yield from (*ours.listing(), "")
    yield from terminal.summary(document, width=width)
    if every:
        yield from comparisons(document, width)
    yield from ("", *terminal.headline(document, width=width))
