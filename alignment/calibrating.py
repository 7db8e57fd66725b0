"""Thresholds for a profile's judge, from the held-out preferences that the judge is tried on."""

from __future__ import annotations

import sys
from pathlib import Path

from alignment.analysis.calibration import Proposal, ScoredPair, at_most_false, propose, youden
from alignment.errors import JudgeError, ProfileError
from alignment.pipeline import Study
from alignment.profile import Profile
from alignment.progress import Progress
from alignment.store import Store

RESAMPLES = 1000


def proposals(profile: Profile, store: Path, false_passes: float | None) -> dict[str, Proposal]:
    """Axis -> proposal, for every axis with a trial; `false_passes` is a share, None for Youden's.

    Scores come through the store, as in a run. Raises AlignmentError where the judge's scores are
    recorded, no axis has a trial, or no pair of one has scores; ValueError where `false_passes` is
    no share.
    """
    choose = youden if false_passes is None else at_most_false(false_passes)
    rule = (
        "Youden's threshold" if false_passes is None else f"at most {false_passes:g} false passes"
    )
    live = sys.stderr.isatty()
    study = Study(profile, Store(store), progress=Progress(sys.stderr, live=live))
    found: dict[str, Proposal] = {}
    for axis, pairs in study.questions.trials.items():
        asked = [(p.prompt, text) for p in pairs for text in (p.chosen, p.rejected)]
        scores = study.scores_of(asked, f"preferences ({axis})")
        if scores is None:
            break
        dimension = profile.axes[axis].dimension
        values = [score.values.get(dimension) for score in scores]
        scored = [
            ScoredPair(chosen, rejected, pair.cluster)
            for pair, chosen, rejected in zip(pairs, values[::2], values[1::2], strict=True)
            if chosen is not None and rejected is not None  # unscored pairs tell nothing
        ]
        if not scored:
            raise JudgeError(f"the judge gave none of the {len(pairs)} pairs on {axis} two scores")
        found[axis] = propose(
            rule,
            choose,
            scored,
            confidence=profile.confidence,
            resamples=RESAMPLES,
            seed=profile.seed,
        )
    if not found:
        raise ProfileError(
            f"profile {profile.name!r}: there is nothing to calibrate; a judge with `model` or "
            f"`stages` and an axis with `trial` are required"
        )
    return found
