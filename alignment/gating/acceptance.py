"""What a run may leave behind as its baselines, and how they get their place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from alignment.errors import BaselineError
from alignment.files.sets import Replacement, recover, replacing
from alignment.gating.baseline import Baseline, BaselineCase, storable
from alignment.gating.baseline_files import dumps, path_of
from alignment.gating.coverage import lacking
from alignment.gating.manifests import manifest
from alignment.gating.probe_set import probe_set
from alignment.gating.stored_baseline import StoredBaseline
from alignment.gating.study_gate import StudyGate
from alignment.records import Case
from alignment.records.decisions import ACCEPT
from alignment.study.study import Study

_REMEDY = f"if that is intended, give the reason: {ACCEPT}"


def accepted(gate: StudyGate, variant: str, reason: str | None) -> Baseline:
    """The baseline that a run would leave; the anchor moves only with a `reason`.

    Raises BaselineError when a reason is required: the run lost too much since the anchor, or
    cannot be compared with it.
    """
    study, cases = gate.run.study, gate.run.cases[variant]
    if isinstance(cases, str):
        raise BaselineError(f"the run of {variant!r} is not complete: {cases}")
    for axis, prompts in study.asked(variant).items():
        scored = sum(case.prompt.axis == axis for case in cases)
        for lack in lacking(axis, {repr(variant): (scored, len(prompts))}):
            raise BaselineError(f"the run of {variant!r} cannot become a baseline: {lack}")
    stored = gate.run.baselines[variant]
    if reason is None:
        _refuse(gate, variant, stored)
    kept = stored if reason is None and isinstance(stored, Baseline) else None
    return Baseline(
        profile=study.profile.name,
        variant=variant,
        reason=kept.reason if kept else reason,
        manifest=manifest(study, variant),
        model=study.policy(variant).baseline_model(),
        probe=probe_set(study),
        cases={axis: _cases(study, cases, axis, kept) for axis in study.profile.axes},
    )


def _refuse(gate: StudyGate, variant: str, stored: StoredBaseline) -> None:
    """Small losses that were accepted one by one must not add up unseen."""
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
        broken = decision.degenerate
        loss = (
            f"lost {-decision.change.difference:.1f} points of {decision.rate} since its anchor, "
            f"margin {decision.margin:g}"
            if broken is None
            else f"has {broken.after} degenerate responses of {broken.total} on {decision.axis}"
        )
        raise BaselineError(f"{variant!r} {loss}; {_REMEDY}")


def _cases(
    study: Study, cases: Iterable[Case], axis: str, kept: Baseline | None
) -> dict[str, BaselineCase]:
    anchors = {} if kept is None else kept.cases[axis]
    wordy = study.profile.gate.responses
    return {
        case.prompt.id: BaselineCase(
            score=case.value,
            passed=case.passed,
            # One that had no score when it was anchored is anchored now.
            anchor=anchors[id_].anchor if (id_ := case.prompt.id) in anchors else case.passed,
            degenerate=case.degenerate,
            response=storable(case.response.text) if wordy and case.response else None,
        )
        for case in sorted(cases, key=lambda case: case.prompt.id)
        if case.prompt.axis == axis
    }


@contextmanager
def promoted(folder: Path, texts: Mapping[str, str]) -> Iterator[list[Path]]:
    """Give accepted baselines (variant -> text) their place, all in one step; the files replaced.

    When anything is raised within, the old ones are back. A file whose bytes would stay the same is
    not touched. Raises BaselineError where the disk refuses; all are then the old ones.
    """
    with ExitStack() as steps:
        try:
            replaced = _replaced(steps, folder, texts)
        except OSError as error:
            where = error.filename or folder
            raise BaselineError(
                f"baselines cannot be written: {where}: {error.strerror or error}; "
                "free disk space and check the permissions of the folder, then run again"
            ) from error
        yield replaced


def _replaced(steps: ExitStack, folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """One set of files, but for those that are links into other folders."""
    recover(folder)
    sets: dict[Path, Replacement] = {}
    replaced = []
    for variant, text in texts.items():
        path = Path(os.path.realpath(path_of(folder, variant)))  # a link stays one
        if path.is_file() and path.read_bytes() == text.encode():
            continue
        if path.parent not in sets:
            sets[path.parent] = steps.enter_context(replacing(path.parent))
        sets[path.parent].write(path.name, [text])
        replaced.append(path)
    for each in sets.values():
        each.commit()
    return replaced


def text_of(gate: StudyGate, variant: str, reason: str | None) -> str:
    """The text of the baseline that a run would leave. Raises BaselineError as `accepted` does."""
    return dumps(accepted(gate, variant, reason))
