"""The records that are passed between the stages: frozen, and validated on creation.

`docs/architecture.md` defines the terms: prompt, response, score, criterion, verdict, rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Stop = Literal["eos", "length", "recorded", "filter"]
"""Why a response ended: an end-of-sequence token, the token limit, unknown because the response was
recorded without it, or the filter of a server."""

HUMAN, ASSISTANT = "Human", "Assistant"


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a dialogue. `speaker` is `HUMAN` or `ASSISTANT`; `text` is stripped."""

    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A dialogue that ends with the human's turn.

    `id` is a hash of the content, `text` the transcript (`Human: ...`, blank line,
    `Assistant: ...`). `cluster` is a hash of the dialogue's opening, which prompts cut from one
    dialogue at different depths share. `text` is empty for published scores of which only the
    prompt's id is known. `sample` counts from 0 the answers to one prompt where a policy gives
    several; the id of the second is `ID.2`. `columns` has those columns of its row that the
    profile makes slices by.
    """

    id: str
    axis: str
    text: str
    cluster: str
    source: str = ""
    language: str = "en"
    sample: int = 0
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """A human's choice between two answers to one dialogue.

    `prompt` is the transcript up to the answer, `chosen` and `rejected` the texts of the answers
    (no speaker label, stripped); `cluster` as in `Prompt`.
    """

    prompt: str
    chosen: str
    rejected: str
    axis: str
    cluster: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """A policy's text for a prompt, why it stopped, and how many tokens it took (None: unknown).

    `missing` is the reason why the response holds no answer (thinking that was cut, a tool call):
    `text` is then empty, and it is not judged. A model that generated nothing has answered with an
    empty text, without `missing`.
    """

    text: str
    stop: Stop
    tokens: int | None = None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """A judge's score of one (prompt, response): a finite value per named dimension.

    Where the judge gave no score, `values` is empty and `unscored` is the reason: such a response
    is counted, and never treated as 0. If the judge was asked several times, `repeats` has each
    answer and `values` their mean. Raises ValueError for values that are not finite, and unless
    exactly one of `values` and `unscored` is given.
    """

    values: Mapping[str, float]
    unscored: str | None = None
    repeats: tuple[Mapping[str, float], ...] = ()

    def __post_init__(self) -> None:
        if bool(self.values) == (self.unscored is not None):
            raise ValueError("a score needs at least one dimension, or a reason why it has none")
        for name, value in self.values.items():
            if not math.isfinite(value):
                raise ValueError(f"dimension {name!r} is {value}, not a finite number")


@dataclass(frozen=True, slots=True)
class Criterion:
    """When a response passes on an axis: `dimension comparison threshold`, e.g. reward >= -3."""

    dimension: str
    comparison: Literal[">=", ">"]
    threshold: float

    def __str__(self) -> str:
        return f"{self.dimension} {self.comparison} {self.threshold:g}"

    def met_by(self, value: float) -> bool:
        """Whether a response with this value of the dimension passes."""
        return value >= self.threshold if self.comparison == ">=" else value > self.threshold


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, in the unit of its estimate (rates: %).

    Raises ValueError where low > high.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"an interval needs low <= high, not [{self.low}, {self.high}]")


@dataclass(frozen=True, slots=True)
class Rate:
    """Passing / total in %, with its interval. `passed` and `total` are None for CAS, a mean.

    `effect` is the design effect: the factor by which prompts that share dialogues inflate the
    variance. The interval includes it.
    """

    name: str
    percent: float
    interval: Interval
    passed: int | None = None
    total: int | None = None
    effect: float = 1.0


@dataclass(frozen=True, slots=True)
class ScoreSummary:
    """The distribution of the scores of one variant on one axis, in the judge's unit."""

    mean: float
    sd: float
    median: float
    q1: float
    q3: float


@dataclass(frozen=True, slots=True)
class Case:
    """One variant's judged answer to one prompt: all outputs are made from these rows.

    `value` is the score on the criterion's dimension. `degenerate` is the kind of a degenerate
    response (`empty`, `echo`, ...), or None; `truth` is the true label of the response where one is
    known (in the built-in tiny world), or None.
    """

    variant: str
    prompt: Prompt
    response: Response | None
    score: Score
    value: float
    passed: bool
    degenerate: str | None = None
    truth: str | None = None


@dataclass(frozen=True, slots=True)
class VariantSummary:
    """All figures of one variant: rates by name, scores by axis, degenerate counts by axis, kind.

    `change` is the relative change over the base variant in % by rate name (the paper's Table 2);
    a rate is absent where there is no base or the base's rate is 0. `unscored` counts by axis the
    responses to which the judge gave no score: they are in no other figure.
    """

    name: str
    rates: Mapping[str, Rate]
    scores: Mapping[str, ScoreSummary]
    degenerate: Mapping[str, Mapping[str, int]]
    change: Mapping[str, float] = field(default_factory=dict)
    unscored: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JudgeTrial:
    """The evaluation of a judge on one axis, with preferences it was not trained on.

    `accuracy` is the share of pairs whose chosen answer scores higher (a tie counts half, and
    `passed` is then rounded down); `longer` the share of pairs in which the longer answer scores
    higher, a sign of length bias; `degenerate` maps a kind of degenerate response to how many of
    them meet the axis's criterion. `informative` is false when the interval of the accuracy
    contains 50 %: such an axis is reported as uninformative, never as passed. `unscored` counts the
    responses (of pairs, and degenerate ones) that got no score and are left out.
    """

    axis: str
    accuracy: Rate
    longer: Rate
    degenerate: Mapping[str, Rate]
    informative: bool
    unscored: int = 0


@dataclass(frozen=True, slots=True)
class SelfDisagreement:
    """How far repeated scores by one judge differ from each other, on one axis.

    `responses` is how many were judged more than once; `difference` is the mean absolute difference
    between two scores of one response, in the judge's unit; `changed` is the share of responses, in
    %, whose verdict is not the same for all of its scores.
    """

    axis: str
    responses: int
    difference: float
    changed: Rate


@dataclass(frozen=True, slots=True)
class Votes:
    """How a panel of judges voted on the responses of one variant on one axis.

    `divided` is the share of responses, in %, that some members pass and others do not, out of
    those with two votes or more (None where there are none); `incomplete` counts the responses to
    which some member gave no score.
    """

    divided: Rate | None
    incomplete: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """A judge's verdicts against the truth, or another judge's, on the same responses of one axis.

    `rate` is the share of equal verdicts, `kappa` Cohen's kappa (None where either side is
    constant), `table` counts (judge passes, truth is good) by `"pass/good"`, `"pass/bad"`,
    `"fail/good"`, `"fail/bad"`; between two judges by `"pass/pass"` and so on.
    """

    axis: str
    rate: Rate
    kappa: float | None
    table: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Opinion:
    """A second judge's results on the responses of all variants on one axis.

    `agreement` is with the verdicts of the main judge (None where no response has both); `rates`
    has by variant the rate that this judge would give; `unscored` counts the responses to which it
    gave no score.
    """

    criterion: Criterion
    agreement: Agreement | None
    rates: Mapping[str, Rate]
    unscored: int = 0


@dataclass(frozen=True, slots=True)
class Results:
    """All results of a run: every report is rendered from them.

    `complete` is false when a prompt of the profile has no verdict for some variant; `limit` is
    the number of prompts per axis of a quick look, or None. `nulls` has, by axis, the rates that
    null policies would get from the judge; `opinions`, by second judge and axis, what they say of
    the same responses; `noise`, by variant or judge, how much batching changes its output, as
    measured by `check-invariance`; `unscored`, by variant, axis and prompt id, why the judge gave a
    response no score; `disagreements`, by axis, how far repeated scores differ; `votes`, by variant
    and axis, how far the members of a panel agree, if the judge is one. `models` identifies
    every variant (and `judge`): content hashes and recipe keys. `run` holds everything that may
    differ between two equal runs: times, versions, machine, paths.
    """

    profile: Mapping[str, object]
    complete: bool
    limit: int | None
    cases: tuple[Case, ...]
    summaries: Mapping[str, VariantSummary]
    trials: Mapping[str, JudgeTrial]
    agreements: Mapping[str, Agreement]
    models: Mapping[str, Mapping[str, object]]
    run: Mapping[str, object]
    nulls: Mapping[str, Mapping[str, Rate]] = field(default_factory=dict)
    opinions: Mapping[str, Mapping[str, Opinion]] = field(default_factory=dict)
    noise: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    unscored: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    disagreements: Mapping[str, SelfDisagreement] = field(default_factory=dict)
    votes: Mapping[str, Mapping[str, Votes]] = field(default_factory=dict)
