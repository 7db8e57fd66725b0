"""A labelling task from a run: which answers people are asked about, and the sample they are from.

The task has the answers of both sides to each drawn prompt, shuffled together; nothing says which
side an answer is from, or what the judge says of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignment.analysis.label_sampling import draw, stratum_of
from alignment.analysis.stratified import Stratum
from alignment.errors import LabelsError
from alignment.gating.baseline_files import load, path_of
from alignment.labels.sample import ComparisonSample, LabelSample, task_id
from alignment.labels.task import LabelTask, question_for
from alignment.records.labels import LabelItem, item_id


@dataclass(frozen=True, slots=True)
class _Answer:
    """One side's answer to a prompt, with the judge's verdict on it."""

    text: str
    passed: bool


def make_task(
    document: Mapping[str, Any], budget: int, seed: int, known: frozenset[str] = frozenset()
) -> tuple[LabelTask | None, LabelSample, int]:
    """The task of a report's gated comparisons: `budget` prompts per variant and axis.

    `known` has the ids of items that have labels: they are not asked about again. Returns the task
    (None if nothing is left to ask), the sample, and how many of its items are known. Raises
    LabelsError, one line, where the report has no comparison whose answers are known.
    """
    comparisons = tuple(_comparisons(document, budget, seed))
    if not comparisons:
        raise LabelsError(
            "the report has no comparison that people could label: the gate did not run, or all "
            "answers are identical; run the suite with a baseline or gate.against=variant:NAME"
        )
    samples = tuple(sample for sample, _ in comparisons)
    sample = LabelSample(task=task_id(samples, seed), seed=seed, comparisons=samples)
    items = {item.id: item for _, items in comparisons for item in items}
    asked = sorted((each for each in items.values() if each.id not in known), key=lambda e: e.id)
    random.Random(f"{seed}/{sample.task}").shuffle(asked)
    questions = tuple(question_for(axis) for axis in dict.fromkeys(item.axis for item in asked))
    task = LabelTask(sample.task, questions, tuple(asked)) if asked else None
    return task, sample, len(items) - len(asked)


def _comparisons(
    document: Mapping[str, Any], budget: int, seed: int
) -> Iterator[tuple[ComparisonSample, list[LabelItem]]]:
    """The sample of each gated comparison, and its items."""
    gate = document["gate"]
    for decision in gate["decisions"] if gate else ():
        variant, axis, against = (decision[key] for key in ("variant", "axis", "against"))
        if decision["change"] is None:
            continue
        after = _answers(document, variant, axis)
        before = _answers_before(document, variant, axis, against)
        texts = {id_: document["prompts"][id_]["text"] for id_ in after}
        shared = [id_ for id_ in after if id_ in before]
        strata: dict[str, Stratum] = {
            id_: stratum_of(before[id_].passed, after[id_].passed) for id_ in shared
        }
        identical = frozenset(id_ for id_ in shared if before[id_].text == after[id_].text)
        drawn = draw(strata, budget, seed, known=identical)
        if not drawn:
            continue
        answers = {id_: (before[id_].text, after[id_].text) for id_ in drawn}
        yield (
            ComparisonSample(
                variant=variant,
                against=against,
                axis=axis,
                strata={id_: _name(stratum) for id_, stratum in strata.items()},
                drawn={
                    id_: (item_id(axis, texts[id_], old), item_id(axis, texts[id_], new))
                    for id_, (old, new) in answers.items()
                },
            ),
            [
                LabelItem.of(axis, texts[id_], text)
                for id_, both in answers.items()
                for text in both
            ],
        )


def _name(stratum: Stratum) -> str:
    """A stratum as a text: `flip/pass` was passed before and is not now, and so on."""
    flipped, before = stratum
    return f"{'flip' if flipped else 'same'}/{'pass' if before else 'fail'}"


def _answers(document: Mapping[str, Any], variant: str, axis: str) -> dict[str, _Answer]:
    return {
        case["prompt"]: _Answer(case["response"], case["passed"])
        for case in document["cases"]
        if (case["variant"], case["axis"]) == (variant, axis) and case["response"] is not None
    }


def _answers_before(
    document: Mapping[str, Any], variant: str, axis: str, against: str
) -> dict[str, _Answer]:
    """The other side's answers: another variant's, or those that the baseline stores."""
    reference = against.removeprefix("variant ")
    if reference != against:
        return _answers(document, reference, axis)
    folder = document["run"].get("baselines")
    baseline = load(path_of(Path(folder), variant)) if folder else None
    if baseline is None:
        where = path_of(Path(folder or "."), variant)
        raise LabelsError(
            f"{where}: the baseline that {variant!r} was compared with is not there; run "
            f"`annotate` where the suite ran"
        )
    answers = {
        id_: _Answer(case.response, case.passed)
        for id_, case in baseline.cases.get(axis, {}).items()
        if case.response is not None
    }
    if not answers:
        raise LabelsError(
            f"{path_of(Path(folder), variant)}: the baseline stores no responses that people could "
            f"label; accept a run with --alignment-set gate.responses=true"
        )
    return answers
