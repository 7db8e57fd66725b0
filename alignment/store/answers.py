"""Responses and scores in the store: their keys and their values."""

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
    """The store key of a response: a hash of the policy's identity, the prompt and the sample."""
    return content_key(policy, prompt.text, *([prompt.sample] if prompt.sample else []))


def score_key(judge: str, pair: tuple[str, str]) -> str:
    """The store key of a score: a hash of the judge's identity, the prompt and the response."""
    return content_key(judge, *pair)


def stored_responses(store: Store, policy: str, prompts: Sequence[Prompt]) -> dict[str, Response]:
    """Prompt id -> response of the policy with this identity; what is not stored is left out."""
    keys = {prompt.id: response_key(policy, prompt) for prompt in prompts}
    values = store.get(RESPONSE, keys.values())
    return {id_: Response(**values[key]) for id_, key in keys.items() if key in values}


def stored_scores(
    store: Store, keys: Collection[str], dimensions: Collection[str]
) -> dict[str, Score]:
    """Key -> score; what is not stored is left out.

    A score without one of the judge's `dimensions` is set aside as damaged.
    """
    scores = {key: _read_score(value) for key, value in store.get(SCORE, keys).items()}
    needed = set(dimensions)
    damaged = [k for k, s in scores.items() if s.unscored is None and not needed <= s.values.keys()]
    if damaged:
        store.forget(SCORE, damaged, "not of the judge's dimensions")
    return {key: score for key, score in scores.items() if key not in damaged}


def plain_score(score: Score) -> dict[str, Any]:
    """The JSON value of a score in the store."""
    if score.unscored is not None:
        return {UNSCORED: score.unscored}
    repeats = [dict(each) for each in score.repeats]
    return dict(score.values) | ({REPEATS: repeats} if repeats else {})


def _read_score(record: Mapping[str, Any]) -> Score:
    if UNSCORED in record:
        return Score({}, record[UNSCORED])
    values = {name: value for name, value in record.items() if name != REPEATS}
    return Score(values, repeats=tuple(record.get(REPEATS, ())))
