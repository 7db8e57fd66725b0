"""What a policy is to the rest of the project."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from alignment.records import Response


class Policy(Protocol):
    """What answers prompts."""

    identity: str
    """A hash of everything but the prompt that its answers depend on."""

    def respond(
        self, asked: Sequence[tuple[str, int]], needed: Collection[int]
    ) -> Iterator[dict[int, Response]]:
        """Answer (prompt text, number of the sample): one mapping (index -> response) per batch.

        Batches are cut from all that is `asked`, and those without a `needed` index are left out:
        what is still missing never changes who is answered together.
        """
        ...

    def close(self) -> None:
        """Free what it holds; one heavy model is in memory at a time."""
        ...
