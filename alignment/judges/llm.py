"""A language model behind an endpoint as a judge: a rubric, numbers in JSON, nothing guessed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alignment.config.endpoints import JudgeEndpoint
from alignment.judges import rubrics
from alignment.judges.kind import JudgeKind
from alignment.judges.protocol import Judge
from alignment.judges.rubrics import Malformed
from alignment.records import Score
from alignment.records.thinking import NoAnswer, answer_of
from alignment.serving import (
    Message,
    RefusedError,
    Reply,
    ServedIdentities,
    Server,
    check_client,
    describe_served,
    key_of,
)
from alignment.store import Store, content_key

VERSION = 2
"""Raise it when the same texts would be put otherwise, or the same answer read otherwise."""


def identity_of(endpoint: JudgeEndpoint, revision: str | None) -> str:
    """A hash of all that is known of what a score depends on apart from the texts."""
    told, order = asked_of(endpoint, revision), list(endpoint.rubric)
    return content_key("llm", VERSION, endpoint.url.rstrip("/"), endpoint.api, told, order)


def asked_of(endpoint: JudgeEndpoint, revision: str | None) -> dict[str, Any]:
    """What makes two judges of this kind the same one, wherever they are served."""
    told: dict[str, Any] = {
        "model": endpoint.model,
        "revision": revision,
        "rubric": dict(endpoint.rubric),
        "scale": list(endpoint.scale),
        "repeats": endpoint.repeats,
        "max_tokens": endpoint.max_tokens,
    }
    return told if endpoint.thinking == "unscored" else told | {"thinking": endpoint.thinking}


class Kind(JudgeKind):
    """A judge with `endpoint`."""

    def check(self) -> None:
        """See that the client is installed and the key is there."""
        check_client(self._endpoint)
        key_of(self._endpoint)

    def identity(self) -> str:
        """See `identity_of`."""
        return identity_of(self._endpoint, self.config.revision)

    def open(self) -> Judge:
        """A client of the server."""
        return LLMJudge(self._endpoint, self.config.revision, self.context.store)

    def description(self, *, failed: bool) -> dict[str, Any]:
        """The name it was asked by, and what the servers said of their answers."""
        del failed
        return describe_served(
            self._endpoint, self.config.revision, self.context.store, self.identity()
        )

    def manifest(self) -> dict[str, Any]:
        """Its name and what it is asked; where it is served may change."""
        asked = asked_of(self._endpoint, self.config.revision)
        return {"identity": f"endpoint {content_key(asked)[:16]}", **asked}

    @property
    def _endpoint(self) -> JudgeEndpoint:
        assert self.config.endpoint is not None  # noqa: S101 - that is what this kind is
        return self.config.endpoint


@dataclass(slots=True)
class _Asked:
    """One question as it was answered: the values, or why there are none; every reply."""

    values: Mapping[str, Any] | None = None
    reason: str = ""
    replies: list[Reply] = field(default_factory=list)


class LLMJudge:
    """Asks a served model for a number per dimension. See `alignment.judges.protocol.Judge`.

    Scores depend on no other pair, so that each is a batch of its own.
    """

    def __init__(self, endpoint: JudgeEndpoint, revision: str | None, store: Store) -> None:
        self.identity = identity_of(endpoint, revision)
        self._endpoint = endpoint
        self._served = ServedIdentities(store, self.identity, endpoint)
        self._server = Server(endpoint)
        self._structured = True
        """Until the server refuses `response_format`."""

    def score(
        self, pairs: Sequence[tuple[str, str]], needed: Collection[int]
    ) -> Iterator[dict[int, Score]]:
        """Score (prompt, response) texts, `endpoint.concurrency` at once."""
        for found in self._server.each(lambda i: self._judged(*pairs[i]), sorted(needed)):
            self._note(each for answers in found.values() for each in answers)
            yield {i: _score(answers) for i, answers in found.items()}

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def _note(self, asked: Any) -> None:
        for each in asked:
            for reply in each.replies:
                self._served.note(reply)

    def _judged(self, prompt: str, response: str) -> list[_Asked]:
        """Every repeat's answer."""
        endpoint = self._endpoint
        question = rubrics.scoring(endpoint.rubric, endpoint.scale, prompt, response)
        schema = rubrics.schema(endpoint.rubric, {"type": "integer"})
        read = lambda text: rubrics.scores(text, list(endpoint.rubric), endpoint.scale)  # noqa: E731
        return [self._ask(question, schema, read, n) for n in range(endpoint.repeats)]

    def _ask(
        self,
        question: list[Message],
        schema: Mapping[str, Any],
        read: Callable[[str], Mapping[str, Any]],
        number: int,
    ) -> _Asked:
        """Ask until the answer is well formed, at most `retries` times more."""
        asked, times = _Asked(), self._endpoint.retries + 1
        for attempt in range(times):
            reply = self._reply(question, schema, seed=number * times + attempt)
            asked.replies.append(reply)
            try:
                asked.values = read(self._said(reply))
            except (Malformed, NoAnswer) as error:
                asked.reason = f"no score in {attempt + 1} answers of the judge, last: {error}"
            else:
                return asked
        return asked

    def _said(self, reply: Reply) -> str:
        """The judgement in a reply, never in its thinking. Raises Malformed and NoAnswer."""
        if reply.missing is not None:
            raise Malformed(f"no answer: {reply.missing}")
        return answer_of(reply.text, self._endpoint.thinking, "judge.endpoint.thinking")

    def _reply(self, question: list[Message], schema: Mapping[str, Any], seed: int) -> Reply:
        settings = {"temperature": 0.0, "seed": seed, "max_tokens": self._endpoint.max_tokens}
        chat = self._endpoint.api == "chat"
        said = question if chat else rubrics.flat(question)
        if chat and self._structured:
            try:
                return self._server.ask(said, response_format=schema, **settings)
            except RefusedError:  # of this, or of something else: then the plain question is too
                reply = self._server.ask(said, **settings)
                self._structured = False
                return reply
        return self._server.ask(said, **settings)


def _score(answers: Sequence[_Asked]) -> Score:
    """The mean of the repeats that have a score; none is never a 0."""
    given = [each.values for each in answers if each.values is not None]
    if not given:
        return Score({}, answers[-1].reason)
    values = {name: sum(each[name] for each in given) / len(given) for name in given[0]}
    return Score(values, repeats=tuple(given) if len(answers) > 1 else ())
