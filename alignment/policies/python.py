"""A policy of somebody else's in Python: a class or function that a profile names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from alignment.errors import AlignmentError, ModelError
from alignment.policies.kind import PolicyKind
from alignment.policies.protocol import Policy
from alignment.prompts.transcripts import shown
from alignment.records import Response
from alignment.runtime.plugins import POLICIES, Plugin, said_by
from alignment.store import content_key

VERSION = 1
"""Raise it when the same code would be asked, or its answer be read, otherwise."""

BATCH = 32
"""Prompts that it is given at once."""


class Kind(PolicyKind):
    """A variant with `python`."""

    def check(self) -> None:
        """Import it, and see that it says its identity."""
        _ = self._plugin.identity

    def identity(self) -> str:
        """What it says itself, its name and its arguments."""
        plugin = self._plugin
        return content_key("python", VERSION, plugin.spec, plugin.identity, plugin.arguments)

    def open(self) -> Policy:
        """Build it."""
        return PythonPolicy(self._plugin, self.identity())

    def description(self, *, failed: bool) -> dict[str, Any]:
        """Its name, and what it says its answers depend on."""
        identity = None if failed else self._plugin.identity
        return {"python": self._plugin.spec, "identity": identity}

    @cached_property
    def _plugin(self) -> Plugin:
        assert self.config.python is not None  # noqa: S101 - that is what this kind is
        return Plugin(
            self.config.python,
            self.config.arguments,
            self.where,
            POLICIES,
            "respond",
            Path(self.context.profile.data),
        )


class PythonPolicy:
    """Answers prompts with somebody else's code. See `alignment.policies.protocol.Policy`."""

    def __init__(self, plugin: Plugin, identity: str) -> None:
        self.identity = identity
        self._plugin = plugin
        self._call = plugin.call

    def respond(
        self, asked: Sequence[tuple[str, int]], needed: Collection[int]
    ) -> Iterator[dict[int, Response]]:
        """Ask what is needed, `BATCH` prompts at a time. Raises ModelError with one line."""
        order = sorted(needed)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            texts = [asked[i][0] for i in batch]
            yield dict(zip(batch, self._respond(texts), strict=True))

    def _respond(self, texts: Sequence[str]) -> list[Response]:
        try:
            answers = list(self._call(list(texts)))
        except AlignmentError:
            raise
        except Exception as error:
            raise self._error(f"raised {said_by(error)}", texts) from error
        if len(answers) != len(texts):
            raise self._error(f"gave {len(answers)} answers to {len(texts)} prompts", texts)
        return [self._response(answer, text) for answer, text in zip(answers, texts, strict=True)]

    def _response(self, answer: object, text: str) -> Response:
        if isinstance(answer, Response):
            return answer
        if answer is None:
            return Response("", "eos", missing="the policy gave none")
        if not isinstance(answer, str):
            kind = type(answer).__name__
            raise self._error(f"gave a {kind}; a text is required, or None for no answer", [text])
        try:
            answer.encode()
        except UnicodeEncodeError:
            raise self._error(
                "gave a text with lone surrogates, which is no Unicode", [text]
            ) from None
        return Response(answer, "eos")

    def _error(self, what: str, texts: Sequence[str]) -> ModelError:
        first = shown(texts[0].rsplit("Human:", 1)[-1].strip())
        more = f" and {len(texts) - 1} more" if len(texts) > 1 else ""
        return ModelError(
            f"{self._plugin.where}.python: {self._plugin.spec} {what} (prompt {first}{more})"
        )

    def close(self) -> None:
        """Have it free what it holds."""
        self._plugin.close()
