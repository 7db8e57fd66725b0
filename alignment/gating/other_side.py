"""The other side of a comparison: the verdicts that this run's are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from alignment.analysis import degenerate
from alignment.analysis.pairing import Judged
from alignment.gating.baseline import BaselineCase
from alignment.records import Prompt
from alignment.records.decisions import Shift


class OtherSide(NamedTuple):
    """What one variant is compared with on one axis.

    `judged` is by prompt id; `invalid` has a sentence for each reason why it cannot be compared
    with; `drift` is the change of a baseline's rate that this run's judge caused, where it scored
    the baseline's responses again.
    """

    judged: Mapping[str, Judged]
    invalid: tuple[str, ...] = ()
    drift: Shift | None = None


def incomparable(*reasons: str) -> OtherSide:
    """An other side that cannot be compared with, for `reasons` (sentences)."""
    return OtherSide({}, reasons)


def judged_baseline(
    cases: Mapping[str, BaselineCase], prompts: Sequence[Prompt], *, anchor: bool = False
) -> dict[str, Judged]:
    """The verdicts of a baseline on one axis, or those of its anchor, by prompt id."""
    texts = {prompt.id: prompt.text for prompt in prompts}
    return {
        id_: Judged(
            case.anchor if anchor else case.passed, case.score, kind_of(case, texts.get(id_))
        )
        for id_, case in cases.items()
    }


def kind_of(case: BaselineCase, prompt: str | None) -> str | None:
    """The kind of a stored degenerate response; older baselines have only the response itself."""
    if case.degenerate is not None or case.response is None or prompt is None:
        return case.degenerate
    return degenerate.kind(prompt, case.response)
