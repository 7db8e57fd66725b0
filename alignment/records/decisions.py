"""The gate's results as frozen records: paired changes, flipped prompts, decisions.

Like `alignment.records`, they only compute what follows from their own fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from alignment.records import Interval
from alignment.records.corrections import CorrectedChange, PeopleAgreement

Outcome = Literal["pass", "inconclusive", "uninformative", "fail", "invalid"]
OUTCOMES: tuple[Outcome, ...] = ("pass", "inconclusive", "uninformative", "fail", "invalid")
"""From best to worst."""

ACCEPT = '--snapshot-update --alignment-reason "why"'
"""The options that accept a run whatever its old baseline says, and move the anchor to it."""


@dataclass(frozen=True, slots=True)
class PairedVerdict:
    """One prompt before and after: verdicts, and scores in the judge's unit.

    `cluster` is shared by prompts of one dialogue, which are not independent evidence.
    `degenerate_before` and `degenerate_after` are the kind of a degenerate response (`empty`,
    `echo`, ...); None for a real answer, and where it is not known.
    """

    prompt: str
    cluster: str
    before: bool
    after: bool
    score_before: float
    score_after: float
    degenerate_before: str | None = None
    degenerate_after: str | None = None

    @property
    def flip(self) -> int:
        """-1 for a lost verdict (it passed before), 1 for a gained one (it passes now), else 0."""
        return int(self.after) - int(self.before)


@dataclass(frozen=True, slots=True)
class Change:
    """How the rate `name` changed on the same prompts.

    The rates `before` and `after` are in %; `difference` (after - before) and its Tango `interval`
    are in percentage points; `lost` and `gained` count flipped verdicts among `total` prompts.
    `p_worse` is the one-sided mid-p McNemar p-value for a loss, `p_exact` the two-sided exact one.
    `clustered` is true where prompts share dialogues: the interval and both p-values then have
    their cluster form (both exact), and `effect` is the design effect (the factor by which sharing
    inflates the variance of the difference); otherwise `effect` is 1.
    """

    name: str
    total: int
    before: float
    after: float
    lost: int
    gained: int
    difference: float
    interval: Interval
    p_worse: float
    p_exact: float
    clustered: bool = False
    effect: float = 1.0


@dataclass(frozen=True, slots=True)
class Shift:
    """A difference (after - before) with its interval.

    In percentage points for CAS and rates, in the judge's unit for a mean score.
    """

    name: str
    difference: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Flip:
    """A prompt whose verdict changed, with both responses where they are stored (else None)."""

    prompt: str
    before: bool
    after: bool
    score_before: float
    score_after: float
    text: str = ""
    response_before: str | None = None
    response_after: str | None = None


@dataclass(frozen=True, slots=True)
class Degenerate:
    """Counts of degenerate responses: `after` of `total` in this run, by kind in `kinds`.

    `before` is their number on the other side of the comparison.
    """

    before: int
    after: int
    total: int
    kinds: Mapping[str, int]


CautionKind = Literal["null", "length", "off topic", "overruled", "untried", "floor", "wide"]


@dataclass(frozen=True, slots=True)
class Caution:
    """Why a pass says less than it seems to: a clause.

    `null`: a useless policy would score as high; `length`: the judge prefers long answers rather
    than good ones; `off topic`: far fewer answers take up their question; `overruled`: people's
    labels say otherwise than the judge's `fail`; `untried`: nobody evaluated the judge; `floor`:
    the rate was 0 %; `wide`: the interval is wider than the margin on both sides.
    """

    kind: CautionKind
    text: str


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """The change of the mean score, in the judge's unit: reported beside a decision.

    `p_value` is two-sided, `adjusted` the same after Holm's correction over all comparisons.
    `sweep` has (threshold, change of the rate in points) at other thresholds, rising.
    """

    difference: float
    p_value: float
    adjusted: float
    sweep: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class SliceDecision:
    """The comparison within one slice: the prompts whose `column` has this `value`.

    `adjusted` is `change.p_worse` after Holm's correction over all slices of the run. It and
    `outcome` (`pass`, `inconclusive` or `fail`) are None where the slice has too few prompts.
    """

    column: str
    value: str
    change: Change
    adjusted: float | None
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Decision:
    """The gate's decision on one variant and axis.

    `against` says what it was compared with (`baseline`, `variant base`, `anchor`), and `own` is
    the outcome of that comparison. `change` is None where nothing could be compared; `reasons` then
    says why, one sentence each. `adjusted` is `change.p_worse` after Holm's correction. `needed` is
    how many prompts of this kind would decide an inconclusive case with 80 % power (None: no number
    would), and `needed_range` the least and the largest such number that the data leave open.
    `identical` says that both sides are known to be one model that gave the same answers. `flips`
    lists the flipped prompts, worst first. `degenerate` has the counts if most responses are
    degenerate: such a rate never passes. `spoiled` has them if not most are, but significantly more
    than before, by the margin or more: that is a `fail`. `anchor` is the decision on
    the cumulative change since the anchor, where that differs from the baseline.

    `corrected` is the change according to people's labels: the decision is then made by it, and
    `by_judge` is what the judge's verdicts alone would have decided. `uncorrected` says why labels
    that are there could not be used. `cautions` say what limits a pass, the most serious first.
    `slices` has the comparisons within slices of the prompts; `own` is `fail` if one of them is.
    `scores` is the change of the mean score.
    """

    variant: str
    axis: str
    rate: str
    against: str
    own: Outcome
    margin: float
    change: Change | None = None
    adjusted: float | None = None
    needed: int | None = None
    needed_range: tuple[int | None, int | None] | None = None
    reasons: tuple[str, ...] = ()
    flips: tuple[Flip, ...] = ()
    degenerate: Degenerate | None = None
    spoiled: Degenerate | None = None
    identical: bool = False
    anchor: Decision | None = None
    corrected: CorrectedChange | None = None
    by_judge: Outcome | None = None
    uncorrected: str = ""
    cautions: tuple[Caution, ...] = ()
    slices: tuple[SliceDecision, ...] = ()
    scores: ScoreChange | None = None

    @property
    def outcome(self) -> Outcome:
        """The worse outcome of the comparison itself and of the comparison with the anchor."""
        return self.own if self.anchor is None else worst(self.own, self.anchor.own)


@dataclass(frozen=True, slots=True)
class GateResult:
    """Everything the gate found in one run.

    `decisions` by variant and axis; `shifts` by variant: CAS and the mean scores, reported and not
    tested; `drifts` by variant and rate, where this run's judge scored a baseline's responses
    again: the change that the judge alone caused (the decisions then have what the model caused).
    `plan` is one sentence on what this number of prompts can show. `unchanged` has the variants
    whose answers are all equal to those of their baseline, byte for byte, although they are not
    known to be the same model. `people` has by axis what is known of people's labels.
    """

    against: str
    decisions: tuple[Decision, ...]
    shifts: Mapping[str, tuple[Shift, ...]] = field(default_factory=dict)
    drifts: Mapping[str, Mapping[str, Shift]] = field(default_factory=dict)
    plan: str = ""
    unchanged: tuple[str, ...] = ()
    people: Mapping[str, PeopleAgreement] = field(default_factory=dict)


def worst(*outcomes: Outcome) -> Outcome:
    """The worst of `outcomes`; `pass` if there are none."""
    return max(outcomes, key=OUTCOMES.index, default="pass")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One variant against another on the same prompts: `changes` from `before` to `after`.

    There is one change per axis. `adjusted` has for each its two-sided exact p-value after Holm's
    correction over all comparisons that were made together. `combined` is the change of CAS; None
    unless every axis was compared.
    """

    before: str
    after: str
    changes: tuple[Change, ...]
    adjusted: tuple[float, ...]
    combined: Shift | None


BEST = re.compile(r"(?P<variant>\S+) is best on (?P<rate>all metrics|\S+)")
ABOVE = re.compile(r"(?P<variant>\S+) is above (?P<other>\S+) on (?P<rate>all metrics|\S+)")
"""How a claim of order is written: `sft_dpo is best on HmR`, `sft is above base on CAS`."""

Support = Literal["supported", "open", "contradicted"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of order between variants, and whether the data support it."""

    text: str
    support: Support
    reason: str


@dataclass(frozen=True, slots=True)
class Findings:
    """All comparisons of a run: variants with each other, claims about them, and the gate.

    `manifests` has by variant what another run must have in common to be compared with it.
    """

    comparisons: tuple[Comparison, ...] = ()
    claims: tuple[Claim, ...] = ()
    gate: GateResult | None = None
    manifests: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
