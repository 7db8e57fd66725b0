"""A policy of somebody else's in Python: a class or function that a profile names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from alignment.config.tables import Settings
from alignment.errors import ModelError
from alignment.policies.kind import PolicyKind
from alignment.policies.plugged import Asked, PluggedKind
from alignment.policies.protocol import Policy
from alignment.records import Response
from alignment.runtime.plugins import POLICIES, Plugin
from alignment.store import content_key

VERSION = 1
"""Raise it when the same code would be asked, or its answer be read, otherwise."""


class Kind(PluggedKind, PolicyKind):
    """A variant with `python`."""

    group, method = POLICIES, "respond"

    def identity(self) -> str:
        """What it says itself, its name and its arguments."""
        plugin = self.plugin
        return content_key("python", VERSION, plugin.spec, plugin.identity, plugin.arguments)

    def open(self) -> Policy:
        """Build it."""
        return PythonPolicy(self.plugin, self.identity())

    def named(self) -> tuple[str, Settings, str]:
        """As the variant says."""
        assert self.config.python is not None  # noqa: S101 - that is what this kind is
        return self.config.python, self.config.arguments, self.where


class PythonPolicy:
    """Answers prompts with somebody else's code. See `alignment.policies.protocol.Policy`."""

    def __init__(self, plugin: Plugin, identity: str) -> None:
        self.identity = identity
        self._asked = Asked(plugin, ModelError, "answers to", "prompts")

    def respond(
        self, asked: Sequence[tuple[str, int]], needed: Collection[int]
    ) -> Iterator[dict[int, Response]]:
        """Ask what is needed, in batches. Raises ModelError with one line."""
        texts = [text for text, _ in asked]
        yield from self._asked.batches(texts, needed, str, self._response)

    def _response(self, answer: object, prompt: str) -> Response:
        if isinstance(answer, Response):
            return answer
        if answer is None:
            return Response("", "eos", missing="the policy gave none")
        if not isinstance(answer, str):
            kind = type(answer).__name__
            what = f"gave a {kind}; a text is required, or None for no answer"
            raise self._asked.error(what, prompt)
        try:
            answer.encode()
        except UnicodeEncodeError:
            what = "gave a text with lone surrogates, which is no Unicode"
            raise self._asked.error(what, prompt) from None
        return Response(answer, "eos")

    def close(self) -> None:
        """Have it free what it holds."""
        self._asked.close()
