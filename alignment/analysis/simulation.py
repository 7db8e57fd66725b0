"""Simulates the gate: how often it blocks an unchanged model, and how often it detects a drop.

Simulated runs are decided by the gate's own `outcome_of`, and by two rules of other tools on the
same data. Prompts are independent and flip with a known probability, so the truth is known. numpy,
which comes with scipy, is imported where it is used: a run of the gate does not need this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, get_args

from alignment.analysis.decision_rule import GateRule, outcome_of
from alignment.analysis.paired import mcnemar, tango
from alignment.analysis.rates import share
from alignment.records import Rate
from alignment.records.decisions import OUTCOMES, Change

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Reals = NDArray[np.float64]

TrialName = Literal["no change", "at the margin", "detection"]
RuleName = Literal["gate", "threshold", "significance"]
RULES: tuple[RuleName, ...] = get_args(RuleName)

TOTALS = (50, 100, 200, 500)
"""Prompts per axis."""
VARIANTS = (1, 4)
"""Gated variants, each with two axes."""
NOISE = (0.02, 0.05, 0.1, 0.3)
"""Share of verdicts that differ between two runs of one model."""
DISCORDANCE = (0.1, 0.2, 0.3, 0.4)
"""Share of verdicts that differ where a model has changed; no drop can be larger."""
DROPS = (5.0, 10.0, 15.0, 20.0)
"""True drops in points, on one axis of one variant."""

_AXES = 2
_BEFORE = 0.5
_COUNTED: Mapping[TrialName, int | None] = {
    "no change": None,
    "at the margin": 1,
    "detection": _AXES,
}
"""The outcome is the worst of so many comparisons, from the first on; None means all."""
_PASS, _WAIT, _FAIL = (OUTCOMES.index(word) for word in ("pass", "inconclusive", "fail"))


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """The true parameters of a simulated run.

    `total` prompts per axis of each of the gated `variants`; the share `flips` (0 to 1) of verdicts
    differs everywhere, and one axis of one variant falls by `drop` points.
    """

    total: int
    variants: int
    flips: float
    drop: float

    def __str__(self) -> str:
        flips = f"{100 * self.flips:g} % of verdicts flipping"
        return f"{self.total} prompts per axis, gated variants: {self.variants}, {flips}"


@dataclass(frozen=True, slots=True)
class SimulationRow:
    """The outcomes of a rule in one setting, as shares of the runs in % with Wilson 95 % intervals.

    `trial` says which outcome is counted. `no change`: the run's (the worst of all comparisons);
    `at the margin`: that of the one comparison whose rate falls by the margin; `detection`: that of
    the variant with the drop.
    """

    trial: TrialName
    rule: RuleName
    at: Setting
    blocked: Rate
    inconclusive: Rate
    passed: Rate


def simulate(
    runs: int = 4000,
    seed: int = 0,
    *,
    totals: Sequence[int] = TOTALS,
    variants: Sequence[int] = VARIANTS,
    rule: GateRule | None = None,
) -> list[SimulationRow]:
    """Three rows, one for each rule, for every trial and setting; some seconds with 4000 runs.

    `rule` is the gate's; None means its defaults. A row depends on `runs`, `seed`, the rule and its
    own setting only: leaving some `totals` or `variants` out changes no other row.

    Raises ValueError for fewer than one run, prompt or variant.
    """
    gate = rule if rule is not None else GateRule("simulated")
    if min(runs, *totals, *variants) < 1:
        raise ValueError(f"{runs} runs, {totals} prompts, {variants} variants: each at least 1")
    rows = [
        row
        for flips, drop, trials in _truths(gate.margin)
        for total in totals
        for count in variants
        for row in _rows_of(Setting(total, count, flips, drop), trials, gate, runs, seed)
    ]
    return sorted(rows, key=lambda row: get_args(TrialName).index(row.trial))


# -- one setting -----------------------------------------------------------------------------------


def _truths(margin: float) -> Iterator[tuple[float, float, tuple[TrialName, ...]]]:
    """Flips, drop, and the trials that count runs with them."""
    for flips in NOISE:
        yield flips, 0.0, ("no change",)
    for flips in DISCORDANCE:
        for drop in sorted({*DROPS, margin}):
            if drop <= 100 * flips:
                counted: tuple[TrialName, ...] = ("detection",) if drop in DROPS else ()
                yield flips, drop, (("at the margin", *counted) if drop == margin else counted)


def _rows_of(
    at: Setting, trials: Sequence[TrialName], gate: GateRule, runs: int, seed: int
) -> Iterator[SimulationRow]:
    tables = _draw(at, runs, seed)
    outcomes = {"gate": _gate(*tables, at.total, gate), **_others(*tables, at.total, gate)}
    for trial in trials:
        for rule in RULES:
            worst = outcomes[rule][:, : _COUNTED[trial]].max(axis=1)
            counts = {outcome: int((worst == outcome).sum()) for outcome in (_FAIL, _WAIT, _PASS)}
            shares = (share(OUTCOMES[outcome], counts[outcome], runs, 0.95) for outcome in counts)
            yield SimulationRow(trial, rule, at, *shares)


def _draw(at: Setting, runs: int, seed: int) -> tuple[Counts, Counts]:
    """Lost and gained verdicts by run and comparison; the first comparison has the drop."""
    import numpy as np  # noqa: PLC0415

    identity = [at.total, at.variants, round(1e6 * at.flips), round(1e6 * at.drop)]
    rng = np.random.default_rng([seed, *identity])
    tables = np.empty((runs, at.variants * _AXES, 3), dtype=np.int64)
    for place in range(at.variants * _AXES):
        fall = at.drop / 100 if place == 0 else 0.0
        losing, gaining = (at.flips + fall) / 2, max(0.0, (at.flips - fall) / 2)
        tables[:, place] = rng.multinomial(at.total, [losing, gaining, 1 - at.flips], size=runs)
    return tables[:, :, 0], tables[:, :, 1]


# -- the rules: outcomes, as indices of OUTCOMES, by run and comparison ----------------------------


def _gate(lost: Counts, gained: Counts, total: int, rule: GateRule) -> Counts:
    """The outcomes of `decision_rule.decide`: each distinct table is decided once."""
    import numpy as np  # noqa: PLC0415

    codes, places = np.unique(lost * (total + 1) + gained, return_inverse=True)
    flips = [divmod(int(code), total + 1) for code in codes]
    outcomes = [_outcomes_of(*each, total, rule) for each in flips]
    p_worse, significant, otherwise = (np.asarray(each) for each in zip(*outcomes, strict=True))
    places = places.reshape(lost.shape)
    adjusted = _holm(p_worse[places])
    return np.where(adjusted <= 1 - rule.confidence, significant[places], otherwise[places])


@lru_cache(maxsize=1 << 17)
def _outcomes_of(lost: int, gained: int, total: int, rule: GateRule) -> tuple[float, int, int]:
    """The unadjusted p-value of a table, and its outcome if this is significant, and if not."""
    p_worse = mcnemar(lost, gained, midp=True)[0]
    difference = 100 * (gained - lost) / total
    change = Change(
        name=rule.rate,
        total=total,
        before=100 * _BEFORE,
        after=100 * _BEFORE + difference,
        lost=lost,
        gained=gained,
        difference=difference,
        interval=tango(lost, gained, total, rule.confidence),
        p_worse=p_worse,
        p_exact=float("nan"),  # not used by the decision; leaving it out saves half of the time
        clustered=False,
    )
    significant, otherwise = (outcome_of(change, adjusted, rule) for adjusted in (0.0, 1.0))
    return p_worse, OUTCOMES.index(significant), OUTCOMES.index(otherwise)


def _holm(p_values: Reals) -> Reals:
    """`paired.holm` of every row at once."""
    import numpy as np  # noqa: PLC0415

    order = np.argsort(p_values, axis=1, kind="stable")
    factors = np.arange(p_values.shape[1], 0, -1)
    scaled = np.minimum(1.0, factors * np.take_along_axis(p_values, order, axis=1))
    adjusted = np.empty_like(p_values)
    np.put_along_axis(adjusted, order, np.maximum.accumulate(scaled, axis=1), axis=1)
    return adjusted


def _others(lost: Counts, gained: Counts, total: int, rule: GateRule) -> dict[RuleName, Counts]:
    """The outcomes of two rules of other tools, which are never inconclusive.

    `threshold` blocks when the observed rate has fallen by the margin, significant or not;
    `significance` when a one-sided z-test of two unpaired proportions is significant, however small
    the fall, without correction for multiple comparisons. The rate before is taken to be 50 %.
    """
    import numpy as np  # noqa: PLC0415

    fall = np.minimum((lost - gained) / total, _BEFORE)
    pooled = _BEFORE - fall / 2
    limit = NormalDist().inv_cdf(rule.confidence) * np.sqrt(pooled * (1 - pooled) * 2 / total)
    return {
        "threshold": np.where(100 * (gained - lost) / total <= -rule.margin, _FAIL, _PASS),
        "significance": np.where(fall > limit, _FAIL, _PASS),
    }
