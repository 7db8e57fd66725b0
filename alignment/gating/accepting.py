"""What a run may leave behind as its baselines, and how they get their place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from alignment.errors import BaselineError
from alignment.files.sets import Replacement, recover, replacing
from alignment.gating.baseline import Baseline, Probe, Row, dumps, path_of, storable
from alignment.gating.coverage import lacking
from alignment.gating.gatekeeper import Found, Gatekeeper
from alignment.gating.manifests import manifest
from alignment.policies.null import answer
from alignment.records import Case
from alignment.records.decisions import ACCEPT
from alignment.study.study import Study

PROBES = 5
"""Prompts per axis whose null answers every judge of a baseline must score alike."""

_REMEDY = f"if that is intended, give the reason: {ACCEPT}"


def accepted(keeper: Gatekeeper, variant: str, reason: str | None) -> Baseline:
    """The baseline that a run would leave; the anchor moves only with a `reason`.

    Raises BaselineError when a reason is required: the run lost too much since the anchor, or
    cannot be compared with it.
    """
    study, cases = keeper.study, keeper.cases[variant]
    if isinstance(cases, str):
        raise BaselineError(f"the run of {variant!r} is not complete: {cases}")
    for axis, prompts in study.asked(variant).items():
        scored = sum(case.prompt.axis == axis for case in cases)
        for reason_not in lacking(axis, {repr(variant): (scored, len(prompts))}):
            raise BaselineError(f"the run of {variant!r} cannot become a baseline: {reason_not}")
    found = keeper.found[variant]
    before = found if isinstance(found, Baseline) else None
    if reason is None:
        _refuse(keeper, variant, found)
    kept = before if reason is None else None
    return Baseline(
        profile=study.profile.name,
        variant=variant,
        reason=kept.reason if kept else reason,
        manifest=manifest(study, variant),
        model=study.policy(variant).baseline_model(),
        probe=_probe(study),
        cases={axis: _rows(study, cases, axis, kept) for axis in study.profile.axes},
    )


def _refuse(keeper: Gatekeeper, variant: str, found: Found) -> None:
    """Small losses that were accepted one by one must not add up unseen."""
    if isinstance(found, str):
        if path_of(keeper.folder, variant).exists():
            raise BaselineError(f"{found}; its anchor would be lost: {_REMEDY}")
        return
    differing = keeper.differences(variant, found)
    if differing:
        told = "; ".join(differing.values())
        raise BaselineError(f"{variant!r} cannot be compared with its anchor: {told}; {_REMEDY}")
    for (name, _), decision in keeper.since_anchor.items():
        if name != variant or decision.own != "fail" or decision.change is None:
            continue
        broken = decision.degenerate
        told = (
            f"lost {-decision.change.difference:.1f} points of {decision.rate} since its anchor, "
            f"margin {decision.margin:g}"
            if broken is None
            else f"has {broken.after} degenerate responses of {broken.total} on {decision.axis}"
        )
        raise BaselineError(f"{variant!r} {told}; {_REMEDY}")


def _rows(study: Study, cases: Iterable[Case], axis: str, kept: Baseline | None) -> dict[str, Row]:
    anchors = {} if kept is None else kept.cases[axis]
    wordy = study.profile.gate.responses
    return {
        case.prompt.id: Row(
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


def _probe(study: Study) -> tuple[Probe, ...]:
    """Null answers to the first prompts of every axis: what null policies say, scored anyway."""
    asked = [
        (prompt, answer(kind, prompt.text))
        for prompts in study.prompts.values()
        for prompt in sorted(prompts, key=lambda prompt: prompt.id)[:PROBES]
        for kind in ("refuse", "other")
    ]
    scores = study.scores_of([(p.text, text) for p, text in asked], "probe set")
    if scores is None:
        return ()
    axes = study.profile.axes
    return tuple(
        Probe(prompt=p.id, response=text, score=score.values[axes[p.axis].dimension])
        for (p, text), score in zip(asked, scores, strict=True)
        if score.unscored is None
    )


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


def text_of(keeper: Gatekeeper, variant: str, reason: str | None) -> str:
    """The text of the baseline that a run would leave. Raises BaselineError as `accepted` does."""
    return dumps(accepted(keeper, variant, reason))
