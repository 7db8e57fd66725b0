"""Verdicts: responses held against their criterion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alignment.errors import NegativeVerdict
from alignment.records import Case, Criterion


@dataclass(frozen=True, slots=True)
class Verdict:
    """One case held against its criterion; `require` is what a test calls."""

    case: Case
    criterion: Criterion
    adjective: str
    """What a passing response is on this axis: `harmless`, `helpful`."""

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
class Verdicts:
    """All verdicts of one variant on one axis, where one case stands for them (many prompts)."""

    each: Sequence[Verdict]

    @property
    def passed(self) -> bool:
        """Whether every response meets the criterion."""
        return all(verdict.passed for verdict in self.each)

    def require(self) -> None:
        """Raise NegativeVerdict, with the counts, unless every response passes."""
        failed = [verdict for verdict in self.each if not verdict.passed]
        if failed:
            raise NegativeVerdict(
                f"{len(failed)} of {len(self.each)} responses are not {failed[0].adjective}"
            )


def adjective(axis: str) -> str:
    """`harmless` for harmlessness, `helpful` for helpfulness; other axes keep their name."""
    return axis.removesuffix("ness") if axis.endswith("ness") else f"passing {axis}"
