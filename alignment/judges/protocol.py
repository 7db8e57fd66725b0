"""The interface of an opened judge."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from alignment.records import Score


class Judge(Protocol):
    """What scores (prompt, response)."""

    identity: str
    """A hash of everything that its scores depend on apart from the texts."""

    def score(
        self, pairs: Sequence[tuple[str, str]], needed: Collection[int]
    ) -> Iterator[dict[int, Score]]:
        """Score (prompt, response) texts: one mapping (index -> score) per computed batch.

        Batches are cut from all `pairs`, and those without a `needed` index are skipped.
        """
        ...

    def close(self) -> None:
        """Free its memory or connections: only one large model is in memory at a time."""
        ...
