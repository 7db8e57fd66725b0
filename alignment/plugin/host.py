"""Our session within pytest's: opened on first use, and refused in pytest's own words."""

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
"""The mark of the tests that we act on."""

_MANY_MARKS = 12
"""Beyond so many, no use is made of what an expression leaves out."""

SESSION = pytest.StashKey["Session"]()
GATED: pytest.StashKey[GatedReport] = pytest.StashKey()
"""What a test, by whatever name, was given as its side of the comparison."""
STARTED = pytest.StashKey[bool]()
CHECKED = pytest.StashKey[bool]()
"""Whether the input was found good."""
REFUSED = pytest.StashKey[str]()
"""Why it was refused."""
WAITING = pytest.StashKey[str]()
"""Why no case could be made, while nobody knows whether any of them is to run."""


def require(config: pytest.Config) -> None:
    """Validate profile, prompts, models and store now. Raises pytest.UsageError with one line.

    Call it from a suite's `conftest.py` (in `pytest_configure`) so that bad input is a usage error
    even where no option and no `alignment.toml` says that alignment tests will run.
    """
    if is_worker(config) or nothing_runs(config):
        return  # the controller looks
    if deselected(config, (MARK,)) and not asked_for(config):
        return
    if not hasattr(config.option, "alignment_profile"):
        raise refused(config, "the plugin is not loaded; add -p alignment.plugin")
    try:
        unread(config)
    except AlignmentError as error:
        raise refused(config, error) from None


def validate(config: pytest.Config) -> None:
    """Find all that is wrong with the input, once. Raises AlignmentError, each time the same."""
    looked = is_worker(config) and config.workerinput.get("alignment_checked")  # type: ignore[attr-defined]
    if CHECKED in config.stash or looked:
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
    except OSError as error:  # a path that cannot even be looked at
        where = f"{error.filename}: " if error.filename else ""
        raise AlignmentError(f"{where}{error.strerror or error}") from None
    config.stash[CHECKED] = True


def _may_wait(config: pytest.Config) -> bool:
    """Whether our tests may be collected without being run: by `-k`, or only to be listed.

    Not where one of them is asked for by its id, which is not known before prompts are read.
    """
    option = config.option
    named = any("::" in str(each) and "[" in str(each) for each in config.args)
    return bool(option.keyword or option.collectonly) and not named


def unread(config: pytest.Config) -> bool:
    """Validate; whether what is wrong can wait until it is known which tests are to run.

    What is wrong with the profile cannot: it says what the cases are called. Raises AlignmentError.
    """
    if WAITING in config.stash:
        return True
    try:
        validate(config)
    except AlignmentError as error:
        if not _may_wait(config) or not _resolved(config):
            raise
        config.stash[WAITING] = plain(error)
        return True
    return False


def _resolved(config: pytest.Config) -> bool:
    """Whether the profile is good, whatever there is of models and prompts."""
    try:
        return bool(session_of(config).profile.variants)
    except (AlignmentError, OSError):
        return False


def nothing_runs(config: pytest.Config) -> bool:
    """Whether pytest is to say something about itself and to run no test."""
    names = ("help", "version", "markers", "showfixtures", "show_fixtures_per_test", "cacheshow")
    return any(getattr(config.option, name, None) for name in names)


def deselected(config: pytest.Config, marks: Iterable[str]) -> bool:
    """Whether `-m` leaves out every test with these marks, whatever others it may yet get."""
    try:
        mark: Any = config.pluginmanager.get_plugin("mark")
        expression = mark.Expression.compile(getattr(config.option, "markexpr", "") or "True")
        return not _may_hold(expression, dict.fromkeys(marks, True))
    except Exception:  # noqa: BLE001 - pytest says what is wrong with it, in its own words
        return False


class _UnknownError(LookupError):
    """A mark that a test does not have yet."""


def _may_hold(expression: Any, known: Mapping[str, bool]) -> bool:
    """Whether an expression is true for some choice of the marks that are not known."""

    def has(name: str, /, **arguments: object) -> bool:
        said = f"{name}{arguments or ''}"
        if said not in known:
            raise _UnknownError(said)
        return known[said]

    try:
        return bool(expression.evaluate(has))
    except _UnknownError as error:
        if len(known) > _MANY_MARKS:
            return True
        return any(_may_hold(expression, {**known, str(error): each}) for each in (True, False))


def refused(config: pytest.Config, error: AlignmentError | str) -> Exception:
    """A usage error; where tests are being collected, what pytest shows as one line there.

    That late only where nothing said beforehand that alignment tests will run.
    """
    config.stash[REFUSED] = plain(error)
    late = STARTED in config.stash
    return (pytest.Collector.CollectError if late else pytest.UsageError)(plain(error))


def plain(error: AlignmentError | str) -> str:
    """One line whatever keys and file names it quotes."""
    from alignment.reporting.text import one_line  # noqa: PLC0415

    return one_line(str(error))


def updating(config: pytest.Config) -> str:
    """Which baselines are to be replaced: syrupy's `--snapshot-update`, or its new-only form."""
    if getattr(config.option, "update_snapshots", False):
        return "all"
    return "new" if getattr(config.option, "update_new_snapshots_only", False) else ""


def tolerated(profile: Profile, decision: Decision) -> bool:
    """Whether the profile lets a run pass with what the gate could not decide."""
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
            digits = "".join(filter(str.isdecimal, name))  # none in `--tx popen//id=left`
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
                # What an unset variable of a pipeline leaves is no reason.
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
    """A copy of stderr, made while nothing is captured: live lines reach the terminal from tests.

    None where the user wants no lines (`-qq`), and where there is no stderr.
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
    """Number of -v less number of -q; 0 where `-p no:terminal` has taken the options away."""
    return int(getattr(config.option, "verbose", 0))
