"""A judge of somebody else's in Python: a class or function that a profile names."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any

from alignment.errors import AlignmentError, JudgeError
from alignment.judges.kind import JudgeKind
from alignment.judges.protocol import Judge
from alignment.prompts.transcripts import shown
from alignment.records import Score
from alignment.runtime.plugins import JUDGES, Plugin, said_by
from alignment.store import content_key

VERSION = 1
"""Raise it when the same code would be asked, or its score be read, otherwise."""

BATCH = 32
"""Pairs that it is given at once."""


class Kind(JudgeKind):
    """A judge with `python`."""

    def check(self) -> None:
        """Import it, and see that it says its identity."""
        _ = self._plugin.identity

    def identity(self) -> str:
        """What it says itself, its name, its arguments and its dimensions."""
        plugin = self._plugin
        return content_key(
            *("python", VERSION, plugin.spec, plugin.identity, plugin.arguments),
            list(self.config.dimensions),
        )

    def open(self) -> Judge:
        """Build it."""
        return PythonJudge(self._plugin, self.identity(), list(self.config.dimensions))

    def description(self, *, failed: bool) -> dict[str, Any]:
        """Its name, and what it says its scores depend on."""
        identity = None if failed else self._plugin.identity
        return {"python": self._plugin.spec, "identity": identity}

    def manifest(self) -> dict[str, Any]:
        """Its name, its arguments, and what it says its scores depend on."""
        return {
            "identity": f"python {self.identity()[:16]}",
            "python": self._plugin.spec,
            "arguments": dict(self._plugin.arguments),
            "says": self._plugin.identity,
        }

    @cached_property
    def _plugin(self) -> Plugin:
        assert self.config.python is not None  # noqa: S101 - that is what this kind is
        return Plugin(
            self.config.python,
            self.config.arguments,
            self.name,
            JUDGES,
            "score",
            Path(self.context.profile.data),
        )


class PythonJudge:
    """Scores responses with somebody else's code. See `alignment.judges.protocol.Judge`."""

    def __init__(self, plugin: Plugin, identity: str, dimensions: Sequence[str]) -> None:
        self.identity = identity
        self._plugin = plugin
        self._call = plugin.call
        self._dimensions = dimensions

    def score(
        self, pairs: Sequence[tuple[str, str]], needed: Collection[int]
    ) -> Iterator[dict[int, Score]]:
        """Score what is needed, `BATCH` pairs at a time. Raises JudgeError with one line."""
        order = sorted(needed)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            yield dict(zip(batch, self._scored([pairs[i] for i in batch]), strict=True))

    def _scored(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        try:
            values = list(self._call(list(pairs)))
        except AlignmentError:
            raise
        except Exception as error:
            raise self._error(f"raised {said_by(error)}", pairs) from error
        if len(values) != len(pairs):
            raise self._error(f"gave {len(values)} scores for {len(pairs)} responses", pairs)
        return [self._score(value, pair) for value, pair in zip(values, pairs, strict=True)]

    def _score(self, value: object, pair: tuple[str, str]) -> Score:
        if value is None:
            return Score({}, "the judge gave none")
        by_name = value if isinstance(value, Mapping) else None
        if by_name is None:
            if len(self._dimensions) > 1:
                named = ", ".join(self._dimensions)
                raise self._error(f"gave one number; a mapping of {named} is required", [pair])
            by_name = {self._dimensions[0]: value}
        return Score({name: self._number(by_name, name, pair) for name in self._dimensions})

    def _number(self, values: Mapping[Any, Any], name: str, pair: tuple[str, str]) -> float:
        if name not in values:
            raise self._error(f"gave no {name!r} among its scores", [pair])
        value = values[name]
        if isinstance(value, bool) or not isinstance(value, Real):
            kind = type(value).__name__
            raise self._error(f"gave a {kind} as {name!r}; a number is required", [pair])
        number = float(value)
        if not math.isfinite(number):
            raise self._error(f"gave {number} as {name!r}; a finite number is required", [pair])
        return number

    def _error(self, what: str, pairs: Sequence[tuple[str, str]]) -> JudgeError:
        first = shown(pairs[0][0].rsplit("Human:", 1)[-1].strip())
        more = f" and {len(pairs) - 1} more" if len(pairs) > 1 else ""
        return JudgeError(
            f"{self._plugin.where}.python: {self._plugin.spec} {what} (prompt {first}{more})"
        )

    def close(self) -> None:
        """Have it free what it holds."""
        self._plugin.close()
