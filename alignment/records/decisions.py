"""What the gate says, as frozen records: paired changes, flipped prompts, decisions.

Leaves, like `alignment.records`: no behaviour beyond what follows from their own fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from alignment.records import Interval

Outcome = Literal["pass", "inconclusive", "uninformative", "fail", "invalid"]
OUTCOMES: tuple[Outcome, ...] = ("pass", "inconclusive", "uninformative", "fail", "invalid")
"""From best to worst."""

ACCEPT = '--snapshot-update --alignment-reason "why"'
"""The options that accept a run whatever its baseline was, and move the anchor."""


@dataclass(frozen=True, slots=True)
class PairedVerdict:
    """One prompt before and after: verdicts, and scores in the judge's unit.

    `cluster` is shared by prompts of one dialogue, which are not independent evidence. A response
    that is no answer at all has its kind (`empty`, `echo`, ...) in `degenerate_before` or
    `degenerate_after`; None also where nobody knows.
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
        """-1 where a passing prompt was lost, 1 where one was gained, else 0."""
        return int(self.after) - int(self.before)


@dataclass(frozen=True, slots=True)
class Change:
    """How a rate changed on the same prompts.

    Rates, `difference` (after - before) and its Tango `interval` are in percentage points; `lost`
    and `gained` count flipped verdicts among `total` prompts. `p_worse` is the one-sided mid-p
    McNemar probability of so large a loss if nothing had changed, `p_exact` the two-sided exact
    one. `clustered`: prompts share dialogues, and all of these are of the cluster form; `effect` is
    then by how much that inflates the variance of the difference, else 1.
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
    """A difference (after - before) with its interval: of CAS in points, of mean scores."""

    name: str
    difference: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Flip:
    """A prompt whose verdict changed, with what was answered where that is stored."""

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
    """Responses that are no answers: `after` of `total`, by `kinds`; `before` were."""

    before: int
    after: int
    total: int
    kinds: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Decision:
    """The gate's word on one variant and axis.

    `against` says what it was compared with (`baseline`, `variant base`, `anchor`). `change` is
    None where nothing could be compared; `reasons` then says why, one sentence each. `adjusted` is
    `change.p_worse` after Holm's correction. `needed` is how many prompts of this kind would
    decide an inconclusive case (None: no number would). `flips` lists the flipped prompts, worst
    first. `degenerate` is there where most responses are: such a rate never passes. `spoiled` is
    there where not most are, but more than before, by the margin or more and not by chance: such a
    pass wants a look. `anchor` is the same question asked of the cumulative change since the
    anchor.
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
    reasons: tuple[str, ...] = ()
    flips: tuple[Flip, ...] = ()
    degenerate: Degenerate | None = None
    spoiled: Degenerate | None = None
    anchor: Decision | None = None

    @property
    def outcome(self) -> Outcome:
        """The worse of what the comparison and the anchor say."""
        return self.own if self.anchor is None else worst(self.own, self.anchor.own)


@dataclass(frozen=True, slots=True)
class GateResult:
    """Everything the gate found in one run.

    `decisions` by variant and axis; `shifts` by variant: CAS and the mean scores, reported and not
    tested; `drifts` by variant where a baseline was scored anew: what the judge alone did, as
    shifts by rate (the decisions then say what the model did). `plan` is one sentence on what these
    prompts can show. `unchanged` has the variants that give every answer that their baseline
    stores, byte for byte, and are not known to be the same model.
    """

    against: str
    decisions: tuple[Decision, ...]
    shifts: Mapping[str, tuple[Shift, ...]] = field(default_factory=dict)
    drifts: Mapping[str, Mapping[str, Shift]] = field(default_factory=dict)
    plan: str = ""
    unchanged: tuple[str, ...] = ()


def worst(*outcomes: Outcome) -> Outcome:
    """The worst of some outcomes; `pass` for none."""
    return max(outcomes, key=OUTCOMES.index, default="pass")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One variant against another on the same prompts: `changes` from `before` to `after`.

    One change per axis, `adjusted` is each one's two-sided exact p after Holm's correction over all
    comparisons that were made together; `combined` is the change of CAS, None unless every axis was
    compared.
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
    """What comparing gave: variants with each other, claims about them, and the gate's word.

    `manifests` has by variant what another run must share to be compared with it.
    """

    comparisons: tuple[Comparison, ...] = ()
    claims: tuple[Claim, ...] = ()
    gate: GateResult | None = None
    manifests: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
