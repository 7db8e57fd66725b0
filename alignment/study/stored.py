"""Cases as they are found: what the store, recorded files and null policies hold of answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

from alignment.analysis import degenerate
from alignment.config.axes import TinySource
from alignment.errors import JudgeError
from alignment.policies.null import null_responses
from alignment.policies.recorded import recorded_rows
from alignment.prompts.recordings import RecordedRow
from alignment.records import Case, Prompt, Response, Score
from alignment.records.thinking import NoAnswer, Thinking, answer_of
from alignment.study import opening
from alignment.study.compute import RESPONSE, answer_key, score_key, stored_scores
from alignment.study.inputs import StudyData
from alignment.tiny import truth
from alignment.training.models import JUDGE, ModelContext


class Missing(NamedTuple):
    """A response without a score, because the judge gave none or there was no answer, and why."""

    prompt: Prompt
    reason: str


class Reader:
    """Reads the cases of one profile; computes nothing."""

    def __init__(self, context: ModelContext, questions: StudyData) -> None:
        self.context = context
        self.profile = context.profile
        self.store = context.store
        self.questions = questions

    def cases(self, variant: str, prompts: Sequence[Prompt]) -> Iterator[Case | Missing]:
        """What is known of a variant's answers to prompts of one axis, in their order.

        One axis at a time: the same words may be asked on several, by one id. Raises JudgeError
        where recorded scores or the criterion's dimension are missing.
        """
        answers = self.responses(variant, prompts)
        if not answers and variant not in self.recorded:
            return
        scores = self._scores(variant, prompts, answers)
        for prompt in prompts:
            answer = answers.get(prompt.id)
            if answer is not None and answer.missing is not None:
                yield Missing(prompt, f"no answer: {answer.missing}")
                continue
            score = scores.get(prompt.id)
            if score is not None and score.unscored is not None:
                yield Missing(prompt, score.unscored)
            elif score is not None:
                yield self._case(variant, prompt, answers.get(prompt.id), score)

    def responses(self, variant: str, prompts: Sequence[Prompt]) -> dict[str, Response]:
        """Prompt id -> response, as far as they are there, without the thinking in them."""
        found = self._responses(variant, prompts)
        # Recorded scores are there, whatever they were given for; null policies do not think.
        if self.profile.judge.recorded or variant in self.nulls:
            return found
        thinking = self.profile.generation_of(variant).thinking
        return {id_: _apart(response, thinking) for id_, response in found.items()}

    def _responses(self, variant: str, prompts: Sequence[Prompt]) -> dict[str, Response]:
        if variant in self.recorded:
            rows = self.recorded[variant]
            found = {p.id: rows[p.axis, p.id].response for p in prompts if (p.axis, p.id) in rows}
            return {
                id_: Response(text, "recorded") for id_, text in found.items() if text is not None
            }
        if variant in self.nulls:
            return {p.id: self.nulls[variant][p.axis, p.id] for p in prompts}
        policy = opening.known_policy(self.context, variant)
        if policy is None:
            return {}
        keys = {p.id: answer_key(policy, p) for p in prompts}
        values = self.store.get(RESPONSE, keys.values())
        return {id_: Response(**values[key]) for id_, key in keys.items() if key in values}

    def _scores(
        self, variant: str, prompts: Sequence[Prompt], answers: Mapping[str, Response]
    ) -> dict[str, Score]:
        """Prompt id -> score, as far as they are there."""
        if self.profile.judge.recorded:
            return self._recorded_scores(variant, prompts)
        judge = opening.known_judge(self.context, JUDGE)
        if judge is None:
            return {}
        keys = {
            p.id: score_key(judge, (p.text, answers[p.id].text))
            for p in prompts
            if p.id in answers and answers[p.id].missing is None
        }
        found = stored_scores(self.store, keys.values(), self.profile.judge.dimensions)
        return {id_: found[key] for id_, key in keys.items() if key in found}

    def _recorded_scores(self, variant: str, prompts: Sequence[Prompt]) -> dict[str, Score]:
        if variant not in self.recorded:
            raise JudgeError(
                f"variant {variant!r} has no recorded scores; name a judge's `model` or `stages`"
            )
        rows = self.recorded[variant]
        scores = {}
        for prompt in prompts:
            row = rows.get((prompt.axis, prompt.id))
            if row is None or row.score is None:
                raise JudgeError(f"variant {variant!r}: prompt {prompt.id} has no recorded score")
            scores[prompt.id] = Score({self.profile.judge.dimension: row.score})
        return scores

    def _case(self, variant: str, prompt: Prompt, answer: Response | None, score: Score) -> Case:
        axis = self.profile.axes[prompt.axis]
        criterion = axis.criterion
        if criterion.dimension not in score.values:
            raise JudgeError(
                f"axes.{prompt.axis}.dimension: the judge gives {', '.join(score.values)}, "
                f"not {criterion.dimension!r}"
            )
        value = score.values[criterion.dimension]
        text = None if answer is None else answer.text
        tiny = isinstance(axis.prompts.origin, TinySource)
        return Case(
            variant=variant,
            prompt=prompt,
            response=answer,
            score=score,
            value=value,
            passed=criterion.met_by(value),
            degenerate=None if text is None else degenerate.kind(prompt.text, text),
            truth=truth(prompt.text, text) if tiny and text is not None else None,
        )

    @cached_property
    def recorded(self) -> dict[str, dict[tuple[str, str], RecordedRow]]:
        """Variant -> (axis, prompt id) -> recorded row, for the variants that are recorded."""
        return self.questions.steadily(lambda: recorded_rows(self.profile, self.questions.prompts))

    @cached_property
    def nulls(self) -> dict[str, dict[tuple[str, str], Response]]:
        """Variant -> (axis, prompt id) -> response, for the variants that are null policies."""
        return null_responses(self.profile, self.questions.prompts)


def _apart(response: Response, thinking: Thinking) -> Response:
    """A response whose text is the answer and nothing else; `missing` where it holds none."""
    if response.missing is not None:
        return response
    try:
        text = answer_of(response.text, thinking, "generation.thinking")
    except NoAnswer as error:
        return replace(response, text="", missing=str(error))
    return replace(response, text=text)
