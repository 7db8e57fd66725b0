"""Our session within pytest's: opened on first use; bad input becomes pytest's own errors."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from alignment.errors import AlignmentError
from alignment.plugin.options import Places, asked_for, root_of
from alignment.reporting.formats import DEFAULT
from alignment.runtime.namesake import conflict

if TYPE_CHECKING:
    from alignment.config.profile import Profile
    from alignment.plugin.session import Session
    from alignment.plugin.snapshot import GatedReport
    from alignment.records.decisions import Decision

MARK = "alignment"
"""The name of the mark of alignment tests."""

_MANY_MARKS = 12
"""Marks up to which all combinations are tried, to find out whether `-m` may select a test."""

SESSION = pytest.StashKey["Session"]()
GATED: pytest.StashKey[GatedReport] = pytest.StashKey()
"""The value of the fixture `alignment_report` in a test."""
STARTED = pytest.StashKey[bool]()
"""Present once collection has started."""
CHECKED = pytest.StashKey[bool]()
"""Present once the input has been validated."""
REFUSED = pytest.StashKey[str]()
"""Why the input was refused."""
WAITING = pytest.StashKey[str]()
"""What is wrong with the input, until it is known whether any marked test will run."""


def require(config: pytest.Config) -> None:
    """Validate profile, prompts, models and store now. Raises pytest.UsageError with one line.

    Call it from a suite's `conftest.py` (in `pytest_configure`) so that bad input is a usage error
    even where no option and no `alignment.toml` says that alignment tests will run.
    """
    if is_worker(config) or nothing_runs(config):
        return  # the controller validates
    if deselected(config, (MARK,)) and not asked_for(config):
        return
    if not hasattr(config.option, "alignment_profile"):
        raise refused(config, "the plugin is not loaded; add -p alignment.plugin")
    try:
        unread(config)
    except AlignmentError as error:
        raise refused(config, error) from None


def validate(config: pytest.Config) -> None:
    """Validate the input once. Raises AlignmentError, every time the same."""
    checked = is_worker(config) and config.workerinput.get("alignment_checked")  # type: ignore[attr-defined]
    if CHECKED in config.stash or checked:
        return
    if REFUSED in config.stash:
        raise AlignmentError(config.stash[REFUSED])
    if owned_twice := conflict():
        raise AlignmentError(owned_twice)
    if config.option.alignment_reason is not None and not updating(config):
        raise AlignmentError(
            "--alignment-reason needs --snapshot-update: it is the reason for accepting a run"
        )
    try:
        session_of(config).check()
    except OSError as error:  # such as a path that cannot be read
        where = f"{error.filename}: " if error.filename else ""
        raise AlignmentError(f"{where}{error.strerror or error}") from None
    config.stash[CHECKED] = True


def _may_wait(config: pytest.Config) -> bool:
    """Whether marked tests may be collected without being run: with `-k` or `--collect-only`.

    Not if a case is named by its id on the command line: ids are not known without prompts.
    """
    option = config.option
    has_id = any("::" in str(each) and "[" in str(each) for each in config.args)
    return bool(option.keyword or option.collectonly) and not has_id


def unread(config: pytest.Config) -> bool:
    """Validate the input; whether it is bad and refused later, if marked tests are selected.

    An error in the profile is raised at once: the names of cases depend on the profile. Raises
    AlignmentError.
    """
    if WAITING in config.stash:
        return True
    try:
        validate(config)
    except AlignmentError as error:
        if not _may_wait(config) or not _profile_is_valid(config):
            raise
        config.stash[WAITING] = plain(error)
        return True
    return False


def _profile_is_valid(config: pytest.Config) -> bool:
    """Whether the profile is valid, even if models or prompts are not."""
    try:
        return bool(session_of(config).profile.variants)
    except (AlignmentError, OSError):
        return False


def nothing_runs(config: pytest.Config) -> bool:
    """Whether an option such as `--help` or `--markers` is given, with which no test is run."""
    names = ("help", "version", "markers", "showfixtures", "show_fixtures_per_test", "cacheshow")
    return any(getattr(config.option, name, None) for name in names)


def deselected(config: pytest.Config, marks: Iterable[str]) -> bool:
    """Whether `-m` deselects every test with these marks, whatever further marks it may get."""
    try:
        mark: Any = config.pluginmanager.get_plugin("mark")
        expression = mark.Expression.compile(getattr(config.option, "markexpr", "") or "True")
        return not _may_hold(expression, dict.fromkeys(marks, True))
    except Exception:  # noqa: BLE001 - pytest itself reports what is wrong with the expression
        return False


class _UnknownError(LookupError):
    """A mark that a test does not have yet."""


def _may_hold(expression: Any, known: Mapping[str, bool]) -> bool:
    """Whether an expression is true for some values of the marks that are not in `known`."""

    def has(name: str, /, **arguments: object) -> bool:
        mark = f"{name}{arguments or ''}"
        if mark not in known:
            raise _UnknownError(mark)
        return known[mark]

    try:
        return bool(expression.evaluate(has))
    except _UnknownError as error:
        if len(known) > _MANY_MARKS:
            return True
        return any(_may_hold(expression, {**known, str(error): each}) for each in (True, False))


def refused(config: pytest.Config, error: AlignmentError | str) -> Exception:
    """The exception for bad input: a usage error, or a collection error of one line.

    It is a collection error if collection has started, because no option said before that alignment
    tests will run.
    """
    config.stash[REFUSED] = plain(error)
    late = STARTED in config.stash
    return (pytest.Collector.CollectError if late else pytest.UsageError)(plain(error))


def plain(error: AlignmentError | str) -> str:
    """An error's message as one line, even if it quotes keys or file names with line breaks."""
    from alignment.reporting.text import one_line  # noqa: PLC0415

    return one_line(str(error))


def updating(config: pytest.Config) -> str:
    """Which baselines are to be written: `all` (`--snapshot-update`), `new`, or none (empty)."""
    if getattr(config.option, "update_snapshots", False):
        return "all"
    return "new" if getattr(config.option, "update_new_snapshots_only", False) else ""


def tolerated(profile: Profile, decision: Decision) -> bool:
    """Whether the profile lets a run pass with this decision, which is no `pass`."""
    settings = profile.axes[decision.axis].gate
    return {
        "inconclusive": settings.inconclusive == "warn",
        "uninformative": settings.uninformative == "warn",
    }.get(decision.outcome, False)


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


def session_of(config: pytest.Config) -> Session:
    """The session's study, made on first use."""
    if SESSION not in config.stash:
        from alignment.plugin.session import Options, Session  # noqa: PLC0415

        option, worker = config.option, is_worker(config)
        if worker:
            from alignment.runtime.hardware import leave_one_gpu  # noqa: PLC0415 - a guest loads as little as it can

            name: str = config.workerinput["workerid"]  # type: ignore[attr-defined]
            digits = "".join(filter(str.isdecimal, name))  # there are none in `popen//id=left`
            leave_one_gpu(int(digits or 0), os.environ)
        stream = _live_stream(config)
        report, places = Path(option.alignment_report), Places.of(config)
        config.stash[SESSION] = Session(
            Options(
                root=root_of(config),
                report=report if report.is_absolute() else config.invocation_params.dir / report,
                formats=tuple(option.alignment_format) or DEFAULT,
                profile=places.profile,
                assignments=option.alignment_set,
                variants=places.variants,
                store=places.store,
                limit=option.alignment_limit,
                cases=option.alignment_cases,
                strict=option.alignment_strict,
                # A pipeline with an unset variable may give an empty reason.
                reason=(option.alignment_reason or "").strip() or None,
                update=updating(config),
                rescore=option.alignment_rescore_baseline,
                stream=stream,
                live=stream is not None and not worker and stream.isatty(),
                who=f"[{os.environ.get('PYTEST_XDIST_WORKER')}] " if worker else "",
                command=("pytest", *map(str, config.invocation_params.args)),
            )
        )
    return config.stash[SESSION]


def _live_stream(config: pytest.Config) -> TextIO | None:
    """A copy of stderr that pytest does not capture, for progress lines while tests run.

    None with `-qq`, and if there is no stderr.
    """
    if verbosity(config) < -1:
        return None
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        try:
            stream = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
        except OSError:
            return None
    config.add_cleanup(stream.close)
    return stream


def verbosity(config: pytest.Config) -> int:
    """The number of `-v` minus the number of `-q`; 0 with `-p no:terminal`."""
    return int(getattr(config.option, "verbose", 0))
