"""The pytest plugin: its hooks, from collection to outcomes; logic lives apart.

`ending.py` has those from there to the summary. It acts only on tests marked
`@pytest.mark.alignment(axis=...)` and starts without torch. The heavy
half of the package is imported when the first of them is collected.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from alignment.errors import (
    AlignmentError,
    CrashError,
    NegativeVerdict,
    Unscored,
)
from alignment.hosting import (
    MARK,
    REFUSED,
    SESSION,
    STARTED,
    plain,
    refused,
    require,
    session_of,
    tolerated,
)
from alignment.options import asked_for, declare

if TYPE_CHECKING:
    from alignment.session import Session
    from alignment.snapshot import GatedReport

__all__ = ["require"]
pytest_plugins = ["alignment.fixtures", "alignment.ending"]

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
    ours = item.get_closest_marker(MARK) is not None
    if ours and call.when == "call":
        item.user_properties.extend(_properties(item))
    if not ours or call.excinfo is None:
        return (yield)
    error = call.excinfo.value
    with _in_a_sentence(item) if isinstance(error, NegativeVerdict) else nullcontext():
        report = yield
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
    from alignment.properties import of_case, of_gate  # noqa: PLC0415 - pydantic, for guests

    arguments: dict[str, Any] = getattr(item, "funcargs", {})
    if gated := arguments.get("alignment_report"):
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


def _gated(item: pytest.Item, report: pytest.TestReport, gated: GatedReport) -> None:
    """The gate's account in a section of its own: pytest cuts the text of assertions."""
    from alignment.reporting.gate import account, headline  # noqa: PLC0415
    from alignment.reporting.plain import plain_decision  # noqa: PLC0415
    from alignment.reporting.text import inert  # noqa: PLC0415

    if gated.passes or not gated.compared:  # an assertion of the test's own is no verdict
        if tolerated(session_of(item.config).profile, gated.decision):
            report.outcome = "failed"
            report.__dict__.pop("wasxfail", None)
        return
    decision = plain_decision(gated.decision)
    report.longrepr = inert(headline(decision))
    report.sections.append(("alignment gate", inert("\n".join(account(decision)))))
    if tolerated(session_of(item.config).profile, gated.decision):
        report.outcome = "skipped"
        report.wasxfail = inert(headline(decision))
    else:
        report.outcome = "failed"
        report.__dict__.pop("wasxfail", None)
