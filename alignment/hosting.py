"""Our session within pytest's: opened on first use, and refused in pytest's own words."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import pytest

from alignment.errors import AlignmentError
from alignment.namesake import conflict
from alignment.options import root_of
from alignment.outputs import DEFAULT

if TYPE_CHECKING:
    from alignment.decisions import Decision
    from alignment.profile import Profile
    from alignment.session import Session

MARK = "alignment"
"""The mark of the tests that we act on."""

SESSION = pytest.StashKey["Session"]()
STARTED = pytest.StashKey[bool]()
REFUSED = pytest.StashKey[bool]()


def require(config: pytest.Config) -> None:
    """Validate profile, prompts, models and store now. Raises pytest.UsageError with one line.

    Call it from a suite's `conftest.py` (in `pytest_configure`) so that bad input is a usage error
    even where no option and no `alignment.toml` says that alignment tests will run.
    """
    option = config.option
    if is_worker(config) or option.help or option.version or option.markers:
        return  # the controller has looked, or nothing will run
    if not hasattr(option, "alignment_profile"):
        raise refused(config, "the plugin is not loaded; add -p alignment.plugin")
    if owned_twice := conflict():
        raise refused(config, owned_twice)
    if option.alignment_reason is not None and not _update(config):
        raise refused(config, "--alignment-reason accepts a run: it needs --snapshot-update")
    try:
        session_of(config).check()
    except AlignmentError as error:
        raise refused(config, error) from None
    except OSError as error:  # a path that cannot even be looked at
        where = f"{error.filename}: " if error.filename else ""
        raise refused(config, f"{where}{error.strerror or error}") from None


def refused(config: pytest.Config, error: AlignmentError | str) -> Exception:
    """A usage error; where tests are being collected, what pytest shows as one line there.

    That late only where nothing said beforehand that alignment tests will run.
    """
    config.stash[REFUSED] = True
    late = STARTED in config.stash
    return (pytest.Collector.CollectError if late else pytest.UsageError)(plain(error))


def plain(error: AlignmentError | str) -> str:
    """One line whatever keys and file names it quotes."""
    from alignment.reporting.text import one_line  # noqa: PLC0415

    return one_line(str(error))


def _update(config: pytest.Config) -> str:
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
        from alignment.session import Options, Session  # noqa: PLC0415

        option, worker = config.option, is_worker(config)
        if worker:
            from alignment.hardware import pin  # noqa: PLC0415 - a guest loads as little as it can

            pin(int(config.workerinput["workerid"].removeprefix("gw")), os.environ)  # type: ignore[attr-defined]
        stream = _live_stream(config)
        report = Path(option.alignment_report)
        config.stash[SESSION] = Session(
            Options(
                root=root_of(config),
                report=report if report.is_absolute() else config.invocation_params.dir / report,
                formats=tuple(option.alignment_format) or DEFAULT,
                profile=option.alignment_profile,
                assignments=option.alignment_set,
                variants=option.alignment_variant,
                store=option.alignment_store,
                limit=option.alignment_limit,
                cases=option.alignment_cases,
                strict=option.alignment_strict,
                # What an unset variable of a pipeline leaves is no reason.
                reason=(option.alignment_reason or "").strip() or None,
                update=_update(config),
                rescore=option.alignment_rescore_baseline,
                stream=stream,
                live=stream is not None and not worker and stream.isatty(),
                who=f"[{os.environ.get('PYTEST_XDIST_WORKER')}] " if worker else "",
            )
        )
    return config.stash[SESSION]


def _live_stream(config: pytest.Config) -> TextIO | None:
    """A copy of stderr, made while nothing is captured: live lines reach the terminal from tests.

    None where the user wants no lines (`-qq`).
    """
    if verbosity(config) < -1:
        return None
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        stream = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
    config.add_cleanup(stream.close)
    return stream


def verbosity(config: pytest.Config) -> int:
    """Number of -v less number of -q; 0 where `-p no:terminal` has taken the options away."""
    return int(getattr(config.option, "verbose", 0))
