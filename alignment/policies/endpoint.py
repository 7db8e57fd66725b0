"""A model that is served elsewhere as a policy: asked through an OpenAI-compatible API."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from alignment.config.endpoints import Endpoint
from alignment.config.schema import Generation
from alignment.policies.kind import PolicyKind
from alignment.policies.protocol import Policy
from alignment.prompts.templates import opened
from alignment.prompts.transcripts import messages
from alignment.records import HUMAN, Response
from alignment.serving import (
    Reply,
    ServedIdentities,
    Server,
    check_client,
    describe_served,
    key_of,
    served_identities,
)
from alignment.store import Store, content_key

VERSION = 2
"""Raise it when the same question would be asked, or its answer be read, otherwise."""

_HUMAN = f"\n\n{HUMAN}:"


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Who is asked, and how."""

    endpoint: Endpoint
    generation: Generation
    revision: str | None = None
    """The user's own word for what is served there now."""
    seed: int = 0
    """Of sampled answers."""


def identity_of(settings: EndpointSettings) -> str:
    """A hash of all that is known of what an answer depends on, apart from its prompt.

    Nobody here has the weights, so that the address and the name stand for them: keys are content
    everywhere else. What the server says it is comes with its answers (`serving.ServedIdentities`).
    """
    endpoint, generation = settings.endpoint, settings.generation
    sampled = [generation.temperature, generation.top_p, settings.seed]
    return content_key(
        "endpoint",
        VERSION,
        endpoint.url.rstrip("/"),
        endpoint.model,
        settings.revision,
        endpoint.api,
        generation.format,
        generation.max_new_tokens,
        generation.stop_at_human,
        sampled if generation.temperature > 0 else None,
    )


class Kind(PolicyKind):
    """A variant with `endpoint`."""

    def check(self) -> None:
        """See that the client is installed and the key is there."""
        check_client(self._settings.endpoint)
        key_of(self._settings.endpoint)

    def identity(self) -> str:
        """See `identity_of`."""
        return identity_of(self._settings)

    def open(self) -> Policy:
        """A client of the server."""
        return EndpointPolicy(self._settings, self.context.store)

    def description(self, *, failed: bool) -> dict[str, Any]:
        """The name it was asked by, and what the servers said of their answers."""
        del failed
        return describe_served(
            self._settings.endpoint, self.config.revision, self.context.store, self.identity()
        )

    def baseline_model(self) -> dict[str, Any]:
        """The same without the address, which may change."""
        served = served_identities(self.context.store, self.identity())
        return {"endpoint": self._settings.endpoint.model, "served": served}

    @property
    def _settings(self) -> EndpointSettings:
        assert self.config.endpoint is not None  # noqa: S101 - that is what this kind is
        return EndpointSettings(
            endpoint=self.config.endpoint,
            generation=self.context.profile.generation_of(self.variant),
            revision=self.config.revision,
            seed=self.context.profile.seed,
        )


class EndpointPolicy:
    """Answers prompts by asking a server. See `alignment.policies.protocol.Policy`.

    No answer depends on who else is asked, so that each is a batch of its own.
    """

    def __init__(self, settings: EndpointSettings, store: Store) -> None:
        self.identity = identity_of(settings)
        self._settings = settings
        self._served = ServedIdentities(store, self.identity, settings.endpoint)
        self._server = Server(settings.endpoint)

    def respond(
        self, asked: Sequence[tuple[str, int]], needed: Collection[int]
    ) -> Iterator[dict[int, Response]]:
        """Ask what is needed, `endpoint.concurrency` at once; answers come as they are there."""
        for found in self._server.each(lambda i: self._ask(*asked[i]), sorted(needed)):
            for reply in found.values():
                self._served.note(reply)
            yield {i: self._response(reply) for i, reply in found.items()}

    def _ask(self, text: str, sample: int) -> Reply:
        generation, endpoint = self._settings.generation, self._settings.endpoint
        settings: dict[str, Any] = {
            "max_tokens": generation.max_new_tokens,
            "temperature": generation.temperature,
        }
        if generation.temperature > 0:
            settings |= {"top_p": generation.top_p, "seed": self._settings.seed + sample}
        if generation.stop_at_human:
            settings["stop"] = [_HUMAN]
        if endpoint.api == "chat":
            return self._server.ask(messages(text), **settings)
        return self._server.ask(opened(text, generation.format), **settings)

    def _response(self, reply: Reply) -> Response:
        text, stop = reply.text, reply.stop
        if self._settings.generation.stop_at_human:
            text, found, _ = text.partition(_HUMAN)  # some servers give the stop sequence too
            stop = "eos" if found else stop
        return Response(text.strip(), stop, reply.tokens, reply.missing)

    def close(self) -> None:
        """Close the connections."""
        self._server.close()
