"""Comparison with the anchor, so that many small accepted losses cannot add up unnoticed."""

from __future__ import annotations

from alignment.analysis.decision_rule import Evidence, Key
from alignment.analysis.pairing import paired
from alignment.gating.gated_run import GatedRun
from alignment.gating.other_side import judged_baseline

ANCHOR = "anchor"
"""What a decision on the change since the anchor is against."""


def anchor_evidence(run: GatedRun) -> dict[Key, Evidence]:
    """The evidence on the change since the anchor, where there is a baseline.

    What cannot be compared is left out: the decision against the baseline reports it.
    """
    evidence: dict[Key, Evidence] = {}
    for variant in run.profile.gated():
        baseline, cases = run.baselines[variant], run.cases[variant]
        if isinstance(baseline, str) or isinstance(cases, str):
            continue
        if run.differences(variant, baseline):
            continue
        for axis, stored in baseline.cases.items():
            before = judged_baseline(stored, run.prompts(variant, axis), anchor=True)
            of_axis = [case for case in cases if case.prompt.axis == axis]
            if run.lacking(variant, axis, len(stored), len(of_axis)):
                continue
            pairs = paired(before, of_axis)
            evidence[variant, axis] = Evidence(pairs, informative=run.informative[axis])
    return evidence


def anchor_moved(run: GatedRun, variant: str, axis: str) -> bool:
    """Whether a baseline's verdicts on an axis differ from those of its anchor."""
    baseline = run.baselines[variant]
    return not isinstance(baseline, str) and any(
        case.anchor != case.passed for case in baseline.cases[axis].values()
    )
