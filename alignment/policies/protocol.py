"""The interface of an opened policy."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from alignment.records import Response


class Policy(Protocol):
    """What answers prompts."""

    identity: str
    """A hash of everything that its answers depend on apart from the prompt."""

    def respond(
        self, prompts: Sequence[tuple[str, int]], needed: Collection[int]
    ) -> Iterator[dict[int, Response]]:
        """Answer (prompt text, sample number) items: one mapping (index -> response) per batch.

        Batches are cut from all `prompts`, and those without a `needed` index are skipped: which
        prompts are answered together never depends on which answers are missing.
        """
        ...

    def close(self) -> None:
        """Free its memory or connections: only one large model is in memory at a time."""
        ...
