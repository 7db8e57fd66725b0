"""Responses and scores by way of the store: what is missing is computed in whole batches.

Prompts are cut into blocks in the profile's order, and batches within a block, so that a
response never depends on which other cases were selected, by which process or in which order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from typing import Any, Protocol, TypeVar

from alignment.judges.protocol import Judge
from alignment.policies.protocol import Policy
from alignment.progress import Progress
from alignment.records import Response, Score
from alignment.store import Store
from alignment.store.answers import RESPONSE, SCORE, plain_score, score_key, stored_scores

T = TypeVar("T")

Item = tuple[Any, ...]
Entry = tuple[str, Item]
"""A store key, and the input that its value is computed from."""


class Worker(Protocol[T]):
    """A policy or a judge, as the store sees it."""

    def work(self, items: Sequence[Item], needed: Collection[int]) -> Iterator[dict[int, T]]:
        """One mapping (index -> value) per batch; batches without a needed index are skipped."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class Stored(Protocol[T]):
    """A kind of value in the store: how it is read and how it is written."""

    kind: str

    def read(self, store: Store, keys: Collection[str]) -> dict[str, T]:
        """Key -> value, for those keys whose entries are complete."""
        ...

    def plain(self, value: T) -> Any:
        """A value as plain JSON types."""
        ...


def compute_missing(
    store: Store,
    stored: Stored[T],
    blocks: Sequence[Sequence[Entry]],
    *,
    wanted: Collection[str],
    worker: Callable[[], Worker[T]],
    lock: str,
    progress: Progress,
    what: str,
    unit: str,
    wait: bool = True,
) -> dict[str, T] | None:
    """Key -> value for the `wanted` keys of `blocks`; what the store does not hold is computed.

    `worker` is called only if something is missing, under `lock`, which keeps other processes from
    doing the same work; each batch is committed as soon as it is computed. `what` and `unit` name
    the work in progress lines. If another process is computing the same values, waits for it or,
    if `wait` is false, returns None at once.
    """
    keys = {key for block in blocks for key, _ in block if key in wanted}
    values = stored.read(store, keys)
    if values.keys() == keys:
        return values

    def waiting() -> None:
        if not wait:
            raise _Busy
        progress.note(f"waiting: {what} is under way elsewhere")

    with suppress(_Busy), store.lock(lock, waiting=waiting):
        values |= stored.read(store, keys - values.keys())  # another may have computed them
        missing = keys - values.keys()
        if not missing:
            return values
        total = len(missing)
        with progress.stage(what, total, unit) as advance, closing(worker()) as busy:
            for block in blocks:
                needed = [i for i, (key, _) in enumerate(block) if key in missing]
                if not needed:
                    continue
                for batch in busy.work([item for _, item in block], needed):
                    computed = {block[i][0]: value for i, value in batch.items()}
                    store.put(stored.kind, {k: stored.plain(v) for k, v in computed.items()})
                    values |= computed
                    missing -= computed.keys()  # a later block may have the same keys
                    advance(total - len(missing), total)
        return {key: value for key, value in values.items() if key in keys}
    return None


class _Busy(Exception):  # noqa: N818 - no error
    """Another process is computing the same values."""


# -- policies and judges -------------------------------------------------------------------------


class StoredResponses:
    """Responses in the store."""

    kind = RESPONSE

    def read(self, store: Store, keys: Collection[str]) -> dict[str, Response]:
        """The responses under these keys."""
        return {key: Response(**value) for key, value in store.get(RESPONSE, keys).items()}

    def plain(self, value: Response) -> Any:
        """A response as plain JSON types."""
        return asdict(value)


def keyed_by(
    judge: str, blocks: Sequence[Sequence[Entry]], wanted: Collection[str]
) -> tuple[list[list[Entry]], set[str]]:
    """(blocks, wanted) of another judge's scores, with the keys of the judge of this identity."""
    own: list[list[Entry]] = []
    own_wanted: set[str] = set()
    for block in blocks:
        own.append([(score_key(judge, pair), pair) for _, pair in block])
        own_wanted.update(
            key for (key, _), (other, _) in zip(own[-1], block, strict=True) if other in wanted
        )
    return own, own_wanted


class StoredScores:
    """Scores in the store, by a judge with these dimensions."""

    kind = SCORE

    def __init__(self, dimensions: Collection[str]) -> None:
        self._dimensions = dimensions

    def read(self, store: Store, keys: Collection[str]) -> dict[str, Score]:
        """The scores under these keys that have all dimensions."""
        return stored_scores(store, keys, self._dimensions)

    def plain(self, value: Score) -> Any:
        """A score as plain JSON types."""
        return plain_score(value)


class PolicyWorker:
    """A policy, as the store sees it."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def work(self, items: Sequence[Item], needed: Collection[int]) -> Iterator[dict[int, Response]]:
        """Answer (prompt text, number of the sample) items."""
        yield from self._policy.respond([(text, sample) for text, sample in items], needed)

    def close(self) -> None:
        """Free the policy."""
        self._policy.close()


class JudgeWorker:
    """A judge, as the store sees it."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def work(self, items: Sequence[Item], needed: Collection[int]) -> Iterator[dict[int, Score]]:
        """Score (prompt text, answer text) items."""
        yield from self._judge.score([(prompt, answer) for prompt, answer in items], needed)

    def close(self) -> None:
        """Free the judge."""
        self._judge.close()
