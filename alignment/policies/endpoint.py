"""A served model as a policy, called through an OpenAI-compatible API."""

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
"""Increase it when requests are built, or their replies are read, in another way."""

_HUMAN = f"\n\n{HUMAN}:"


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Which server and model are called, and with what settings."""

    endpoint: Endpoint
    generation: Generation
    revision: str | None = None
    """The user's name for the version that is served there now."""
    seed: int = 0
    """For sampled answers."""


def identity_of(settings: EndpointSettings) -> str:
    """A hash of everything known that an answer depends on, apart from its prompt.

    Served weights cannot be hashed, so URL, model name and `revision` stand for them. What the
    server reports about itself is stored beside its answers (`serving.ServedIdentities`).
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
        """Check that the client is installed and that the API key is set. Raises AlignmentError."""
        check_client(self._settings.endpoint)
        key_of(self._settings.endpoint)

    def identity(self) -> str:
        """See `identity_of`."""
        return identity_of(self._settings)

    def open(self) -> Policy:
        """A client for the server."""
        return EndpointPolicy(self._settings, self.context.store)

    def description(self, *, failed: bool) -> dict[str, Any]:
        """Its URL, model name and revision, and what the servers reported with their answers."""
        del failed
        return describe_served(
            self._settings.endpoint, self.config.revision, self.context.store, self.identity()
        )

    def baseline_model(self) -> dict[str, Any]:
        """The model name and what the servers reported; without the URL, which may change."""
        served = served_identities(self.context.store, self.identity())
        return {"endpoint": self._settings.endpoint.model, "served": served}

    @property
    def _settings(self) -> EndpointSettings:
        assert self.config.endpoint is not None  # noqa: S101 - true of this kind
        return EndpointSettings(
            endpoint=self.config.endpoint,
            generation=self.context.profile.generation_of(self.variant),
            revision=self.config.revision,
            seed=self.context.profile.seed,
        )


class EndpointPolicy:
    """Answers prompts by calling a server. See `alignment.policies.protocol.Policy`.

    No answer depends on other prompts, so each is a batch of its own.
    """

    def __init__(self, settings: EndpointSettings, store: Store) -> None:
        self.identity = identity_of(settings)
        self._settings = settings
        self._served = ServedIdentities(store, self.identity, settings.endpoint)
        self._server = Server(settings.endpoint)

    def respond(
        self, prompts: Sequence[tuple[str, int]], needed: Collection[int]
    ) -> Iterator[dict[int, Response]]:
        """Answer the needed (prompt text, sample number) items, `endpoint.concurrency` at once.

        Yields answers as soon as they arrive. Raises AlignmentError.
        """
        for replies in self._server.each(lambda i: self._ask(*prompts[i]), sorted(needed)):
            for reply in replies.values():
                self._served.note(reply)
            yield {i: self._response(reply) for i, reply in replies.items()}

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
            text, separator, _ = text.partition(_HUMAN)  # some servers return it too
            stop = "eos" if separator else stop
        return Response(text.strip(), stop, reply.tokens, reply.missing)

    def close(self) -> None:
        """Close the connections."""
        self._server.close()
