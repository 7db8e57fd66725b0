"""The slices of a run's comparisons, and what a loss in one of them means for the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from alignment.analysis.decision_rule import Evidence, Key
from alignment.analysis.slices import decide_slices, sliced
from alignment.gating.gated_run import GatedRun
from alignment.prompts.slicing import slice_value
from alignment.records.decisions import Decision, SliceDecision, worst


def slices_of(
    run: GatedRun, evidence: Mapping[Key, Evidence]
) -> dict[Key, tuple[SliceDecision, ...]]:
    """The decisions on all slices of the profile's columns; empty without `slices.by`."""
    by = run.profile.slices.by
    if not by:
        return {}
    return decide_slices(
        {
            key: sliced(each.pairs, _columns(run, key))
            for key, each in evidence.items()
            if not each.invalid
        },
        run.rules,
    )


def _columns(run: GatedRun, key: Key) -> dict[str, dict[str, str]]:
    prompts = run.prompts(*key)
    return {
        column: {prompt.id: slice_value(prompt, column) for prompt in prompts}
        for column in run.profile.slices.by
    }


def with_slices(run: GatedRun, decision: Decision, slices: tuple[SliceDecision, ...]) -> Decision:
    """A decision with its slices: one that fails makes the whole fail.

    Not where people's labels decide (their verdict is on the whole axis, and the slices are by the
    judge alone), and not with `slices.gate = "report"`.
    """
    failed = any(each.outcome == "fail" for each in slices)
    blocks = failed and run.profile.slices.gate == "fail" and decision.corrected is None
    own = worst(decision.own, "fail") if blocks else decision.own
    return replace(decision, slices=slices, own=own)
