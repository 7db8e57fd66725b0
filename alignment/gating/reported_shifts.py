"""Changes of a variant that are reported and not tested: of CAS, and of its mean scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alignment.analysis.decision_rule import Evidence
from alignment.analysis.paired import rate_change
from alignment.analysis.rates import CAS
from alignment.analysis.shifts import combined_shift, mean_shift
from alignment.gating.gated_run import GatedRun
from alignment.records import Interval
from alignment.records.decisions import PairedVerdict, Shift
from alignment.runtime.hardware import versions
from alignment.store import content_key


def reported_shifts(run: GatedRun, evidence: Mapping[str, Evidence]) -> tuple[Shift, ...]:
    """The shifts of CAS and of the mean score on each axis; none if any axis cannot be compared.

    `evidence` is that of one variant, by axis.
    """
    if any(each.invalid for each in evidence.values()):
        return ()
    confidence = run.profile.confidence
    changes = [rate_change(axis, each.pairs, confidence) for axis, each in evidence.items()]
    means = [_mean_shift(run, axis, each.pairs) for axis, each in evidence.items()]
    return (combined_shift(changes, CAS), *means)


def _mean_shift(run: GatedRun, axis: str, pairs: Sequence[PairedVerdict]) -> Shift:
    """The shift of the mean score on an axis. Its bootstrap is slow, and therefore stored."""
    scores = [(pair.cluster, pair.score_before, pair.score_after) for pair in pairs]
    confidence, resamples, seed = spec = (
        run.profile.confidence,
        run.profile.gate.resamples,
        run.profile.seed,
    )
    key = content_key("bca", 2, scores, spec, versions("scipy", "numpy"))

    def compute() -> list[float]:
        shift = mean_shift(axis, pairs, confidence, resamples=resamples, seed=seed)
        return [shift.difference, shift.interval.low, shift.interval.high]

    difference, low, high = run.study.store.cached("bootstrap", key, compute)
    return Shift(axis, difference, Interval(low, high))
