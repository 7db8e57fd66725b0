"""A judge of somebody else's in Python: a class or function that a profile names."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

from alignment.config.tables import Settings
from alignment.errors import JudgeError
from alignment.judges.kind import JudgeKind
from alignment.judges.protocol import Judge
from alignment.policies.plugged import Asked, PluggedKind
from alignment.records import Score
from alignment.runtime.plugins import JUDGES, Plugin
from alignment.store import content_key

VERSION = 1
"""Raise it when the same code would be asked, or its score be read, otherwise."""


class Kind(PluggedKind, JudgeKind):
    """A judge with `python`."""

    group, method = JUDGES, "score"

    def identity(self) -> str:
        """What it says itself, its name, its arguments and its dimensions."""
        plugin = self.plugin
        return content_key(
            *("python", VERSION, plugin.spec, plugin.identity, plugin.arguments),
            list(self.config.dimensions),
        )

    def open(self) -> Judge:
        """Build it."""
        return PythonJudge(self.plugin, self.identity(), list(self.config.dimensions))

    def manifest(self) -> dict[str, Any]:
        """Its name, its arguments, and what it says its scores depend on."""
        return {
            "identity": f"python {self.identity()[:16]}",
            "python": self.plugin.spec,
            "arguments": dict(self.plugin.arguments),
            "says": self.plugin.identity,
        }

    def named(self) -> tuple[str, Settings, str]:
        """As the judge says."""
        assert self.config.python is not None  # noqa: S101 - that is what this kind is
        return self.config.python, self.config.arguments, self.name


class PythonJudge:
    """Scores responses with somebody else's code. See `alignment.judges.protocol.Judge`."""

    def __init__(self, plugin: Plugin, identity: str, dimensions: Sequence[str]) -> None:
        self.identity = identity
        self._asked = Asked(plugin, JudgeError, "scores for", "responses")
        self._dimensions = dimensions

    def score(
        self, pairs: Sequence[tuple[str, str]], needed: Collection[int]
    ) -> Iterator[dict[int, Score]]:
        """Score what is needed, in batches. Raises JudgeError with one line."""
        yield from self._asked.batches(pairs, needed, lambda pair: pair[0], self._score)

    def _score(self, value: object, prompt: str) -> Score:
        if value is None:
            return Score({}, "the judge gave none")
        by_name = value if isinstance(value, Mapping) else None
        if by_name is None:
            if len(self._dimensions) > 1:
                named = ", ".join(self._dimensions)
                what = f"gave one number; a mapping of {named} is required"
                raise self._asked.error(what, prompt)
            by_name = {self._dimensions[0]: value}
        return Score({name: self._number(by_name, name, prompt) for name in self._dimensions})

    def _number(self, values: Mapping[Any, Any], name: str, prompt: str) -> float:
        if name not in values:
            raise self._asked.error(f"gave no {name!r} among its scores", prompt)
        value = values[name]
        if isinstance(value, bool) or not isinstance(value, Real):
            kind = type(value).__name__
            raise self._asked.error(f"gave a {kind} as {name!r}; a number is required", prompt)
        number = float(value)
        if not math.isfinite(number):
            what = f"gave {number} as {name!r}; a finite number is required"
            raise self._asked.error(what, prompt)
        return number

    def close(self) -> None:
        """Have it free what it holds."""
        self._asked.close()
