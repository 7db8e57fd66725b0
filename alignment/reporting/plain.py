"""Results of the gate as plain values, as in the JSON report."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from alignment.records import Rate
from alignment.records.corrections import CorrectedChange
from alignment.records.decisions import Change, Comparison, Decision, GateResult, Shift


def plain_gate(gate: GateResult) -> dict[str, Any]:
    """The gate's results as plain values."""
    return {
        "against": gate.against,
        "plan": gate.plan,
        "unchanged": list(gate.unchanged),
        "people": {axis: asdict(people) for axis, people in gate.people.items()},
        "decisions": [plain_decision(each) for each in gate.decisions],
        "shifts": {
            variant: [plain_estimate(each) for each in shifts]
            for variant, shifts in gate.shifts.items()
        },
        "drifts": {
            variant: {name: plain_estimate(each) for name, each in drifts.items()}
            for variant, drifts in gate.drifts.items()
        },
    }


def plain_decision(decision: Decision) -> dict[str, Any]:
    """A decision as plain values."""
    return {
        "variant": decision.variant,
        "axis": decision.axis,
        "rate": decision.rate,
        "against": decision.against,
        "outcome": decision.outcome,
        "own": decision.own,
        "margin": decision.margin,
        "change": None if decision.change is None else plain_estimate(decision.change),
        "adjusted": decision.adjusted,
        "needed": decision.needed,
        "needed_range": None if decision.needed_range is None else list(decision.needed_range),
        "identical": decision.identical,
        "reasons": list(decision.reasons),
        "flips": [asdict(flip) for flip in decision.flips],
        "degenerate": None if decision.degenerate is None else asdict(decision.degenerate),
        "spoiled": None if decision.spoiled is None else asdict(decision.spoiled),
        "anchor": None if decision.anchor is None else plain_decision(decision.anchor),
        "corrected": None if decision.corrected is None else plain_correction(decision.corrected),
        "by_judge": decision.by_judge,
        "uncorrected": decision.uncorrected,
        "scores": None if decision.scores is None else asdict(decision.scores),
        "slices": [
            asdict(each) | {"change": plain_estimate(each.change)} for each in decision.slices
        ],
        "cautions": [asdict(caution) for caution in decision.cautions],
    }


def plain_correction(change: CorrectedChange) -> dict[str, Any]:
    """A corrected change as plain values."""
    return asdict(change) | {
        "interval": [change.interval.low, change.interval.high],
        "here": [change.here.low, change.here.high],
        "before": _plain_rate(change.before),
        "after": _plain_rate(change.after),
        "errors": {
            side: {
                "sensitivity": _plain_rate(errors.sensitivity),
                "specificity": _plain_rate(errors.specificity),
            }
            for side, errors in change.errors.items()
        },
    }


def _plain_rate(rate: Rate | None) -> dict[str, Any] | None:
    if rate is None:
        return None
    interval = [rate.interval.low, rate.interval.high]
    counts = {} if rate.total is None else {"passed": rate.passed, "total": rate.total}
    return {"percent": rate.percent, "interval": interval, **counts}


def plain_estimate(estimate: Change | Shift) -> dict[str, Any]:
    """A change or a shift as plain values."""
    return asdict(estimate) | {"interval": [estimate.interval.low, estimate.interval.high]}


def plain_comparison(comparison: Comparison) -> dict[str, Any]:
    """A comparison of two variants as plain values; `changes` by rate, with their adjusted p."""
    return {
        "before": comparison.before,
        "after": comparison.after,
        "changes": {
            each.name: plain_estimate(each) | {"adjusted": adjusted}
            for each, adjusted in zip(comparison.changes, comparison.adjusted, strict=True)
        },
        "combined": None if comparison.combined is None else plain_estimate(comparison.combined),
    }
