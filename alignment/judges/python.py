"""A user's Python class or function as a judge, named in the profile."""

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
"""Increase it when the code is called, or its scores are read, in another way."""


class Kind(PluggedKind, JudgeKind):
    """A judge with `python`."""

    group, method = JUDGES, "score"

    def identity(self) -> str:
        """A hash of its own identity, its name, its arguments and its dimensions."""
        plugin = self.plugin
        return content_key(
            *("python", VERSION, plugin.spec, plugin.identity, plugin.arguments),
            list(self.config.dimensions),
        )

    def open(self) -> Judge:
        """Build the class, or take the function. Raises ProfileError."""
        return PythonJudge(self.plugin, self.identity(), list(self.config.dimensions))

    def manifest(self) -> dict[str, Any]:
        """Its name, its arguments, and its own identity."""
        return {
            "identity": f"python {self.identity()[:16]}",
            "python": self.plugin.spec,
            "arguments": dict(self.plugin.arguments),
            "says": self.plugin.identity,
        }

    def named(self) -> tuple[str, Settings, str]:
        """As the judge's table says."""
        assert self.config.python is not None  # noqa: S101 - true of this kind
        return self.config.python, self.config.arguments, self.name


class PythonJudge:
    """Scores responses with a plug-in. See `alignment.judges.protocol.Judge`."""

    def __init__(self, plugin: Plugin, identity: str, dimensions: Sequence[str]) -> None:
        self.identity = identity
        self._caller = Asked(plugin, JudgeError, "scores for", "responses")
        self._dimensions = dimensions

    def score(
        self, pairs: Sequence[tuple[str, str]], needed: Collection[int]
    ) -> Iterator[dict[int, Score]]:
        """Score the needed pairs, in batches. Raises JudgeError with one line."""
        yield from self._caller.batches(pairs, needed, lambda pair: pair[0], self._score)

    def _score(self, value: object, prompt: str) -> Score:
        if value is None:
            return Score({}, "the judge gave none")
        by_name = value if isinstance(value, Mapping) else None
        if by_name is None:
            if len(self._dimensions) > 1:
                names = ", ".join(self._dimensions)
                fault = f"gave one number; a mapping of {names} is required"
                raise self._caller.error(fault, prompt)
            by_name = {self._dimensions[0]: value}
        return Score({name: self._number(by_name, name, prompt) for name in self._dimensions})

    def _number(self, values: Mapping[Any, Any], name: str, prompt: str) -> float:
        if name not in values:
            raise self._caller.error(f"gave no {name!r} among its scores", prompt)
        value = values[name]
        if isinstance(value, bool) or not isinstance(value, Real):
            kind = type(value).__name__
            raise self._caller.error(f"gave a {kind} as {name!r}; a number is required", prompt)
        number = float(value)
        if not math.isfinite(number):
            fault = f"gave {number} as {name!r}; a finite number is required"
            raise self._caller.error(fault, prompt)
        return number

    def close(self) -> None:
        """Close the plug-in, if it can be closed."""
        self._caller.close()
