"""Cases from stored or recorded responses and scores; no policy or judge is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from alignment.analysis import degenerate
from alignment.config.axes import TinySource
from alignment.config.profile import Profile
from alignment.errors import JudgeError
from alignment.judges.kind import JudgeKind
from alignment.policies.kind import PolicyKind
from alignment.records import Case, Prompt, Response, Score
from alignment.records.thinking import NoAnswer, Thinking, answer_of
from alignment.store import Store
from alignment.store.answers import score_key, stored_scores
from alignment.tiny import truth


class Missing(NamedTuple):
    """A prompt whose response has no score, and why: no answer, or none given by the judge."""

    prompt: Prompt
    reason: str


class Reader:
    """Reads the cases of one profile; computes nothing."""

    def __init__(
        self,
        profile: Profile,
        store: Store,
        policy: Callable[[str], PolicyKind],
        judge: JudgeKind,
    ) -> None:
        self._store = store
        self._profile = profile
        self._policy = policy
        self._judge = judge

    def cases(self, variant: str, prompts: Sequence[Prompt]) -> Iterator[Case | Missing]:
        """The cases of a variant for prompts of one axis, in their order, as far as they are there.

        All prompts must be of one axis: ids are unique within an axis only. Raises JudgeError if
        recorded scores or the criterion's dimension are missing.
        """
        policy = self._policy(variant)
        responses = self.responses(variant, prompts)
        if not responses and not policy.has_scores:
            return
        scores = self._judge.recorded_scores(policy, prompts)
        if scores is None:
            scores = self._stored_scores(prompts, responses)
        for prompt in prompts:
            response = responses.get(prompt.id)
            if response is not None and response.missing is not None:
                yield Missing(prompt, f"no answer: {response.missing}")
                continue
            score = scores.get(prompt.id)
            if score is not None and score.unscored is not None:
                yield Missing(prompt, score.unscored)
            elif score is not None:
                yield self._case(variant, prompt, response, score)

    def responses(self, variant: str, prompts: Sequence[Prompt]) -> dict[str, Response]:
        """Prompt id -> response without its thinking, as far as responses are there."""
        policy = self._policy(variant)
        responses = policy.responses(prompts)
        # Recorded scores count whether or not their responses hold thinking.
        if not policy.thinks or not self._judge.asks:
            return responses
        thinking = self._profile.generation_of(variant).thinking
        return {id_: _without_thinking(response, thinking) for id_, response in responses.items()}

    def _stored_scores(
        self, prompts: Sequence[Prompt], responses: Mapping[str, Response]
    ) -> dict[str, Score]:
        """Prompt id -> score of its response, as far as the store has them."""
        identity = self._judge.known_identity()
        if identity is None:
            return {}
        keys = {
            prompt.id: score_key(identity, (prompt.text, responses[prompt.id].text))
            for prompt in prompts
            if prompt.id in responses and responses[prompt.id].missing is None
        }
        stored = stored_scores(self._store, keys.values(), self._judge.dimensions)
        return {id_: stored[key] for id_, key in keys.items() if key in stored}

    def _case(self, variant: str, prompt: Prompt, response: Response | None, score: Score) -> Case:
        axis = self._profile.axes[prompt.axis]
        criterion = axis.criterion
        if criterion.dimension not in score.values:
            raise JudgeError(
                f"axes.{prompt.axis}.dimension: the judge gives {', '.join(score.values)}, "
                f"not {criterion.dimension!r}"
            )
        value = score.values[criterion.dimension]
        text = None if response is None else response.text
        tiny = isinstance(axis.prompts.origin, TinySource)
        return Case(
            variant=variant,
            prompt=prompt,
            response=response,
            score=score,
            value=value,
            passed=criterion.met_by(value),
            degenerate=None if text is None else degenerate.kind(prompt.text, text),
            truth=truth(prompt.text, text) if tiny and text is not None else None,
        )


def _without_thinking(response: Response, thinking: Thinking) -> Response:
    """The response with only the answer for its text; `missing` is set if it holds none."""
    if response.missing is not None:
        return response
    try:
        text = answer_of(response.text, thinking, "generation.thinking")
    except NoAnswer as error:
        return replace(response, text="", missing=str(error))
    return replace(response, text=text)
