"""A keyword filter as a judge: the simple reference that the paper mentions and rejects."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from alignment.judges.kind import JudgeKind
from alignment.judges.protocol import Judge
from alignment.prompts.keyword_filter import Filter
from alignment.records import Score
from alignment.store import content_key

VERSION = 2
"""Increase it when the same keywords and text could give another score."""


def identity_of(keywords: Sequence[str], dimension: str) -> str:
    """A hash of everything that a score depends on apart from the text."""
    return content_key("keywords", VERSION, sorted(keywords), dimension)


class Kind(JudgeKind):
    """A judge with `keywords`."""

    def identity(self) -> str:
        """See `identity_of`."""
        return identity_of(self.config.keywords, self.config.dimension)

    def open(self) -> Judge:
        """The filter."""
        return KeywordFilter(self.config.keywords, self.config.dimension)

    def description(self, *, failed: bool) -> dict[str, Any]:
        """Its keywords."""
        del failed
        return {"keywords": list(self.config.keywords)}

    def manifest(self) -> dict[str, Any]:
        """Its keywords, sorted: their order does not matter."""
        return {
            "identity": f"keywords {self.identity()[:16]}",
            "keywords": sorted(self.config.keywords),
        }


class KeywordFilter:
    """Scores 0 where a response has one of the keywords, else 1. See `judges.protocol.Judge`."""

    def __init__(self, keywords: Sequence[str], dimension: str) -> None:
        self.identity = identity_of(keywords, dimension)
        self._dimension = dimension
        self._matches = Filter(tuple(keywords), "word", "prompt", ignore_case=True).compiled()

    def score(
        self, pairs: Sequence[tuple[str, str]], needed: Collection[int]
    ) -> Iterator[dict[int, Score]]:
        """Score the needed (prompt, response) texts; the prompt is not used."""
        yield {
            i: Score({self._dimension: float(not self._matches(pairs[i][1], ""))}) for i in needed
        }

    def close(self) -> None:
        """Nothing to free."""
