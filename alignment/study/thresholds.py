"""Thresholds for a profile's judge, from the held-out preferences of its trial."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alignment.analysis.calibration import Proposal, ScoredPair, at_most_false, propose, youden
from alignment.config.profile import Profile
from alignment.errors import JudgeError, ProfileError
from alignment.files.foreign import (
    SETTINGS,
    UnfitError,
    is_there,
    parse_toml,
    read_text,
    require_folder,
)
from alignment.files.single import write_file
from alignment.progress import Progress
from alignment.store import Store
from alignment.study.study import Study

RESAMPLES = 1000


def proposals(profile: Profile, store: Path, false_passes: float | None) -> dict[str, Proposal]:
    """Axis -> proposed threshold, for every axis with a trial.

    `false_passes` is the highest share (0 to 1) of rejected answers that may pass; None chooses
    Youden's threshold. Scores come from the store at `store`, computed if missing. Raises
    AlignmentError if the judge's scores are recorded, no axis has a trial, or no pair of an axis
    has two scores; ValueError if `false_passes` is no share.
    """
    choose = youden if false_passes is None else at_most_false(false_passes)
    rule = (
        "Youden's threshold" if false_passes is None else f"at most {false_passes:g} false passes"
    )
    live = sys.stderr.isatty()
    study = Study(profile, Store(store), progress=Progress(sys.stderr, live=live))
    if study.judge().members:
        raise ProfileError(
            f"profile {profile.name!r}: the judge is a panel, which passes by the majority: it has "
            f"no threshold to calibrate; calibrate each member as the judge of a profile"
        )
    by_axis: dict[str, Proposal] = {}
    for axis, pairs in study.data.trials.items():
        texts = [(p.prompt, text) for p in pairs for text in (p.chosen, p.rejected)]
        scores = study.scores_of(texts, f"preferences ({axis})")
        if scores is None:
            break
        dimension = profile.axes[axis].dimension
        values = [score.values.get(dimension) for score in scores]
        scored = [
            ScoredPair(chosen, rejected, pair.cluster)
            for pair, chosen, rejected in zip(pairs, values[::2], values[1::2], strict=True)
            if chosen is not None and rejected is not None  # unscored pairs are left out
        ]
        if not scored:
            raise JudgeError(f"the judge gave none of the {len(pairs)} pairs on {axis} two scores")
        by_axis[axis] = propose(
            rule,
            choose,
            scored,
            confidence=profile.confidence,
            resamples=RESAMPLES,
            seed=profile.seed,
        )
    if not by_axis:
        raise ProfileError(
            f"profile {profile.name!r}: there is nothing to calibrate; a judge with `model` or "
            f"`stages` and an axis with `trial` are required"
        )
    return by_axis


def threshold_of(proposal: Proposal) -> float:
    """A proposed threshold, rounded to five decimals: it may lie between two scores."""
    return round(proposal.threshold, 5)


def remark(proposal: Proposal) -> str:
    """The comment beside a threshold in the profile: rule, interval and pass rates, one line."""
    low, high = proposal.interval.low, proposal.interval.high
    return (
        f"{proposal.rule}; interval [{low:.4g}, {high:.4g}]: {proposal.passes.percent:.1f} % of "
        f"preferred and {proposal.false_passes.percent:.1f} % of rejected answers pass "
        f"({proposal.passes.total} pairs, {proposal.folds}-fold cross-validation; area under the "
        f"curve {_area(proposal)})"
    )


def require_informative(by_axis: Mapping[str, Proposal]) -> None:
    """Raise JudgeError if the judge is no better than chance on an axis.

    Any threshold for such a judge would be arbitrary.
    """
    for axis, proposal in by_axis.items():
        if not proposal.informative:
            raise JudgeError(
                f"{axis}: the area under the curve is {_area(proposal)}, which includes 0.5: the "
                f"judge does not tell preferred from rejected answers, so no threshold is written; "
                f"use another judge, or more pairs (axes.{axis}.trial.pairs)"
            )


def _area(proposal: Proposal) -> str:
    low, high = proposal.area_interval.low, proposal.area_interval.high
    return f"{proposal.area:.2f} [{low:.2f}, {high:.2f}]"


def check_target(path: Path) -> None:
    """Check, before anything is scored, that thresholds can be written there.

    Raises ProfileError.
    """
    try:
        require_folder(path.parent)
        _text(path, "")
    except UnfitError as error:
        raise ProfileError(f"--write {path}: {error}") from None


def write_into(path: Path, by_axis: Mapping[str, Proposal], *, extends: str) -> None:
    """Set the thresholds `by_axis` in a profile's file; all else in it stays, comments too.

    A file that does not exist is created as a profile that extends `extends`. Raises ProfileError,
    and leaves the file unchanged, if it is not TOML or cannot be written.
    """
    import tomlkit  # noqa: PLC0415 - only needed to write a profile
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    try:
        document = tomlkit.parse(_text(path, extends))
        axes = _table(document, "axes", path)
        for axis, proposal in by_axis.items():
            table = _table(axes, axis, path)
            table["threshold"] = tomlkit.item(threshold_of(proposal)).comment(remark(proposal))
            table["comparison"] = ">="
        write_file(path, tomlkit.dumps(document).encode())
    except UnfitError as error:
        raise ProfileError(f"profile {path}: {error}") from error
    except TOMLKitError as error:
        raise ProfileError(f"profile {path}: not valid TOML: {error}") from error
    except OSError as error:
        raise ProfileError(f"profile {path}: cannot be written: {error.strerror}") from error


def _text(path: Path, extends: str) -> str:
    """The text of a TOML file, or what a new one begins with. Raises UnfitError."""
    if not is_there(path):
        return f'extends = "{extends}"\n'
    text = read_text(path, SETTINGS)
    parse_toml(text)
    return text


def _table(parent: Any, key: str, path: Path) -> Any:
    """The table under a key, created if there is none. Raises ProfileError if it is no table."""
    import tomlkit  # noqa: PLC0415

    if key not in parent:
        parent[key] = tomlkit.table(is_super_table=key == "axes")
    if not hasattr(parent[key], "keys"):
        raise ProfileError(f"profile {path}: {key}: must be a table")
    return parent[key]
