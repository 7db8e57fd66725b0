"""Accepting a run: which baselines it becomes, and how they replace the old files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from alignment.errors import BaselineError
from alignment.files.sets import Replacement, recover, replacing
from alignment.gating.baseline import Baseline, BaselineCase, storable
from alignment.gating.baseline_files import dumps, path_of
from alignment.gating.coverage import lacking, lacking_votes
from alignment.gating.manifests import manifest
from alignment.gating.probe_set import probe_set
from alignment.gating.stored_baseline import StoredBaseline
from alignment.gating.study_gate import StudyGate
from alignment.records import Case
from alignment.records.decisions import ACCEPT
from alignment.study.study import Study

_REMEDY = f"if that is intended, give the reason: {ACCEPT}"


def accepted(gate: StudyGate, variant: str, reason: str | None) -> Baseline:
    """The baseline that a run becomes when it is accepted; the anchor moves only with a `reason`.

    Raises BaselineError for an incomplete run or one with too few scores, and without a `reason`
    where one is required: the run lost too much since the anchor, or cannot be compared with it.
    """
    study, cases = gate.run.study, gate.run.cases[variant]
    if isinstance(cases, str):
        raise BaselineError(f"the run of {variant!r} is not complete: {cases}")
    for axis, prompts in study.asked(variant).items():
        scored = sum(case.prompt.axis == axis for case in cases)
        short = lacking(axis, {repr(variant): (scored, len(prompts))})
        for sentence in short or lacking_votes(study, variant, axis):
            raise BaselineError(f"the run of {variant!r} cannot become a baseline: {sentence}")
    _ = gate.run.informative  # computes what a complete run says of the judge, and second judges
    stored = gate.run.baselines[variant]
    if reason is None:
        _check_since_anchor(gate, variant, stored)
    previous = stored if reason is None and isinstance(stored, Baseline) else None
    return Baseline(
        profile=study.profile.name,
        variant=variant,
        reason=previous.reason if previous else reason,
        manifest=manifest(study, variant),
        model=study.policy(variant).baseline_model(),
        probe=probe_set(study),
        cases={axis: _baseline_cases(study, cases, axis, previous) for axis in study.profile.axes},
    )


def _check_since_anchor(gate: StudyGate, variant: str, stored: StoredBaseline) -> None:
    """Raise BaselineError if this run may only be accepted with a reason.

    Otherwise small losses, accepted one by one, could add up unnoticed.
    """
    if isinstance(stored, str):
        if path_of(gate.run.folder, variant).exists():
            raise BaselineError(f"{stored}; its anchor would be lost: {_REMEDY}")
        return
    differing = gate.run.differences(variant, stored)
    if differing:
        reasons = "; ".join(differing.values())
        raise BaselineError(f"{variant!r} cannot be compared with its anchor: {reasons}; {_REMEDY}")
    for (name, _), decision in gate.since_anchor.items():
        if name != variant or decision.own != "fail" or decision.change is None:
            continue
        degenerate = decision.degenerate
        loss = (
            f"lost {-decision.change.difference:.1f} points of {decision.rate} since its anchor, "
            f"margin {decision.margin:g}"
            if degenerate is None
            else f"has {degenerate.after} degenerate responses of {degenerate.total} "
            f"on {decision.axis}"
        )
        raise BaselineError(f"{variant!r} {loss}; {_REMEDY}")


def _baseline_cases(
    study: Study, cases: Iterable[Case], axis: str, previous: Baseline | None
) -> dict[str, BaselineCase]:
    anchors = {} if previous is None else previous.cases[axis]
    with_responses = study.profile.gate.responses
    return {
        case.prompt.id: BaselineCase(
            score=case.value,
            passed=case.passed,
            # A prompt that had no score at the anchor gets its anchor verdict now.
            anchor=anchors[id_].anchor if (id_ := case.prompt.id) in anchors else case.passed,
            degenerate=case.degenerate,
            response=storable(case.response.text) if with_responses and case.response else None,
        )
        for case in sorted(cases, key=lambda case: case.prompt.id)
        if case.prompt.axis == axis
    }


@contextmanager
def promoted(folder: Path, texts: Mapping[str, str]) -> Iterator[list[Path]]:
    """Write accepted baselines (variant -> text) in one step; yields the files that were replaced.

    If the body raises, the old files are restored. A file whose bytes would stay the same is not
    touched. Raises BaselineError if the file system refuses; all files are then the old ones.
    """
    with ExitStack() as steps:
        try:
            replaced = _replace_files(steps, folder, texts)
        except OSError as error:
            where = error.filename or folder
            raise BaselineError(
                f"baselines cannot be written: {where}: {error.strerror or error}; "
                "free disk space and check the permissions of the folder, then run again"
            ) from error
        yield replaced


def _replace_files(steps: ExitStack, folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Replace the files as one set, except links into other folders: a set for each folder."""
    recover(folder)
    sets: dict[Path, Replacement] = {}
    replaced = []
    for variant, text in texts.items():
        path = Path(os.path.realpath(path_of(folder, variant)))  # a link stays a link
        if path.is_file() and path.read_bytes() == text.encode():
            continue
        if path.parent not in sets:
            sets[path.parent] = steps.enter_context(replacing(path.parent))
        sets[path.parent].write(path.name, [text])
        replaced.append(path)
    for replacement in sets.values():
        replacement.commit()
    return replaced


def text_of(gate: StudyGate, variant: str, reason: str | None) -> str:
    """The file content of the accepted baseline. Raises BaselineError as `accepted` does."""
    return dumps(accepted(gate, variant, reason))
