"""Responses and scores in the store: their keys, and what is kept under them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from alignment.records import Prompt, Response, Score
from alignment.store.content import content_key
from alignment.store.shapes import REPEATS, UNSCORED
from alignment.store.store import Store

RESPONSE, SCORE = "response", "score"
"""Kinds of record in the store."""


def response_key(policy: str, prompt: Prompt) -> str:
    """The store key of a response: the policy's identity, the prompt's text, which sample."""
    return content_key(policy, prompt.text, *([prompt.sample] if prompt.sample else []))


def score_key(judge: str, pair: tuple[str, str]) -> str:
    """The store key of a score: the judge's identity and the two texts."""
    return content_key(judge, *pair)


def stored_responses(store: Store, policy: str, prompts: Sequence[Prompt]) -> dict[str, Response]:
    """Prompt id -> the response of the policy with this identity, as far as the store has it."""
    keys = {prompt.id: response_key(policy, prompt) for prompt in prompts}
    values = store.get(RESPONSE, keys.values())
    return {id_: Response(**values[key]) for id_, key in keys.items() if key in values}


def stored_scores(
    store: Store, keys: Collection[str], dimensions: Collection[str]
) -> dict[str, Score]:
    """The scores that the store holds under these keys. All have the judge's dimensions.

    One that lacks a dimension is set aside as damaged.
    """
    found = {key: _score(kept) for key, kept in store.get(SCORE, keys).items()}
    needed = set(dimensions)
    wrong = [k for k, s in found.items() if s.unscored is None and not needed <= s.values.keys()]
    if wrong:
        store.forget(SCORE, wrong, "not of the judge's dimensions")
    return {key: score for key, score in found.items() if key not in wrong}


def plain_score(score: Score) -> dict[str, Any]:
    """A score as the store keeps it."""
    if score.unscored is not None:
        return {UNSCORED: score.unscored}
    repeats = [dict(each) for each in score.repeats]
    return dict(score.values) | ({REPEATS: repeats} if repeats else {})


def _score(kept: Mapping[str, Any]) -> Score:
    if UNSCORED in kept:
        return Score({}, kept[UNSCORED])
    values = {name: value for name, value in kept.items() if name != REPEATS}
    return Score(values, repeats=tuple(kept.get(REPEATS, ())))
