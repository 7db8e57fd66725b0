"""The outcomes of marked tests: a negative verdict is xfailed, a gate that blocks fails.

A gated test has the gate's outcome, whatever its body does with the comparison: the body may lack
the assertion, assertions may be stripped (`python -O`), and a mark such as xfail may change it.
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
    """Set the outcomes in the reports of marked tests; other reports are not changed."""
    if item.get_closest_marker(MARK) is None:
        return (yield)
    error = None if call.excinfo is None else call.excinfo.value
    gated = _gated(item) if call.when == "call" else None
    if call.when == "call":
        # Ours are replaced, as a test may be run again.
        others = (each for each in item.user_properties if not each[0].startswith("alignment."))
        item.user_properties = [*others, *_properties(item)]
    with _without_traceback(item) if isinstance(error, NegativeVerdict) else nullcontext():
        report = yield
    if error is not None:
        _explain(item, report, call, error)
    accepted, held = None, False
    if gated is not None and gated.updating:
        accepted = _accepted_variant(item, gated, error)
    elif gated is not None and gated.decision.outcome != "pass":
        _apply_decision(item, report, gated, error)
        held = not tolerated(session_of(item.config).profile, gated.decision)
    carrying.tell(item, report, accepted=accepted, held=held)
    return report


def _gated(item: pytest.Item) -> GatedReport | None:
    """The value of `alignment_report`, if the test or one of its fixtures used it."""
    return item.stash.get(GATED, None)


def _accepted_variant(
    item: pytest.Item, gated: GatedReport, error: BaseException | None
) -> str | None:
    """The variant whose baseline a test accepts: it uses `alignment_baseline` and has no error."""
    names = getattr(item, "fixturenames", ())
    return gated.decision.variant if error is None and "alignment_baseline" in names else None


def _apply_decision(
    item: pytest.Item, report: pytest.TestReport, gated: GatedReport, error: BaseException | None
) -> None:
    """Make a test whose decision is no `pass` failed, or xfailed if the profile tolerates it."""
    from alignment.reporting.gate_text import flips, headline  # noqa: PLC0415
    from alignment.reporting.plain import plain_decision  # noqa: PLC0415
    from alignment.reporting.text import inert  # noqa: PLC0415

    decision = plain_decision(gated.decision)
    other_error = (
        error is not None and _is_other(gated, error) and not isinstance(report.longrepr, tuple)
    )
    is_tolerated = tolerated(session_of(item.config).profile, gated.decision)
    if not other_error:
        # Not as a section of the report: `--show-capture` can hide sections.
        report.longrepr = inert("\n".join([headline(decision), *flips(decision)]))
    asserted = isinstance(error, AssertionError) and not isinstance(error, NegativeVerdict)
    if is_tolerated and other_error and not asserted:
        return
    report.outcome = "failed"
    report.__dict__.pop("wasxfail", None)
    if is_tolerated and not other_error:
        report.outcome = "skipped"
        report.wasxfail = inert(headline(decision))


def _is_other(gated: GatedReport, error: BaseException) -> bool:
    """Whether a test's error has another cause than the comparison with the baseline."""
    if isinstance(error, (pytest.skip.Exception, pytest.xfail.Exception)):
        return False
    if not isinstance(error, AssertionError) or not gated.compared:
        return True
    return bool(error.args) and repr(gated) not in str(error)


def _explain(
    item: pytest.Item, report: pytest.TestReport, call: pytest.CallInfo[None], error: BaseException
) -> None:
    """Make negative verdicts xfailed, and our own errors one line; other errors are unchanged."""
    if isinstance(error, NegativeVerdict) and call.when == "call":
        if not item.config.option.alignment_strict:
            report.outcome = "skipped"
            report.wasxfail = str(error)
        report.longrepr = str(error)
    elif isinstance(error, Unscored) and call.when != "teardown":
        _skip_unscored(item, report, f"unscored: {plain(str(error))}")
    elif isinstance(error, AlignmentError) and not isinstance(error, CrashError):
        report.longrepr = f"{type(error).__name__}: {plain(error)}"


@contextmanager
def _without_traceback(item: pytest.Item) -> Generator[None]:
    """Show only the message of a negative verdict: hundreds of tracebacks would take 0.5 s."""
    item.repr_failure = lambda excinfo, style=None: str(excinfo.value)  # type: ignore[method-assign] # noqa: ARG005
    try:
        yield
    finally:
        del item.repr_failure


def _properties(item: pytest.Item) -> list[tuple[str, object]]:
    """The properties of a case for JUnit's XML: what was tested, and the result."""
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


def _skip_unscored(item: pytest.Item, report: pytest.TestReport, reason: str) -> None:
    """Make a test without a score skipped, with the reason; with `--alignment-strict`, failed."""
    report.longrepr = reason
    if not item.config.option.alignment_strict:
        path, line, _ = item.location
        report.outcome = "skipped"
        report.longrepr = (str(path), (line or 0) + 1, f"Skipped: {reason}")
