"""A served language model as a judge: asked by a rubric, answers with numbers in strict JSON."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
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
"""Increase it when requests are built, or their replies are read, in another way."""


def identity_of(endpoint: JudgeEndpoint, revision: str | None) -> str:
    """A hash of everything known that a score depends on apart from the texts."""
    settings, dimensions = asked_of(endpoint, revision), list(endpoint.rubric)
    return content_key("llm", VERSION, endpoint.url.rstrip("/"), endpoint.api, settings, dimensions)


def asked_of(endpoint: JudgeEndpoint, revision: str | None) -> dict[str, Any]:
    """The settings that make two such judges equal, whatever their URLs."""
    settings: dict[str, Any] = {
        "model": endpoint.model,
        "revision": revision,
        "rubric": dict(endpoint.rubric),
        "scale": list(endpoint.scale),
        "repeats": endpoint.repeats,
        "max_tokens": endpoint.max_tokens,
    }
    if endpoint.thinking != "unscored":
        settings["thinking"] = endpoint.thinking
    return settings


class Kind(JudgeKind):
    """A judge with `endpoint`."""

    def check(self) -> None:
        """Check that the client is installed and that the API key is set. Raises AlignmentError."""
        check_client(self._endpoint)
        key_of(self._endpoint)

    def identity(self) -> str:
        """See `identity_of`."""
        return identity_of(self._endpoint, self.config.revision)

    def open(self) -> Judge:
        """A client for the server."""
        return LLMJudge(self._endpoint, self.config.revision, self.context.store)

    def description(self, *, failed: bool) -> dict[str, Any]:
        """Its URL, model name and revision, and what the servers reported with their answers."""
        del failed
        return describe_served(
            self._endpoint, self.config.revision, self.context.store, self.identity()
        )

    def manifest(self) -> dict[str, Any]:
        """Its model name and settings (see `asked_of`), without the URL, which may change."""
        settings = asked_of(self._endpoint, self.config.revision)
        return {"identity": f"endpoint {content_key(settings)[:16]}", **settings}

    @property
    def _endpoint(self) -> JudgeEndpoint:
        assert self.config.endpoint is not None  # noqa: S101 - true of this kind
        return self.config.endpoint


@dataclass(slots=True)
class _Answer:
    """The answer to one question: values, or the reason for none; and all replies to it."""

    values: Mapping[str, Any] | None = None
    reason: str = ""
    replies: list[Reply] = field(default_factory=list)


class LLMJudge:
    """Asks a served model for a number per dimension. See `alignment.judges.protocol.Judge`.

    No score depends on other pairs, so each is a batch of its own.
    """

    def __init__(self, endpoint: JudgeEndpoint, revision: str | None, store: Store) -> None:
        self.identity = identity_of(endpoint, revision)
        self._endpoint = endpoint
        self._served = ServedIdentities(store, self.identity, endpoint)
        self._server = Server(endpoint)
        self._structured = True
        """Whether requests have a `response_format`; False once the server has refused it."""

    def score(
        self, pairs: Sequence[tuple[str, str]], needed: Collection[int]
    ) -> Iterator[dict[int, Score]]:
        """Score the needed (prompt, response) texts, `endpoint.concurrency` at once."""
        for judged in self._server.each(lambda i: self._answers(*pairs[i]), sorted(needed)):
            self._note(each for answers in judged.values() for each in answers)
            yield {i: _score(answers) for i, answers in judged.items()}

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def _note(self, answers: Iterable[_Answer]) -> None:
        for answer in answers:
            for reply in answer.replies:
                self._served.note(reply)

    def _answers(self, prompt: str, response: str) -> list[_Answer]:
        """The answers of all repeats for one pair."""
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
        repeat: int,
    ) -> _Answer:
        """Ask until a reply is well formed, with at most `retries` further attempts."""
        answer, attempts = _Answer(), self._endpoint.retries + 1
        for attempt in range(attempts):
            reply = self._reply(question, schema, seed=repeat * attempts + attempt)
            answer.replies.append(reply)
            try:
                answer.values = read(self._judgement(reply))
            except (Malformed, NoAnswer) as error:
                answer.reason = f"no score in {attempt + 1} answers of the judge, last: {error}"
            else:
                return answer
        return answer

    def _judgement(self, reply: Reply) -> str:
        """The judgement in a reply, without its thinking. Raises Malformed and NoAnswer."""
        if reply.missing is not None:
            raise Malformed(f"no answer: {reply.missing}")
        return answer_of(reply.text, self._endpoint.thinking, "judge.endpoint.thinking")

    def _reply(self, question: list[Message], schema: Mapping[str, Any], seed: int) -> Reply:
        settings = {"temperature": 0.0, "seed": seed, "max_tokens": self._endpoint.max_tokens}
        chat = self._endpoint.api == "chat"
        prompt = question if chat else rubrics.flat(question)
        if chat and self._structured:
            try:
                return self._server.ask(prompt, response_format=schema, **settings)
            except RefusedError:  # if for another reason, the plain request fails too
                reply = self._server.ask(prompt, **settings)
                self._structured = False
                return reply
        return self._server.ask(prompt, **settings)


def _score(answers: Sequence[_Answer]) -> Score:
    """The mean of the repeats with a score; unscored, not 0, if there are none."""
    scored = [each.values for each in answers if each.values is not None]
    if not scored:
        return Score({}, answers[-1].reason)
    values = {name: sum(each[name] for each in scored) / len(scored) for name in scored[0]}
    return Score(values, repeats=tuple(scored) if len(answers) > 1 else ())
