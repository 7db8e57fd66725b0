"""The pytest plugin: its hooks up to collection.

`outcomes.py` has the hook for the outcome of a test, `finish.py` and `summary.py` the later hooks.
The plugin acts only on tests marked `@pytest.mark.alignment(axis=...)` and does not import torch.
Most of the package is imported when the first marked test is collected.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from alignment.errors import AlignmentError
from alignment.plugin import worker_reports as carrying
from alignment.plugin.host import (
    CHECKED,
    MARK,
    REFUSED,
    SESSION,
    STARTED,
    WAITING,
    deselected,
    nothing_runs,
    refused,
    require,
    session_of,
    unread,
)
from alignment.plugin.options import asked_for, declare

if TYPE_CHECKING:
    from alignment.plugin.session import Session

__all__ = ["require"]
pytest_plugins = [
    "syrupy",
    "alignment.plugin.fixtures",
    "alignment.plugin.outcomes",
    "alignment.plugin.finish",
    "alignment.plugin.summary",
]

_PER_PROMPT = frozenset(f"alignment_{name}" for name in ("prompt", "response", "score", "verdict"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options; `pytest --help` shows them in a group of their own."""
    declare(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks by which other plugins add sections to the report, and get it."""
    from alignment.plugin import hookspecs  # noqa: PLC0415

    pluginmanager.add_hookspecs(hookspecs)


# -- configuration -----------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; with one of our options, validate everything before collection."""
    config.addinivalue_line(
        "markers",
        "alignment(axis=None): a test of the alignment suite; it is parametrized over the variants "
        "and the prompts of `axis`, over the variants, or over the axes, by its fixtures",
    )
    if asked_for(config):
        require(config)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Note that collection starts: from here on, bad input is reported as a collection error."""
    session.config.stash[STARTED] = True


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist whether the input has been validated already."""
    node.workerinput["alignment_checked"] = CHECKED in node.config.stash


# -- collection --------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize marked tests over variants and prompts, over variants, or over axes."""
    mark = metafunc.definition.get_closest_marker(MARK)
    if mark is None or nothing_runs(metafunc.config):
        return
    if deselected(metafunc.config, (each.name for each in metafunc.definition.iter_markers())):
        return
    try:
        waiting = unread(metafunc.config)
        session = session_of(metafunc.config)
        _find_baselines(metafunc, session)
        axis = _axis_of(mark, metafunc.definition.nodeid)
        _parametrize(metafunc, session, axis, whole=waiting)
    except AlignmentError as error:
        raise refused(metafunc.config, error) from None


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Mark the report, so that a controller of pytest-xdist learns that a worker refused input."""
    report = yield
    carrying.tell_refused(collector.config, report)
    return report


def _axis_of(mark: pytest.Mark, test: str) -> str | None:
    """The axis that a mark names, or None. Raises AlignmentError for any other argument."""
    axis = mark.kwargs.get("axis")
    if mark.args or mark.kwargs.keys() - {"axis"} or not isinstance(axis, str | None):
        arguments = ", ".join(
            [*map(repr, mark.args), *(f"{name}={value!r}" for name, value in mark.kwargs.items())]
        )
        raise AlignmentError(
            f"{test}: @pytest.mark.alignment({arguments}): the only argument is axis='NAME'; write "
            f"@pytest.mark.alignment(axis='harmlessness') or another axis of the profile"
        )
    return axis


def _parametrize(
    metafunc: pytest.Metafunc, session: Session, axis: str | None, *, whole: bool
) -> None:
    """Parametrize a test by its fixtures. `whole`: one case per variant, as prompts are unknown."""
    names, profile, test = set(metafunc.fixturenames), session.profile, metafunc.definition.nodeid
    variants = list(profile.variants)
    if axis is not None and axis not in profile.axes:
        if "alignment_report" in names:
            raise AlignmentError(
                f"{test}: is a gated test, but {_missing_axis(session, axis)}; correct the axis"
            )
        return  # skipped in `pytest_collection_modifyitems`
    if names & _PER_PROMPT:
        if axis is None:
            raise AlignmentError(
                f"{test}: needs @pytest.mark.alignment(axis=...), one of {', '.join(profile.axes)}"
            )
        _per_case(metafunc, session, axis, variants, whole=whole)
    elif "alignment_report" in names:
        _per_gate(metafunc, session, axis)
    else:
        if "alignment_variant" in names:
            metafunc.parametrize("alignment_variant", variants)
        if "alignment_axis" in names:
            metafunc.parametrize("alignment_axis", list(profile.axes) if axis is None else [axis])


def _missing_axis(session: Session, axis: str) -> str:
    """The message about an axis that the profile does not have."""
    known = ", ".join(session.profile.axes)
    return f"profile {session.profile.name!r} has no axis {axis!r}; it has {known}"


def _per_case(
    metafunc: pytest.Metafunc, session: Session, axis: str, variants: list[str], *, whole: bool
) -> None:
    from alignment.plugin.session import case_id  # noqa: PLC0415

    if whole or session.by_axis():
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
    """Note the folder of the baselines, which is beside the tests, for the gate in the report."""
    from alignment.gating.baseline_files import FOLDER  # noqa: PLC0415

    folder = metafunc.definition.path.parent / FOLDER / session.profile.name
    if "alignment_report" in metafunc.fixturenames:
        if not hasattr(metafunc.config.option, "update_snapshots"):
            raise AlignmentError(
                f"{metafunc.definition.nodeid}: a gated test needs the pytest plugin syrupy; "
                f"remove -p no:syrupy"
            )
        if session.gated and session.baselines != folder:
            raise AlignmentError(
                f"gated tests are in two folders, and each folder has its own baselines "
                f"({session.baselines} and {folder}); run the two folders separately"
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


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, object, object]:
    """Skip tests that are marked with an axis that the profile does not have.

    If bad input is waiting (see `unread`), and marked tests are left after all other plugins have
    deselected tests, they are removed and the input is refused.
    """
    if SESSION in config.stash and REFUSED not in config.stash:
        _skip_unknown(config, items)
    result = yield
    marked = [item for item in items if item.get_closest_marker(MARK)]
    if marked and WAITING in config.stash and not config.option.collectonly:
        items[:] = [item for item in items if item.get_closest_marker(MARK) is None]
        _refuse(session, marked[0])
    return result


def _refuse(session: pytest.Session, item: pytest.Item) -> None:
    """Report the waiting bad input as a collection error of the test's module."""
    config, module = session.config, item.getparent(pytest.Module)
    config.stash[REFUSED] = message = config.stash[WAITING]
    nodeid = (module or item).nodeid
    report = pytest.CollectReport(nodeid, "failed", message, [])
    carrying.tell_refused(config, report)
    config.hook.pytest_collectreport(report=report)


def _skip_unknown(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        mark = item.get_closest_marker(MARK)
        axis = None if mark is None else mark.kwargs.get("axis")
        if isinstance(axis, str) and axis not in session_of(config).profile.axes:
            reason = _missing_axis(session_of(config), axis)
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the study which cases were selected, so that they are computed together."""
    stash = session.config.stash
    if SESSION not in stash or REFUSED in stash or WAITING in stash:
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
            # The reference variant, too: changes are relative to it.
            ours.study.want(ours.study.keys(variant, ours.profile.reference))
        elif "alignment_prompt" in parameters:
            axis, prompt = mark.kwargs["axis"], parameters["alignment_prompt"]
            prompts = ours.study.asked(variant)[axis] if prompt is None else (prompt,)
            ours.study.want((variant, axis, each.id) for each in prompts)
