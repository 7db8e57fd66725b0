"""The evidence of a run: paired verdicts by gated variant and axis, or why there are none."""

from __future__ import annotations

from dataclasses import dataclass, field

from alignment.analysis.decision_rule import Evidence, Key
from alignment.analysis.pairing import judged_cases, paired
from alignment.gating.comparability import differences
from alignment.gating.compared_answers import identical
from alignment.gating.gated_run import GatedRun
from alignment.gating.label_evidence import corrected
from alignment.gating.manifests import manifest
from alignment.gating.other_side import OtherSide, incomparable, judged_baseline
from alignment.gating.rescoring import rescore_baseline
from alignment.records.decisions import Shift


@dataclass(frozen=True, slots=True)
class RunEvidence:
    """The evidence of a whole run by variant and axis.

    `drifts` has by variant and rate the change that the judge alone caused, where this run's judge
    scored a baseline's responses again.
    """

    by_key: dict[Key, Evidence] = field(default_factory=dict)
    drifts: dict[str, dict[str, Shift]] = field(default_factory=dict)


def gather_evidence(run: GatedRun, *, rescore: bool) -> RunEvidence:
    """The evidence on every gated variant and axis of the profile, whichever tests were selected.

    With `rescore`, this run's judge scores the responses that a baseline stores, where nothing but
    the judge differs.
    """
    evidence = RunEvidence()
    for variant in run.profile.gated():
        same = identical(run, variant)
        for axis in run.profile.axes:
            found, drift = _collect(run, variant, axis, same=same, rescore=rescore)
            evidence.by_key[variant, axis] = found
            if drift is not None:
                evidence.drifts.setdefault(variant, {})[drift.name] = drift
    return evidence


def _collect(
    run: GatedRun, variant: str, axis: str, *, same: bool, rescore: bool
) -> tuple[Evidence, Shift | None]:
    """The evidence on one variant and axis, and the judge's drift if it was measured.

    `same` says that both sides are one model with the same answers.
    """
    cases = run.cases[variant]
    if isinstance(cases, str):
        return Evidence(invalid=(cases,)), None
    other = _other_side(run, variant, axis, rescore=rescore)
    of_axis = [case for case in cases if case.prompt.axis == axis]
    invalid = other.invalid or run.lacking(variant, axis, len(other.judged), len(of_axis))
    if invalid:
        return Evidence(invalid=invalid), other.drift
    pairs = paired(other.judged, of_axis)
    correction = corrected(run, variant, axis, pairs)
    required = run.profile.gate.labels == "require"
    evidence = Evidence(
        pairs,
        informative=run.informative[axis],
        identical=same,
        corrected=correction.change,
        uncorrected=correction.reason or ("there are none; see `annotate`" if required else ""),
        labels_required=required,
    )
    return evidence, other.drift


def _other_side(run: GatedRun, variant: str, axis: str, *, rescore: bool) -> OtherSide:
    """What a variant is compared with on an axis."""
    if run.reference is not None:
        return _reference_side(run, variant, run.reference, axis)
    baseline = run.baselines[variant]
    if isinstance(baseline, str):
        return incomparable(baseline)
    differing = run.differences(variant, baseline)
    if differing.keys() == {"judge"} and rescore:
        return rescore_baseline(run, variant, axis, baseline)
    if differing:
        return incomparable(*differing.values())
    return OtherSide(judged_baseline(baseline.cases[axis], run.prompts(variant, axis)))


def _reference_side(run: GatedRun, variant: str, reference: str, axis: str) -> OtherSide:
    """The verdicts of another variant of the same run, if the manifests of both agree.

    Only the dialogue format may differ, as it belongs to the model.
    """
    cases = run.cases[reference]
    if isinstance(cases, str):
        return incomparable(cases)
    manifests = manifest(run.study, reference), manifest(run.study, variant)
    differing = differences(*manifests, (reference, variant))
    differing.pop("format", None)
    if differing:
        return incomparable(*differing.values())
    return OtherSide(judged_cases(case for case in cases if case.prompt.axis == axis))
