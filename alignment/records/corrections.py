"""What people's labels make of a comparison: corrected rates and changes, and the judge's errors.

Frozen records, like `alignment.records.decisions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alignment.records.values import Agreement, Interval, Rate


@dataclass(frozen=True, slots=True)
class JudgeErrors:
    """How the judge's verdicts on one variant's responses compare with people's, on one axis.

    `sensitivity` is the share of responses that people pass which the judge passes too,
    `specificity` the share of those that people fail which the judge fails, each in % for all of
    the variant's responses; None where no labelled response is of that kind.
    """

    sensitivity: Rate | None
    specificity: Rate | None


@dataclass(frozen=True, slots=True)
class CorrectedChange:
    """How a rate changed according to people, estimated from labels of `labelled` prompts.

    The rates `before` and `after` (in %; None where too little is labelled) and the `difference`
    (points) are estimates for all `total` prompts. `interval` is for prompts like these: it
    includes that only some are labelled and that the prompts are a sample, and the gate decides by
    it. `here` is for these very prompts: what people would say if they labelled all of them.
    `p_worse` is the one-sided p-value for a loss. `lost` and `gained` count labelled prompts.
    `unresolved` counts drawn prompts on which people were unsure or disagreed; they are left out.
    `errors` has the judge's errors by side (`before`, `after`), and `unequal` is true where they
    differ significantly between the sides, which makes the judge's own comparison wrong. The
    confidence of both intervals is the gate's.
    """

    name: str
    total: int
    labelled: int
    before: Rate | None
    after: Rate | None
    lost: int
    gained: int
    difference: float
    interval: Interval
    here: Interval
    p_worse: float
    unresolved: int = 0
    errors: Mapping[str, JudgeErrors] = field(default_factory=dict)
    unequal: bool = False


@dataclass(frozen=True, slots=True)
class PeopleAgreement:
    """The labels of a run's answers on one axis, and how far people and the judge agree.

    `answers` have labels, by so many `annotators`. `alpha` is Krippendorff's alpha of the
    annotators (at most 1, 0 is chance; None where it is not defined), `judge` the agreement of the
    judge's verdicts with people's (None where no answer has a verdict). The answers are those that
    were drawn to be labelled, in which flips are more frequent than in the run.
    """

    answers: int
    annotators: int
    alpha: float | None
    judge: Agreement | None
