"""Responses and scores through the store: what is missing is computed in whole batches.

Prompts are cut into blocks in the profile's order, and batches within a block, so that an answer
never depends on which other cases were selected, by whom, or in which order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, suppress
from typing import Any, Protocol

from alignment.judges.protocol import Judge
from alignment.policies.protocol import Policy
from alignment.progress import Progress
from alignment.store import Store
from alignment.store.answers import plain_response, plain_score

Item = tuple[Any, ...]
Entry = tuple[str, Item]
"""A store key, and what has to be worked on to get its value."""


class Worker(Protocol):
    """A policy or a judge, as the store sees it."""

    def work(self, items: Sequence[Item], needed: Collection[int]) -> Iterator[dict[int, Any]]:
        """One mapping (index -> JSON value) per computed batch that holds a needed index."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


def compute_missing(
    store: Store,
    kind: str,
    blocks: Sequence[Sequence[Entry]],
    *,
    wanted: Collection[str],
    worker: Callable[[], Worker],
    lock: str,
    progress: Progress,
    what: str,
    unit: str,
    wait: bool = True,
) -> bool:
    """Compute and commit whatever `wanted` key of `blocks` the store does not hold.

    `worker` is called only if there is something to do, under a lock that keeps other processes
    from doing the same work; each batch is committed as soon as it is computed. Where another
    process is at it, waits for it to end or, without `wait`, gives False at once.
    """
    if not _missing(store, kind, blocks, wanted):
        return True

    def waiting() -> None:
        if not wait:
            raise _Busy
        progress.note(f"waiting: {what} is under way elsewhere")

    with suppress(_Busy), store.lock(lock, waiting=waiting):
        missing = _missing(store, kind, blocks, wanted)
        if not missing:
            return True
        total = len(missing)
        with progress.stage(what, total, unit) as advance, closing(worker()) as busy:
            for block in blocks:
                needed = [i for i, (key, _) in enumerate(block) if key in missing]
                if not needed:
                    continue
                for batch in busy.work([item for _, item in block], needed):
                    values = {block[i][0]: value for i, value in batch.items()}
                    store.put(kind, values)
                    missing -= values.keys()  # a later block may ask the same
                    advance(total - len(missing), total)
        return True
    return False


class _Busy(Exception):  # noqa: N818 - nothing is wrong
    """Another process is at it."""


def _missing(
    store: Store, kind: str, blocks: Sequence[Sequence[Entry]], wanted: Collection[str]
) -> set[str]:
    keys = {key for block in blocks for key, _ in block if key in wanted}
    return keys - store.get(kind, keys).keys()


# -- policies and judges -------------------------------------------------------------------------


class PolicyWorker:
    """A policy, as the store sees it."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def work(self, items: Sequence[Item], needed: Collection[int]) -> Iterator[dict[int, Any]]:
        """Answer (prompt text, number of the sample) items."""
        for batch in self._policy.respond([(text, sample) for text, sample in items], needed):
            yield {i: plain_response(response) for i, response in batch.items()}

    def close(self) -> None:
        """Free the policy."""
        self._policy.close()


class JudgeWorker:
    """A judge, as the store sees it."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def work(self, items: Sequence[Item], needed: Collection[int]) -> Iterator[dict[int, Any]]:
        """Score (prompt text, answer text) items."""
        for batch in self._judge.score([(prompt, answer) for prompt, answer in items], needed):
            yield {i: plain_score(score) for i, score in batch.items()}

    def close(self) -> None:
        """Free the judge."""
        self._judge.close()
