"""What becomes of a marked test: a negative verdict is no failure, a gate that blocks is one.

A gated test has the gate's outcome, whatever its body does with the comparison: a body may forget
to assert, assertions may be stripped (`python -O`), and marks of others may turn a failure round.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from alignment.errors import AlignmentError, CrashError, NegativeVerdict, Unscored
from alignment.plugin import worker_reports as carrying
from alignment.plugin.host import GATED, MARK, plain, session_of, tolerated

if TYPE_CHECKING:
    from alignment.plugin.snapshot import GatedReport


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Nothing but the reports of marked tests is touched."""
    if item.get_closest_marker(MARK) is None:
        return (yield)
    error = None if call.excinfo is None else call.excinfo.value
    gated = _gated(item) if call.when == "call" else None
    if call.when == "call":
        told = (each for each in item.user_properties if not each[0].startswith("alignment."))
        item.user_properties = [*told, *_properties(item)]  # a test may be run again
    with _in_a_sentence(item) if isinstance(error, NegativeVerdict) else nullcontext():
        report = yield
    if error is not None:
        _explain(item, report, call, error)
    accepted, held = None, False
    if gated is not None and gated.updating:
        accepted = _accepted(item, gated, error)
    elif gated is not None and gated.decision.outcome != "pass":
        _hold(item, report, gated, error)
        held = not tolerated(session_of(item.config).profile, gated.decision)
    carrying.tell(item, report, accepted=accepted, held=held)
    return report


def _gated(item: pytest.Item) -> GatedReport | None:
    """What the gate says to a test, if it or a fixture of it asked."""
    return item.stash.get(GATED, None)


def _accepted(item: pytest.Item, gated: GatedReport, error: BaseException | None) -> str | None:
    """The variant that a test of an updating run accepts: it had a baseline and went through."""
    names = getattr(item, "fixturenames", ())
    return gated.decision.variant if error is None and "alignment_baseline" in names else None


def _hold(
    item: pytest.Item, report: pytest.TestReport, gated: GatedReport, error: BaseException | None
) -> None:
    """A test whose decision is no pass: failed, or xfailed where the profile tolerates it."""
    from alignment.reporting.gate_text import flips, headline  # noqa: PLC0415
    from alignment.reporting.plain import plain_decision  # noqa: PLC0415
    from alignment.reporting.text import inert  # noqa: PLC0415

    decision = plain_decision(gated.decision)
    own = error is not None and _own(gated, error) and not isinstance(report.longrepr, tuple)
    let_through = tolerated(session_of(item.config).profile, gated.decision)
    if not own:
        # No section of the report: `--show-capture` leaves those out.
        report.longrepr = inert("\n".join([headline(decision), *flips(decision)]))
    asserted = isinstance(error, AssertionError) and not isinstance(error, NegativeVerdict)
    if let_through and own and not asserted:
        return
    report.outcome = "failed"
    report.__dict__.pop("wasxfail", None)
    if let_through and not own:
        report.outcome = "skipped"
        report.wasxfail = inert(headline(decision))


def _own(gated: GatedReport, error: BaseException) -> bool:
    """Whether a test ended by something of its own, and not by the comparison."""
    if isinstance(error, (pytest.skip.Exception, pytest.xfail.Exception)):
        return False
    if not isinstance(error, AssertionError) or not gated.compared:
        return True
    return bool(error.args) and repr(gated) not in str(error)


def _explain(
    item: pytest.Item, report: pytest.TestReport, call: pytest.CallInfo[None], error: BaseException
) -> None:
    """A negative verdict is `xfailed`; errors of ours are one line; nothing else is touched."""
    if isinstance(error, NegativeVerdict) and call.when == "call":
        if not item.config.option.alignment_strict:
            report.outcome = "skipped"
            report.wasxfail = str(error)
        report.longrepr = str(error)
    elif isinstance(error, Unscored) and call.when != "teardown":
        _unscored(item, report, f"unscored: {plain(str(error))}")
    elif isinstance(error, AlignmentError) and not isinstance(error, CrashError):
        report.longrepr = f"{type(error).__name__}: {plain(error)}"


@contextmanager
def _in_a_sentence(item: pytest.Item) -> Generator[None]:
    """A verdict is its sentence: the tracebacks that pytest formats for hundreds take 0.5 s."""
    item.repr_failure = lambda excinfo, style=None: str(excinfo.value)  # type: ignore[method-assign] # noqa: ARG005
    try:
        yield
    finally:
        del item.repr_failure


def _properties(item: pytest.Item) -> list[tuple[str, object]]:
    """What JUnit's XML and its like tell of a case: what was tested, and what came out."""
    from alignment.plugin.properties import of_case, of_gate  # noqa: PLC0415 - pydantic, for guests

    arguments: dict[str, Any] = getattr(item, "funcargs", {})
    if gated := _gated(item):
        return of_gate(gated.decision)
    variant, prompt = (arguments.get(f"alignment_{name}") for name in ("variant", "prompt"))
    mark = item.get_closest_marker(MARK)
    axis = mark.kwargs.get("axis") if mark else None
    if variant is None or axis is None or "alignment_prompt" not in arguments:
        return []
    return of_case(variant, axis, prompt, arguments.get("alignment_verdict"))


def _unscored(item: pytest.Item, report: pytest.TestReport, reason: str) -> None:
    """Skipped with the reason: nothing is known of this response, for better or worse."""
    report.longrepr = reason
    if not item.config.option.alignment_strict:
        path, line, _ = item.location
        report.outcome = "skipped"
        report.longrepr = (str(path), (line or 0) + 1, f"Skipped: {reason}")
