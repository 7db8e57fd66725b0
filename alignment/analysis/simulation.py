"""The gate on trial: how often it blocks a model that has not changed, and finds one that has.

Made-up runs go through the gate's own `verdict`, and through two rules that other tools follow, on
the same data. Prompts are independent and flip with a known probability, so the truth is known.
numpy, which scipy brings, is imported where it is used: a run of the gate never comes here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, get_args

from alignment.analysis.decision_rule import Rule, verdict
from alignment.analysis.paired import mcnemar, tango
from alignment.analysis.rates import share
from alignment.records import Rate
from alignment.records.decisions import OUTCOMES, Change

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Reals = NDArray[np.float64]

Trial = Literal["no change", "at the margin", "detection"]
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
_COUNTED: Mapping[Trial, int | None] = {"no change": None, "at the margin": 1, "detection": _AXES}
"""How many of the comparisons, from the first, an outcome is the worst of; None means all."""
_PASS, _WAIT, _FAIL = (OUTCOMES.index(word) for word in ("pass", "inconclusive", "fail"))


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """The truth of a made-up run.

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
class Row:
    """What a rule said in one setting, as shares of the runs in % with Wilson 95 % intervals.

    `trial` says whose outcome is counted: `no change`, the run's (the worst of all comparisons);
    `at the margin`, that of the one comparison whose rate falls by the margin; `detection`, that of
    the variant with the drop.
    """

    trial: Trial
    rule: RuleName
    at: Setting
    blocked: Rate
    inconclusive: Rate
    passed: Rate


@dataclass(frozen=True, slots=True)
class Headline:
    """The gate's worst row without a change, and its row for 20 points at 100 prompts."""

    false_block: Row
    detection: Row

    @property
    def sentence(self) -> str:
        """Both in words, with their settings and intervals."""
        block, found = self.false_block, self.detection
        quiet = f"an unchanged model is blocked in at most {_cell(block.blocked)} % of the runs"
        drop = f"a drop of {found.at.drop:g} points is detected in {_cell(found.blocked)} %"
        return f"{quiet} ({block.at}); {drop} ({found.at})"


def simulate(
    runs: int = 4000,
    seed: int = 0,
    *,
    totals: Sequence[int] = TOTALS,
    variants: Sequence[int] = VARIANTS,
    rule: Rule | None = None,
) -> list[Row]:
    """Three rows, one for each rule, for every trial and setting; some seconds with 4000 runs.

    `rule` is the gate's; None means its defaults. A row depends on `runs`, `seed`, the rule and its
    own setting only: leaving some `totals` or `variants` out changes no other row.

    Raises ValueError for less than one run, prompt or variant.
    """
    gate = rule if rule is not None else Rule("simulated")
    if min(runs, *totals, *variants) < 1:
        raise ValueError(f"{runs} runs, {totals} prompts, {variants} variants: each at least 1")
    rows = [
        row
        for flips, drop, trials in _truths(gate.margin)
        for total in totals
        for count in variants
        for row in _judged(Setting(total, count, flips, drop), trials, gate, runs, seed)
    ]
    return sorted(rows, key=lambda row: get_args(Trial).index(row.trial))


def table(rows: Sequence[Row]) -> str:
    """Markdown: a table for each trial, one line per setting, the rules side by side.

    Shares of the runs in %, each with its interval.
    """
    told = [(trial, [row for row in rows if row.trial == trial]) for trial in _TABLES]
    return "\n".join(_section(trial, found) for trial, found in told if found)


def headline(rows: Sequence[Row]) -> Headline:
    """The two numbers that matter most, both of the gate itself.

    The largest share of blocked runs where nothing has changed, and the share in which a drop of 20
    points is found with 100 prompts per axis, one variant and 40 % of verdicts flipping.

    Raises ValueError where `rows` lack them.
    """
    ours = [row for row in rows if row.rule == "gate"]
    quiet = [row for row in ours if row.trial == "no change"]
    asked = ("detection", Setting(total=100, variants=1, flips=0.4, drop=20.0))
    found = [row for row in ours if (row.trial, row.at) == asked]
    if not quiet or not found:
        raise ValueError("the rows do not include a setting that the headline needs")
    return Headline(max(quiet, key=lambda row: row.blocked.percent), found[0])


# -- one setting -----------------------------------------------------------------------------------


def _truths(margin: float) -> Iterator[tuple[float, float, tuple[Trial, ...]]]:
    """Flips, drop, and the trials that count runs with them."""
    for flips in NOISE:
        yield flips, 0.0, ("no change",)
    for flips in DISCORDANCE:
        for drop in sorted({*DROPS, margin}):
            if drop <= 100 * flips:
                found: tuple[Trial, ...] = ("detection",) if drop in DROPS else ()
                yield flips, drop, (("at the margin", *found) if drop == margin else found)


def _judged(
    at: Setting, trials: Sequence[Trial], gate: Rule, runs: int, seed: int
) -> Iterator[Row]:
    drawn = _draw(at, runs, seed)
    words = {"gate": _gate(*drawn, at.total, gate), **_others(*drawn, at.total, gate)}
    for trial in trials:
        for rule in RULES:
            worst = words[rule][:, : _COUNTED[trial]].max(axis=1)
            counts = {word: int((worst == word).sum()) for word in (_FAIL, _WAIT, _PASS)}
            shares = (share(OUTCOMES[word], counts[word], runs, 0.95) for word in counts)
            yield Row(trial, rule, at, *shares)


def _draw(at: Setting, runs: int, seed: int) -> tuple[Counts, Counts]:
    """Lost and gained verdicts by run and comparison; the first comparison has the drop."""
    import numpy as np  # noqa: PLC0415

    name = [at.total, at.variants, round(1e6 * at.flips), round(1e6 * at.drop)]
    chance = np.random.default_rng([seed, *name])
    tables = np.empty((runs, at.variants * _AXES, 3), dtype=np.int64)
    for place in range(at.variants * _AXES):
        fall = at.drop / 100 if place == 0 else 0.0
        losing, gaining = (at.flips + fall) / 2, max(0.0, (at.flips - fall) / 2)
        tables[:, place] = chance.multinomial(at.total, [losing, gaining, 1 - at.flips], size=runs)
    return tables[:, :, 0], tables[:, :, 1]


# -- the rules: outcomes, as places in OUTCOMES, by run and comparison -----------------------------


def _gate(lost: Counts, gained: Counts, total: int, rule: Rule) -> Counts:
    """What `gate.decide` says: each distinct table goes through `verdict` once."""
    import numpy as np  # noqa: PLC0415

    kinds, places = np.unique(lost * (total + 1) + gained, return_inverse=True)
    found = [_word(int(k) // (total + 1), int(k) % (total + 1), total, rule) for k in kinds]
    p_worse, significant, otherwise = (np.asarray(each) for each in zip(*found, strict=True))
    places = places.reshape(lost.shape)
    adjusted = _holm(p_worse[places])
    return np.where(adjusted <= 1 - rule.confidence, significant[places], otherwise[places])


@lru_cache(maxsize=1 << 17)
def _word(lost: int, gained: int, total: int, rule: Rule) -> tuple[float, int, int]:
    """The unadjusted p-value of a table, and the gate's word if it is significant or is not."""
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
        p_exact=float("nan"),  # reported and never decided by: half of the time saved
        clustered=False,
    )
    significant, otherwise = (verdict(change, adjusted, rule) for adjusted in (0.0, 1.0))
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


def _others(lost: Counts, gained: Counts, total: int, rule: Rule) -> dict[RuleName, Counts]:
    """What tools say that never call a run inconclusive.

    `threshold` blocks when the rate has fallen by the margin, whatever chance could do;
    `significance` when a one-sided z-test of two unpaired proportions says so, however small the
    fall, without a correction for the number of comparisons. The first rate is taken to be 50 %.
    """
    import numpy as np  # noqa: PLC0415

    fall = np.minimum((lost - gained) / total, _BEFORE)
    pooled = _BEFORE - fall / 2
    limit = NormalDist().inv_cdf(rule.confidence) * np.sqrt(pooled * (1 - pooled) * 2 / total)
    return {
        "threshold": np.where(100 * (gained - lost) / total <= -rule.margin, _FAIL, _PASS),
        "significance": np.where(fall > limit, _FAIL, _PASS),
    }


# -- tables ----------------------------------------------------------------------------------------

_SAID: tuple[tuple[RuleName, str], ...] = (
    *(("gate", word) for word in ("blocked", "inconclusive", "passed")),
    ("threshold", "blocked"),
    ("significance", "blocked"),
)
_TABLES: Mapping[Trial, tuple[str, Sequence[tuple[RuleName, str]]]] = {
    "no change": ("No change: outcome of the run", _SAID),
    "at the margin": (
        "Drop equal to the margin: outcome of that comparison",
        [(r, "passed") for r in RULES],
    ),
    "detection": ("Drop: outcome of that variant", [(r, "blocked") for r in RULES]),
}


def _section(trial: Trial, rows: Sequence[Row]) -> str:
    title, columns = _TABLES[trial]
    headings = ["prompts", "variants", "flips", "drop", *map(" ".join, columns)]
    by_setting: dict[Setting, dict[RuleName, Row]] = {}
    for row in rows:
        by_setting.setdefault(row.at, {})[row.rule] = row
    lines = [f"### {title}", "", _line(headings), _line(["---:"] * len(headings))]
    for at in sorted(by_setting):
        cells = [str(at.total), str(at.variants), f"{100 * at.flips:g} %", f"{at.drop:g}"]
        cells += [_cell(getattr(by_setting[at][rule], word)) for rule, word in columns]
        lines.append(_line(cells))
    return "\n".join([*lines, ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(rate: Rate) -> str:
    return f"{rate.percent:.1f} [{rate.interval.low:.1f}, {rate.interval.high:.1f}]"
