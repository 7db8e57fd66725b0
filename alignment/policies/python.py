"""A user's Python class or function as a policy, named in the profile."""

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
"""Increase it when the code is called, or its answers are read, in another way."""


class Kind(PluggedKind, PolicyKind):
    """A variant with `python`."""

    group, method = POLICIES, "respond"

    def identity(self) -> str:
        """A hash of its own identity, its name and its arguments."""
        plugin = self.plugin
        return content_key("python", VERSION, plugin.spec, plugin.identity, plugin.arguments)

    def open(self) -> Policy:
        """Build the class, or take the function. Raises ProfileError."""
        return PythonPolicy(self.plugin, self.identity())

    def named(self) -> tuple[str, Settings, str]:
        """As the variant's table says."""
        assert self.config.python is not None  # noqa: S101 - true of this kind
        return self.config.python, self.config.arguments, self.where


class PythonPolicy:
    """Answers prompts with a plug-in. See `alignment.policies.protocol.Policy`."""

    def __init__(self, plugin: Plugin, identity: str) -> None:
        self.identity = identity
        self._caller = Asked(plugin, ModelError, "answers to", "prompts")

    def respond(
        self, prompts: Sequence[tuple[str, int]], needed: Collection[int]
    ) -> Iterator[dict[int, Response]]:
        """Answer the needed prompts, in batches. Raises ModelError with one line."""
        texts = [text for text, _ in prompts]
        yield from self._caller.batches(texts, needed, str, self._response)

    def _response(self, answer: object, prompt: str) -> Response:
        if isinstance(answer, Response):
            return answer
        if answer is None:
            return Response("", "eos", missing="the policy gave none")
        if not isinstance(answer, str):
            kind = type(answer).__name__
            fault = f"gave a {kind}; a text is required, or None for no answer"
            raise self._caller.error(fault, prompt)
        try:
            answer.encode()
        except UnicodeEncodeError:
            fault = "gave a text with lone surrogates, which is no Unicode"
            raise self._caller.error(fault, prompt) from None
        return Response(answer, "eos")

    def close(self) -> None:
        """Close the plug-in, if it can be closed."""
        self._caller.close()
