"""A panel as a judge: second judges vote on a response, each by its own criteria.

A score has, for each axis, the share (0 to 1) of the members that pass the response; the votes are
its `repeats`. Members that gave the response no score have no vote.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from alignment.errors import StoreError
from alignment.judges.kind import JudgeKind, judge_of
from alignment.judges.protocol import Judge
from alignment.records import Criterion, Score
from alignment.store import Store, content_key
from alignment.store.answers import score_key, stored_scores
from alignment.training.context import second

VERSION = 1
"""Increase it when the same scores of members could give another score."""


class Member(NamedTuple):
    """A judge with a vote: its name, its identity, and its criterion on each axis."""

    name: str
    identity: str
    criteria: Mapping[str, Criterion]

    def vote(self, score: Score) -> dict[str, float]:
        """Axis -> 1 if the response passes by this member's score, else 0."""
        return {
            axis: float(criterion.met_by(score.values[criterion.dimension]))
            for axis, criterion in self.criteria.items()
        }


class Kind(JudgeKind):
    """A judge with `panel`."""

    @property
    def members(self) -> Sequence[str]:
        """The names of its members among the second judges."""
        return [second(name) for name in self.config.panel]

    @property
    def dimensions(self) -> Collection[str]:
        """The axes: members have a criterion for each."""
        return list(self.context.profile.axes)

    def identity(self) -> str:
        """A hash of the members' identities and criteria, in any order."""
        return _identity([self._member(name, judge.identity()) for name, judge in self._judges])

    def known_identity(self) -> str | None:
        """The identity, or None if a member's model is still to be trained."""
        known = {name: judge.known_identity() for name, judge in self._judges}
        members = [self._member(name, each) for name, each in known.items() if each is not None]
        return _identity(members) if len(members) == len(known) else None

    def open(self) -> Judge:
        """The panel; the members' scores must be stored by now."""
        members = [self._member(name, judge.identity()) for name, judge in self._judges]
        return Panel(self.context.store, members)

    def description(self, *, failed: bool) -> dict[str, Any]:
        """Its identity and the names of its members, which are described under their own names."""
        return super().description(failed=failed) | {"panel": list(self.config.panel)}

    def manifest(self) -> dict[str, Any]:
        """What is compared of its members, and their criteria, in any order; no names."""
        members = [(judge.manifest(), self._criteria(name)) for name, judge in self._judges]
        keys = [content_key(manifest, _plain(criteria)) for manifest, criteria in members]
        return {
            "identity": f"panel {content_key(sorted(keys))[:16]}",
            "members": sorted(
                f"{manifest['identity']} ({', '.join(f'{a}: {c}' for a, c in criteria.items())})"
                for manifest, criteria in members
            ),
        }

    @cached_property
    def _judges(self) -> list[tuple[str, JudgeKind]]:
        return [(name, judge_of(self.context, second(name))) for name in self.config.panel]

    def _member(self, name: str, identity: str) -> Member:
        return Member(name, identity, self._criteria(name))

    def _criteria(self, name: str) -> dict[str, Criterion]:
        axes = self.context.profile.judges[name].axes
        return {axis: axes[axis].criterion for axis in self.context.profile.axes}


class Panel:
    """Counts the votes of members whose scores are stored. See `judges.protocol.Judge`."""

    def __init__(self, store: Store, members: Sequence[Member]) -> None:
        self.identity = _identity(members)
        self._store = store
        self._members = members

    def score(
        self, pairs: Sequence[tuple[str, str]], needed: Collection[int]
    ) -> Iterator[dict[int, Score]]:
        """The shares of votes for the needed pairs. Raises StoreError if a score is not stored."""
        scores = [self._scores_of(member, [pairs[i] for i in needed]) for member in self._members]
        yield {
            i: self._count(each) for i, each in zip(needed, zip(*scores, strict=True), strict=True)
        }

    def _scores_of(self, member: Member, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        dimensions = {criterion.dimension for criterion in member.criteria.values()}
        keys = [score_key(member.identity, pair) for pair in pairs]
        stored = stored_scores(self._store, set(keys), dimensions)
        if not stored.keys() >= set(keys):
            raise StoreError(
                f"store {self._store.root}: lost scores of judges.{member.name} that were just "
                f"written to it; run again"
            )
        return [stored[key] for key in keys]

    def _count(self, scores: Sequence[Score]) -> Score:
        votes = [
            member.vote(score)
            for member, score in zip(self._members, scores, strict=True)
            if score.unscored is None
        ]
        if not votes:
            reasons = zip(self._members, scores, strict=True)
            said = "; ".join(f"{member.name}: {score.unscored}" for member, score in reasons)
            return Score({}, f"no member of the panel gave a score ({said})")
        shares = {axis: sum(vote[axis] for vote in votes) / len(votes) for axis in votes[0]}
        return Score(shares, repeats=tuple(votes))

    def close(self) -> None:
        """Nothing to free."""


def _identity(members: Sequence[Member]) -> str:
    keys = [content_key(member.identity, _plain(member.criteria)) for member in members]
    return content_key("panel", VERSION, sorted(keys))


def _plain(criteria: Mapping[str, Criterion]) -> dict[str, list[str | float]]:
    """Axis -> the parts of its criterion, exactly; its text rounds the threshold."""
    return {
        axis: [criterion.dimension, criterion.comparison, criterion.threshold]
        for axis, criterion in criteria.items()
    }
