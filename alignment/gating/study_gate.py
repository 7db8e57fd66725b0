"""The gate of a study: all decisions, made together, and what is reported with them."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

from alignment.analysis.decision_rule import Evidence, Key, decide, decide_together
from alignment.analysis.score_test import score_changes
from alignment.errors import AlignmentError
from alignment.gating.anchor import ANCHOR, anchor_evidence, anchor_moved
from alignment.gating.cautions import cautions_on
from alignment.gating.compared_answers import unchanged, with_answers
from alignment.gating.evidence import RunEvidence, gather_evidence
from alignment.gating.gated_run import GatedRun
from alignment.gating.people import people_by_axis
from alignment.gating.plan import plan
from alignment.gating.reported_shifts import reported_shifts
from alignment.gating.slices import slices_of, with_slices
from alignment.labels.book import LabelFiles
from alignment.records.decisions import Decision, GateResult, ScoreChange, SliceDecision
from alignment.study.study import Study


class StudyGate:
    """The gate over one study. `folder` holds the baselines, one file per variant.

    With `rescore`, the judge of this run scores the responses that a baseline stores, where only
    the judge differs; `updating` says that missing baselines are to be created, and `declared` is
    that of `GatedRun`. The comparisons are those of the whole profile, whichever tests were
    selected.
    """

    def __init__(
        self,
        study: Study,
        folder: Path,
        *,
        rescore: bool = False,
        updating: bool = False,
        declared: LabelFiles | None = None,
    ) -> None:
        self.run = GatedRun(study, folder, updating=updating, declared=declared)
        self._rescore = rescore

    @cached_property
    def result(self) -> GateResult:
        """All decisions, corrected for multiple comparisons, and what is reported with them."""
        run = self.run
        variants, axes, evidence = run.profile.gated(), run.profile.axes, self._evidence
        slices = slices_of(run, evidence.by_key)
        scores = self._scores(evidence)
        decisions = tuple(
            replace(self._add_findings(key, decision, slices.get(key, ())), scores=scores.get(key))
            for key, decision in self._decided[self._against].items()
        )
        return GateResult(
            against=self._against,
            decisions=decisions,
            shifts={
                variant: reported_shifts(
                    run, {axis: evidence.by_key[variant, axis] for axis in axes}
                )
                for variant in variants
            },
            drifts=evidence.drifts,
            unchanged=tuple(variant for variant in variants if unchanged(run, variant)),
            plan=plan(decisions, run.rules.values()),
            people=people_by_axis(run),
        )

    def _scores(self, evidence: RunEvidence) -> dict[Key, ScoreChange]:
        """The changes of mean scores, of all comparisons that could be made."""
        pairs = {key: each.pairs for key, each in evidence.by_key.items() if not each.invalid}
        axes = self.run.profile.axes
        return score_changes(pairs, {name: axis.comparison for name, axis in axes.items()})

    def _add_findings(
        self, key: Key, decision: Decision, slices: tuple[SliceDecision, ...]
    ) -> Decision:
        """A decision with its anchor, answers, slices, and what limits it."""
        whole = with_answers(self.run, self._add_anchor(key, decision))
        sliced = with_slices(self.run, whole, slices)
        return replace(sliced, cautions=cautions_on(self.run, sliced))

    def decision(self, variant: str, axis: str) -> Decision:
        """The decision on one variant and axis. Raises AlignmentError where it is not gated."""
        for decision in self.result.decisions:
            if (decision.variant, decision.axis) == (variant, axis):
                return decision
        gated = ", ".join(self.run.profile.gated())
        raise AlignmentError(f"variant {variant!r} is not gated on {axis}; gated: {gated}")

    @cached_property
    def _anchor_evidence(self) -> dict[Key, Evidence]:
        return anchor_evidence(self.run)

    @cached_property
    def since_anchor(self) -> dict[Key, Decision]:
        """The decisions on the change since the anchor, where there is a baseline.

        Where the baseline has not moved from its anchor, that is the decision against the baseline.
        """
        run = self.run
        if run.reference is not None:  # another comparison: whether a run may become a baseline
            return decide(self._anchor_evidence, run.rules, ANCHOR)
        return {
            key: self._decided[ANCHOR].get(key, self._decided[self._against][key])
            for key in self._anchor_evidence
        }

    @cached_property
    def _evidence(self) -> RunEvidence:
        return gather_evidence(self.run, rescore=self._rescore)

    @property
    def _against(self) -> str:
        return self.run.profile.gate.against.replace("variant:", "variant ")

    @cached_property
    def _decided(self) -> dict[str, dict[Key, Decision]]:
        """The decisions by other side: all that can block are one family of Holm's correction.

        Those with the anchor are only on what has moved from it: else they would count twice.
        """
        run = self.run
        moved = (
            {key: each for key, each in self._anchor_evidence.items() if anchor_moved(run, *key)}
            if run.reference is None
            else {}
        )
        sides = {self._against: self._evidence.by_key, ANCHOR: moved}
        return decide_together(sides, run.rules)

    def _add_anchor(self, key: Key, decision: Decision) -> Decision:
        """`decision` with the one since the anchor, if the baseline has moved from its anchor."""
        since = self._decided[ANCHOR].get(key)
        if since is None:
            return decision
        return replace(decision, anchor=with_answers(self.run, since, anchor=True))
