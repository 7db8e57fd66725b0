"""What is known of people's labels in a run: how many there are, and who agrees with them."""

from __future__ import annotations

from alignment.analysis.judging import JUDGES, agreement
from alignment.errors import LabelsError
from alignment.gating.gated_run import GatedRun
from alignment.labels.agreement import alpha
from alignment.records import Agreement, Case
from alignment.records.corrections import PeopleAgreement
from alignment.records.labels import Label, item_id
from alignment.store import content_key


def people_by_axis(run: GatedRun) -> dict[str, PeopleAgreement]:
    """Axis -> the labels of this run's answers; axes without a label are left out.

    The answers are those of the gated variants and of the variant that they are compared with.
    """
    if not run.labels.verdicts:
        return {}
    cases = [case for each in run.cases.values() if not isinstance(each, str) for case in each]
    labels: dict[str, list[Label]] = {}
    for label in run.labels.labels:
        labels.setdefault(label.item, []).append(label)
    by_axis = {axis: _people(run, axis, cases, labels) for axis in run.profile.axes}
    return {axis: people for axis, people in by_axis.items() if people is not None}


def _people(
    run: GatedRun, axis: str, cases: list[Case], labels: dict[str, list[Label]]
) -> PeopleAgreement | None:
    items = {
        item: case
        for case in cases
        if case.prompt.axis == axis and case.response is not None
        if (item := item_id(axis, case.prompt.text, case.response.text)) in labels
    }
    if not items:
        return None
    given = [label for item in items for label in labels[item]]
    judged = [
        (case, verdict)
        for item, case in items.items()
        if (verdict := run.labels.verdicts[item]) is not None
    ]
    return PeopleAgreement(
        answers=len(items),
        annotators=len({label.annotator for label in given}),
        alpha=_alpha(run, given),
        judge=_agreement(axis, judged, run.profile.confidence),
    )


def _alpha(run: GatedRun, labels: list[Label]) -> float | None:
    """Computed once for the same labels: the package needs numpy, which a light run never loads."""
    given = sorted((each.item, each.annotator, each.verdict) for each in labels)
    try:
        known: float | None = run.study.store.cached(
            "agreement", content_key("alpha", given), lambda: alpha(labels)
        )
    except LabelsError:  # the package is an extra; `annotate --import` says so
        return None
    return known


def _agreement(axis: str, judged: list[tuple[Case, bool]], confidence: float) -> Agreement | None:
    if not judged:
        return None
    return agreement(
        axis,
        [(case.passed, verdict) for case, verdict in judged],
        confidence,
        words=JUDGES,
        clusters=[case.prompt.cluster for case, _ in judged],
    )
