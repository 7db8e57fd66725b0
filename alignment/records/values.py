"""The records that travel between the stages: frozen, validated when made, free of behaviour.

The words are those of `docs/architecture.md`: prompt, response, score, criterion, verdict, rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Stop = Literal["eos", "length", "recorded", "filter"]
"""Why a response ended: the model said so, the token limit cut it, nobody recorded it, or the
filter of a server cut it."""

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
    `Assistant: ...`), `cluster` a hash of what opens the dialogue, shared by prompts that are
    different depths of the same one. Published scores may be known by the prompt's id alone: then
    `text` is empty. `sample` counts the answers to one prompt where a policy gives several, from 0;
    the id of the second is `ID.2`.
    """

    id: str
    axis: str
    text: str
    cluster: str
    source: str = ""
    language: str = "en"
    sample: int = 0


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

    `missing` says why there is no answer where something else came (thinking that was cut, a call
    of a tool): the text is then empty, and nobody judges it. A model that says nothing has answered
    with an empty text.
    """

    text: str
    stop: Stop
    tokens: int | None = None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """What a judge says of one (prompt, response): a finite value per named dimension.

    A judge that could not be brought to give a score says why in `unscored`, and has no values:
    that is counted, and is never a 0. A judge that was asked several times gives each answer in
    `repeats`; `values` is their mean.
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
        """Whether `value` passes."""
        return value >= self.threshold if self.comparison == ">=" else value > self.threshold


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, in the unit of what it belongs to (rates: %)."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"an interval needs low <= high, not [{self.low}, {self.high}]")


@dataclass(frozen=True, slots=True)
class Rate:
    """Passing / total in %, with its interval. `passed` and `total` are None for CAS, a mean.

    `effect` is by how much sharing dialogues inflates the variance, which the interval knows of.
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
    """One variant's answer to one prompt, judged: the row that every output is made of.

    `degenerate` names the kind of a degenerate response (`empty`, `echo`, ...), or is None; `truth`
    is what the response really is, where the world it comes from knows (the tiny one does).
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
    """Everything that is said of one variant: rates by name, scores by axis, counts by kind.

    `change` is the relative change over the base variant in % by rate name (the paper's Table 2),
    absent where there is no base or its rate is 0. `unscored` counts by axis the responses that the
    judge gave no score: they are in no other figure.
    """

    name: str
    rates: Mapping[str, Rate]
    scores: Mapping[str, ScoreSummary]
    degenerate: Mapping[str, Mapping[str, int]]
    change: Mapping[str, float] = field(default_factory=dict)
    unscored: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JudgeTrial:
    """How a judge did on one axis, on preferences it was not trained on.

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
    """How far a judge that is asked several times is from itself, on one axis.

    `responses` were judged more than once; `difference` is the mean absolute difference between two
    answers about one of them, in the judge's unit; `changed` is the share of responses, in %, whose
    verdict is not the same in all answers.
    """

    axis: str
    responses: int
    difference: float
    changed: Rate


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
    """What a second judge says of the responses of all variants on one axis.

    `agreement` is with the judge's own verdicts (None where no response has both), `rates` has by
    variant the rate that this judge would give, `unscored` how many responses it gave no score.
    """

    criterion: Criterion
    agreement: Agreement | None
    rates: Mapping[str, Rate]
    unscored: int = 0


@dataclass(frozen=True, slots=True)
class Results:
    """All that a run found: what every report is rendered from.

    `complete` is false when a prompt of the profile has no verdict for some variant; `limit` is
    the number of prompts per axis of a quick look, or None. `nulls` has, by axis, the rates that
    null policies would get from the judge; `opinions`, by second judge and axis, what they say of
    the same responses; `noise`, by variant or judge, what `check-invariance` measured: how far
    being computed together moves what they say; `unscored`, by variant, axis and prompt id, why
    the judge gave a response no score. `models` says for every variant (and `judge`) what it is:
    content hashes and recipe keys. `run` holds everything that may differ between two equal runs:
    times, versions, machine, paths.
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
