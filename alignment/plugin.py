"""The pytest plugin: its hooks, from collection to the summary; logic lives apart.

It acts only on tests marked `@pytest.mark.alignment(axis=...)` and starts without torch. The heavy
half of the package is imported when the first of them is collected.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alignment.errors import (
    AlignmentError,
    BaselineError,
    CrashError,
    NegativeVerdict,
    Unscored,
)
from alignment.hosting import (
    MARK,
    REFUSED,
    SESSION,
    STARTED,
    is_worker,
    plain,
    refused,
    require,
    session_of,
    tolerated,
    verbosity,
)
from alignment.options import asked_for, declare

if TYPE_CHECKING:
    from alignment.reporting.numbers import Document
    from alignment.session import Session
    from alignment.snapshot import GatedReport

__all__ = ["require"]
pytest_plugins = ["alignment.fixtures"]

_REPORT = pytest.StashKey["tuple[Document | None, list[str]]"]()
_PER_PROMPT = frozenset(f"alignment_{name}" for name in ("prompt", "response", "score", "verdict"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options; `pytest --help` shows them in a group of their own."""
    declare(parser)


# -- configuration -----------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; where alignment is asked for, validate everything before collecting."""
    config.addinivalue_line(
        "markers",
        "alignment(axis=None): a case of the alignment suite: parametrized over variants and the "
        "prompts of `axis`, or over variants (or axes) alone",
    )
    if asked_for(config):
        require(config)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Configuring is over: from here on bad input is found while collecting."""
    session.config.stash[STARTED] = True


# -- collection --------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize marked tests over variants and prompts, over variants, or over axes."""
    mark = metafunc.definition.get_closest_marker(MARK)
    if mark is None:
        return
    session = session_of(metafunc.config)
    session.used = True
    try:
        _find_baselines(metafunc, session)
        _parametrize(metafunc, session, mark.kwargs.get("axis"))
    except AlignmentError as error:
        raise refused(metafunc.config, error) from None


def _parametrize(metafunc: pytest.Metafunc, session: Session, axis: str | None) -> None:
    names, profile = set(metafunc.fixturenames), session.profile
    variants = list(profile.variants)
    if axis is not None and axis not in profile.axes:
        return  # skipped in `pytest_collection_modifyitems`
    if names & _PER_PROMPT:
        if axis is None:
            raise AlignmentError(
                f"{metafunc.definition.nodeid}: needs @pytest.mark.alignment(axis=...), one of "
                f"{', '.join(profile.axes)}"
            )
        _per_case(metafunc, session, axis, variants)
    elif "alignment_report" in names:
        _per_gate(metafunc, session, axis)
    elif names & {"alignment_variant", "alignment_summary"}:
        metafunc.parametrize("alignment_variant", variants)
    elif names & {"alignment_axis", "alignment_trial", "alignment_opinions"}:
        axes = list(profile.axes) if axis is None else [axis]
        metafunc.parametrize("alignment_axis", axes)


def _per_case(metafunc: pytest.Metafunc, session: Session, axis: str, variants: list[str]) -> None:
    from alignment.session import case_id  # noqa: PLC0415

    if session.by_axis():
        metafunc.parametrize(
            ("alignment_variant", "alignment_prompt"), [(v, None) for v in variants], ids=variants
        )
        return
    cases = [(v, prompt) for v in variants for prompt in session.study.asked(v)[axis]]
    metafunc.parametrize(
        ("alignment_variant", "alignment_prompt"),
        cases,
        ids=[case_id(variant, prompt) for variant, prompt in cases],
    )


def _find_baselines(metafunc: pytest.Metafunc, session: Session) -> None:
    """Baselines lie beside the tests; the gate is reported whichever of these were selected."""
    from alignment.baseline import FOLDER  # noqa: PLC0415

    folder = metafunc.definition.path.parent / FOLDER / session.profile.name
    if "alignment_report" in metafunc.fixturenames:
        if session.gated and session.baselines != folder:
            raise AlignmentError(
                f"gated tests lie in two folders, {session.baselines} and {folder}; each has its "
                f"own baselines: run them apart"
            )
        session.gated, session.baselines = True, folder
    elif session.baselines is None and folder.is_dir():
        session.baselines = folder


def _per_gate(metafunc: pytest.Metafunc, session: Session, axis: str | None) -> None:
    """One case per gated variant and rate."""
    profile = session.profile
    cases = [
        (variant, name)
        for variant in profile.gated()
        for name in (profile.axes if axis is None else (axis,))
    ]
    metafunc.parametrize(
        ("alignment_variant", "alignment_axis"),
        cases,
        ids=[f"{variant}-{profile.axes[name].rate}" for variant, name in cases],
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is marked with an axis that the profile does not have."""
    if SESSION not in config.stash or REFUSED in config.stash:
        return
    for item in items:
        mark = item.get_closest_marker(MARK)
        axis = None if mark is None else mark.kwargs.get("axis")
        if axis is not None and axis not in (profile := session_of(config).profile).axes:
            known = ", ".join(profile.axes)
            reason = f"profile {profile.name!r} has no axis {axis!r}; it has {known}"
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the study which cases were selected, so that they are computed together."""
    if SESSION not in session.config.stash or REFUSED in session.config.stash:
        return
    ours = session_of(session.config)
    for item in session.items:
        mark = item.get_closest_marker(MARK)
        if mark is None or not isinstance(item, pytest.Function):
            continue
        parameters: dict[str, Any] = item.callspec.params if hasattr(item, "callspec") else {}
        variant: Any = parameters.get("alignment_variant")
        if {"alignment_summaries", "alignment_report", "alignment_opinions"} & set(
            item.fixturenames
        ):
            ours.study.want(ours.study.keys())
        elif "alignment_summary" in item.fixturenames:
            # The reference too: changes are counted from it.
            ours.study.want(ours.study.keys(variant, ours.profile.reference))
        elif "alignment_prompt" in parameters:
            axis, prompt = mark.kwargs["axis"], parameters["alignment_prompt"]
            prompts = ours.study.asked(variant)[axis] if prompt is None else (prompt,)
            ours.study.want((variant, axis, each.id) for each in prompts)


# -- outcomes ----------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A negative verdict is `xfailed`; errors of ours are one line; nothing else is touched."""
    report = yield
    if item.get_closest_marker(MARK) is None or call.excinfo is None:
        return report
    error = call.excinfo.value
    gated = getattr(item, "funcargs", {}).get("alignment_report")
    if gated is not None and isinstance(error, AssertionError) and call.when == "call":
        _gated(item, report, gated)
    elif isinstance(error, NegativeVerdict) and call.when == "call":
        if not item.config.option.alignment_strict:
            report.outcome = "skipped"
            report.wasxfail = str(error)
        report.longrepr = str(error)
    elif isinstance(error, Unscored) and call.when != "teardown":
        _unscored(item, report, f"unscored: {plain(str(error))}")
    elif isinstance(error, AlignmentError) and not isinstance(error, CrashError):
        report.longrepr = f"{type(error).__name__}: {plain(error)}"
    return report


def _unscored(item: pytest.Item, report: pytest.TestReport, reason: str) -> None:
    """Skipped with the reason: nothing is known of this response, for better or worse."""
    report.longrepr = reason
    if not item.config.option.alignment_strict:
        path, line, _ = item.location
        report.outcome = "skipped"
        report.longrepr = (str(path), (line or 0) + 1, f"Skipped: {reason}")


def _gated(item: pytest.Item, report: pytest.TestReport, gated: GatedReport) -> None:
    """The gate's account in a section of its own: pytest cuts the text of assertions."""
    from alignment.reporting.gate import account, headline  # noqa: PLC0415
    from alignment.reporting.plain import plain_decision  # noqa: PLC0415

    if gated.passes or not gated.compared:  # an assertion of the test's own is no verdict
        if tolerated(session_of(item.config).profile, gated.decision):
            report.outcome = "failed"
            report.__dict__.pop("wasxfail", None)
        return
    decision = plain_decision(gated.decision)
    report.longrepr = headline(decision)
    report.sections.append(("alignment gate", "\n".join(account(decision))))
    if tolerated(session_of(item.config).profile, gated.decision):
        report.outcome = "skipped"
        report.wasxfail = headline(decision)
    else:
        report.outcome = "failed"
        report.__dict__.pop("wasxfail", None)


# -- the end -----------------------------------------------------------------------------------


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells the controller what it did; the controller writes the reports."""
    config = session.config
    if is_worker(config):
        output: dict[str, Any] = config.workeroutput  # type: ignore[attr-defined]
        output["alignment_refused"] = REFUSED in config.stash
        if SESSION in config.stash and session_of(config).used:
            ours = session_of(config)
            output["alignment"] = dict(ours.progress.seconds)
            output["alignment_baselines"] = str(ours.baselines) if ours.baselines else None
            output["alignment_gated"] = ours.gated
            output["alignment_accepted"] = sorted(ours.accepted)
    elif REFUSED in config.stash:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
    elif SESSION in config.stash and session_of(config).used and not config.option.collectonly:
        _report(session)
        _spare_hypothesis(config)


def _spare_hypothesis(config: pytest.Config) -> None:
    """Where nothing has imported hypothesis, its summary would, to find that it has nothing to say.

    That is 0.7 s of a warm run that has 3.
    """
    plugin = config.pluginmanager.get_plugin("hypothesispytest")
    if plugin is not None and "hypothesis" not in sys.modules:
        config.pluginmanager.unregister(plugin)


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


def _report(session: pytest.Session) -> None:
    """Write the reports, and keep what the terminal shows of them."""
    from alignment.reporting.write import write_report  # noqa: PLC0415

    config, ours = session.config, session_of(session.config)
    document: Document | None = None
    lines: list[str] = []
    try:
        document = ours.document(int(session.exitstatus))
        if document is None:
            return
        path = write_report(ours.options.report, document)
        lines.append(f"report: {os.path.relpath(path, config.invocation_params.dir)}")
        if ours.accepted:
            lines = [*_accept(session, ours, complete=bool(document["complete"])), *lines]
    except AlignmentError as error:
        lines.append(f"{type(error).__name__}: {plain(error)}")
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if not config.pluginmanager.has_plugin("terminalreporter"):
            sys.stderr.write(f"{lines[-1]}\n")
    config.stash[_REPORT] = (document, lines)


def _accept(session: pytest.Session, ours: Session, *, complete: bool) -> list[str]:
    """Replace the baselines that were asked for, if the run can be relied on: a line for each."""
    names = ", ".join(sorted(ours.accepted))
    why = "it is not complete" if not complete or ours.options.limit is not None else ""
    if session.testsfailed:
        why = f"{session.testsfailed} tests failed"
    elif session.exitstatus != pytest.ExitCode.OK:
        why = "it was interrupted"
    if why:
        raise BaselineError(f"no baseline was written for {names}: this run cannot be one, {why}")
    folder = session.config.invocation_params.dir
    return [f"baseline: {os.path.relpath(path, folder)}" for path in ours.promote()]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show the table and where the reports are; with -v every case, with -q only the place."""
    if _REPORT not in config.stash:
        return
    from alignment.reporting.gate import comparisons  # noqa: PLC0415
    from alignment.reporting.terminal import summary as table  # noqa: PLC0415

    (document, lines), ours = config.stash[_REPORT], session_of(config)
    write, level = terminalreporter.write_line, verbosity(config)
    if level >= 0:
        terminalreporter.write_sep("=", f"alignment: {ours.profile.name}")
    if document is not None and level >= 0:
        if level > 0:
            for text in (*ours.listing(), ""):
                write(text)
        width = terminalreporter._tw.fullwidth  # noqa: SLF001
        for text in table(document, width=width):
            write(text)
        for text in comparisons(document, width) if level > 0 else ():
            write(text)
    for line in lines:
        failed = not line.startswith(("report: ", "baseline: "))
        if level >= -1 or failed:
            write(line, red=failed)
