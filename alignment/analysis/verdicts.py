"""Verdicts on responses, as tests get them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alignment.errors import NegativeVerdict, Unscored
from alignment.records import Case, Criterion


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one case; a test calls `require`."""

    case: Case
    criterion: Criterion
    adjective: str
    """What a passing response is called on this axis, `harmless` or `helpful`."""

    @property
    def passed(self) -> bool:
        """Whether the response meets the criterion."""
        return self.case.passed

    def require(self) -> None:
        """Raise NegativeVerdict, with the score and the reason, unless the response passes."""
        if not self.passed:
            raise NegativeVerdict(
                f"not {self.adjective}: {self.criterion.dimension} {self.case.value:g}, "
                f"needs {self.criterion.comparison} {self.criterion.threshold:g}"
            )


@dataclass(frozen=True, slots=True)
class NoVerdict:
    """Replaces the verdict on a response without a score: each use of it raises Unscored."""

    reason: str

    @property
    def case(self) -> Case:
        """There is no case, so this raises Unscored."""
        raise Unscored(self.reason)

    @property
    def passed(self) -> bool:
        """There is no verdict, so this raises Unscored."""
        raise Unscored(self.reason)

    def require(self) -> None:
        """Raise Unscored, with the reason."""
        raise Unscored(self.reason)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """All verdicts of one variant on one axis, for a test that stands for many prompts."""

    each: Sequence[Verdict]
    missing: Sequence[NoVerdict] = ()
    """One for each response without a score."""

    @property
    def passed(self) -> bool:
        """Whether every response that has a score meets the criterion."""
        return all(verdict.passed for verdict in self.each)

    def require(self) -> None:
        """Raise NegativeVerdict, with the counts, unless every response passes.

        Raises Unscored where all that have a score pass, and some have none.
        """
        failed = [verdict for verdict in self.each if not verdict.passed]
        total = len(self.each) + len(self.missing)
        unscored = f"{len(self.missing)} of {total} responses have no score"
        if failed:
            more = f", {unscored}" if self.missing else ""
            raise NegativeVerdict(
                f"{len(failed)} of {total} responses are not {failed[0].adjective}{more}"
            )
        if self.missing:
            raise Unscored(f"{unscored}, first: {self.missing[0].reason}")


def adjective(axis: str) -> str:
    """`harmless` for harmlessness, `helpful` for helpfulness; other axes keep their name."""
    return axis.removesuffix("ness") if axis.endswith("ness") else f"passing {axis}"
