"""What people's labels say of a comparison: the corrected change, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from alignment.analysis.corrected import LabelledPair, corrected_change
from alignment.analysis.decision_rule import GateRule
from alignment.analysis.label_sampling import stratum_of
from alignment.analysis.stratified import LEAST, Stratum
from alignment.gating.gated_run import GatedRun
from alignment.labels.book import LabelBook
from alignment.labels.sample import ComparisonSample
from alignment.records.corrections import CorrectedChange
from alignment.records.decisions import PairedVerdict
from alignment.records.labels import item_id

MOST_UNRESOLVED = 0.2
"""The largest share of drawn prompts on which people may be unsure or disagree."""

IDENTICAL: Stratum = ("identical",)
"""The stratum of prompts whose answers are identical: people cannot judge them differently."""


@dataclass(frozen=True)
class AnsweredPair:
    """A pair of verdicts with its prompt's text and both answers (None where not stored)."""

    axis: str
    pair: PairedVerdict
    text: str
    before: str | None
    after: str | None

    @cached_property
    def items(self) -> tuple[str, str]:
        """The ids of both answers; that of an answer which is not stored belongs to no label."""
        before, after = (
            "" if text is None else item_id(self.axis, self.text, text)
            for text in (self.before, self.after)
        )
        return before, after


@dataclass(frozen=True, slots=True)
class Correction:
    """A corrected change, or (`change` is None) a sentence on why there is none.

    The sentence is empty where there are no labels at all.
    """

    change: CorrectedChange | None = None
    reason: str = ""


def corrected(run: GatedRun, variant: str, axis: str, pairs: Sequence[PairedVerdict]) -> Correction:
    """The corrected change of a variant of a run on an axis; `pairs` has the judge's verdicts."""
    if not run.labels.verdicts and not run.labels.declared:
        return Correction()
    texts = {prompt.id: prompt.text for prompt in run.prompts(variant, axis)}
    before, after = run.answers_before(variant), run.answers(variant)
    answered = [
        AnsweredPair(
            axis,
            pair,
            texts[pair.prompt],
            before.get((axis, pair.prompt)),
            after.get((axis, pair.prompt)),
        )
        for pair in pairs
    ]
    return correct(run.labels, axis, answered, run.rules[axis])


def correct(
    book: LabelBook, axis: str, answered: Sequence[AnsweredPair], rule: GateRule
) -> Correction:
    """The corrected change of one comparison on one axis."""
    if not any(item in book.verdicts for each in answered for item in each.items):
        reason = f"none of the {len(book.verdicts)} answers that have labels is compared on {axis}"
        return Correction(reason=reason if book.declared else "")
    if any(each.before is None or each.after is None for each in answered):
        return Correction(
            reason="the answers before are not stored, so that their labels cannot be found; "
            "accept a run with --alignment-set gate.responses=true"
        )
    labels = {each.pair.prompt: _labels(book, each) for each in answered}
    asked = {each.pair.prompt for each in answered if _asked(book, each)}
    strata, drawn, reason = _sample(book, axis, answered, asked)
    if strata is None:
        return Correction(reason=reason)
    unresolved = sum(None in labels[id_] for id_ in drawn & asked)
    if unresolved > MOST_UNRESOLVED * len(drawn & asked):
        return Correction(
            reason=f"people were unsure or disagreed on {unresolved} of {len(drawn & asked)} "
            f"prompts of {axis}; ask further people"
        )
    pairs = [
        LabelledPair(
            each.pair.cluster,
            IDENTICAL if each.before == each.after else strata[each.pair.prompt],
            each.pair.before,
            each.pair.after,
            *(labels[each.pair.prompt] if each.pair.prompt in drawn else (None, None)),
            identical=each.before == each.after,
        )
        for each in answered
    ]
    change = corrected_change(rule.rate, pairs, rule.confidence)
    if change is None:
        return Correction(
            reason=f"only {sum(pair.labelled for pair in pairs)} prompts of {axis} have labels; at "
            f"least {LEAST} are required"
        )
    return Correction(replace(change, unresolved=unresolved))


def _sample(
    book: LabelBook, axis: str, answered: Sequence[AnsweredPair], asked: set[str]
) -> tuple[Mapping[str, Stratum] | None, set[str], str]:
    """(stratum of every prompt, the prompts whose labels count, why there is no sample).

    The labels of a sample count if people were asked about every drawn prompt, or, where a task is
    not finished, about a random part of it. Without a sample, labels count where every prompt has
    them, or where the profile says that they were given at random.
    """
    by_verdict = {
        each.pair.prompt: stratum_of(each.pair.before, each.pair.after) for each in answered
    }
    identical = {each.pair.prompt for each in answered if each.before == each.after}
    usable = [
        (sample, drawn)
        for task in book.samples
        for sample in task.comparisons
        if sample.axis == axis
        and by_verdict.keys() <= sample.strata.keys()
        and (drawn := _drawn(sample, answered, asked | identical)) is not None
    ]
    if usable:
        sample, drawn = max(usable, key=lambda each: len(each[1] & asked))
        if drawn & asked:
            strata: dict[str, Stratum] = {id_: (sample.strata[id_],) for id_ in by_verdict}
            return strata, (drawn & asked) | identical, ""
    if asked | identical == by_verdict.keys() or book.random:
        return by_verdict, asked | identical, ""
    reason = (
        f"{len(asked)} of {len(by_verdict)} prompts of {axis} have labels, and no sample says that "
        f"they were drawn at random for these answers; label a sample of `annotate`, or set "
        f"labels.random=true if they were"
    )
    return None, set(), reason


def _drawn(
    sample: ComparisonSample, answered: Sequence[AnsweredPair], known: set[str]
) -> set[str] | None:
    """The drawn prompts of a sample; None if people were not asked about some of these answers.

    A sample that was drawn for other answers serves if all of these answers are `known`. Otherwise
    those that happen to be known (because they did not change, say) would stand for the others.
    """
    drawn = set()
    for each in answered:
        items = sample.drawn.get(each.pair.prompt)
        if items is None:
            continue
        if each.pair.prompt not in known and items != each.items:
            return None
        drawn.add(each.pair.prompt)
    return drawn


def _labels(book: LabelBook, each: AnsweredPair) -> tuple[bool | None, bool | None]:
    before, after = each.items
    return book.verdicts.get(before), book.verdicts.get(after)


def _asked(book: LabelBook, each: AnsweredPair) -> bool:
    return all(item in book.verdicts for item in each.items)
