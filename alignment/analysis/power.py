"""What a number of prompts can show: the gate's power, computed without simulation.

The gate's outcome depends on two counts only: how many of n prompts flip (binomial), and how many
of these are losses (binomial, given the flips). Both sums are exact, but for counts whose total
probability is below 1e-15.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from alignment.analysis.binomial import at_least, likely, point
from alignment.analysis.decision_rule import MOST_PROMPTS

_STEP = 0.01
"""How finely a detectable drop is found, in points."""


def power(
    total: int,
    flips: float,
    drop: float,
    *,
    margin: float = 10.0,
    confidence: float = 0.95,
    family: int = 1,
) -> float:
    """The probability (0 to 1) that the gate fails one comparison in which the model got worse.

    `total` prompts, of which the share `flips` (0 to 1) changes its verdict on average; the true
    rate falls by `drop` percentage points. `margin` is in points. The comparison is the first of
    `family` in Holm's order, so that its level is (1 - confidence) / family; where others fail too
    the level of the later ones is higher. The unconditional power of the conditional test, as in
    Duffy (1984), Biometrics 40:1005-1015, with `decision_rule.outcome_of` as the test.

    Raises ValueError for a drop that `flips` cannot produce, and for arguments out of range.
    """
    _check(total, flips, margin, confidence, family)
    _check_drop(flips, drop)
    return _power_of(_cells(total, flips, margin, confidence, family), flips, drop)


def detectable(
    total: int,
    flips: float,
    *,
    power: float = 0.8,
    margin: float = 10.0,
    confidence: float = 0.95,
    family: int = 1,
) -> float | None:
    """The smallest true drop, in points, that the gate detects with that `power` (0 to 1).

    The other arguments are those of the function `power`. The result is at most 0.01 points too
    large. None where not even 100 * `flips` points, the drop if all flips are losses, are detected.

    Raises ValueError for arguments out of range.
    """
    _check(total, flips, margin, confidence, family, power)
    cells = _cells(total, flips, margin, confidence, family)
    low, high = 0.0, 100 * flips
    if _power_of(cells, flips, high) < power:
        return None
    if _power_of(cells, flips, low) >= power:
        return low
    while high - low > _STEP:
        middle = (low + high) / 2
        low, high = (low, middle) if _power_of(cells, flips, middle) >= power else (middle, high)
    return high


def prompts_needed(
    flips: float,
    *,
    margin: float = 10.0,
    power: float = 0.8,
    confidence: float = 0.95,
    family: int = 1,
) -> int | None:
    """How many prompts per axis distinguish a loss of `margin` points from no change.

    With that many, an unchanged model, of whose verdicts the share `flips` (0 to 1) differs by
    chance, gets `pass` in all of `family` comparisons with that `power` (0 to 1). Comparisons are
    taken as independent; if they are correlated, the probability is higher. None where more than
    100 000 prompts are needed, and for a margin of 0.

    The power is not quite monotonic: a few more prompts can have slightly less of it.

    Raises ValueError for arguments out of range.
    """
    per_comparison: float = power ** (1 / family)
    return prompts_to_decide(
        flips, 0.0, margin=margin, power=per_comparison, confidence=confidence, family=family
    )


def pass_chance(
    total: int, flips: float, *, margin: float = 10.0, confidence: float = 0.95, family: int = 1
) -> float:
    """The probability (0 to 1) that an unchanged model passes all of `family` comparisons.

    The arguments are those of the function `power`. Comparisons are taken as independent.

    Raises ValueError for arguments out of range.
    """
    _check(total, flips, margin, confidence, family)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    return min(1.0, _pass_probability(total, flips, 0.0, margin / 100, z)) ** family


def prompts_to_decide(
    flips: float,
    change: float,
    *,
    margin: float = 10.0,
    power: float = 0.8,
    confidence: float = 0.95,
    family: int = 1,
) -> int | None:
    """How many prompts decide one comparison whose true change is `change` points.

    With that many, it gets `pass` (where `change` is above -`margin`) or `fail` (where it is not)
    with that `power` (0 to 1). `flips` is the share (0 to 1) of verdicts that differ, at least
    that of the change. The other arguments are those of the function `power`. None where more than
    100 000 prompts are needed, as for a change of the margin.

    The power is not quite monotonic: a few more prompts can have slightly less of it.

    Raises ValueError for a change that `flips` cannot produce, and for arguments out of range.
    """
    _check(1, flips, margin, confidence, family, power)
    _check_drop(flips, change)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)

    def decided(total: int) -> bool:
        if change > -margin:
            chance = _pass_probability(total, flips, change, margin / 100, z)
        else:
            chance = _power_of(_cells(total, flips, margin, confidence, family), flips, -change)
        return chance >= power

    return None if change == -margin else _smallest(decided)


def _smallest(decided: Callable[[int], bool]) -> int | None:
    """The smallest number of prompts that is enough, None where not even MOST_PROMPTS are."""
    high = 1
    while not decided(high):
        if high == MOST_PROMPTS:
            return None
        high = min(2 * high, MOST_PROMPTS)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return high


def plan_line(
    total: int,
    flips: float,
    margin: float = 10.0,
    confidence: float = 0.95,
    family: int = 1,
    *,
    measured: float | None = None,
) -> str:
    """One sentence, without a full stop, on what `total` prompts per axis can show.

    The arguments are those of `power`; the power is 80 % throughout. `measured` is the share of
    verdicts (0 to 1) that flipped in a run: the number of prompts is then computed for it, and only
    the drop for `flips`. Raises ValueError as `power` does.
    """
    drop = detectable(total, flips, margin=margin, confidence=confidence, family=family)
    noise = flips if measured is None else measured
    needed = prompts_needed(noise, margin=margin, confidence=confidence, family=family)
    start = f"with {total} prompts per axis and {100 * flips:.3g} % of verdicts flipping"
    seen = "" if measured is None else f" if {100 * measured:.3g} % flip, as measured in this run"
    enough = margin_clause(margin, None if needed is None else f"{needed} prompts")
    return f"{start}: {drop_clause(drop)}; {enough}{seen}"


def drop_clause(drop: float | None) -> str:
    """What `detectable` gives, in words; the power is 80 %."""
    if drop is None:
        return "no drop can be detected with 80 % power, as it would flip more verdicts"
    return f"80 % power to detect a drop of {drop:.1f} points"


def margin_clause(margin: float, needed: str | None) -> str:
    """What a margin in points needs, such as `100 prompts`; None if no number is enough."""
    if needed is None:
        return f"no number of prompts is enough for a margin of {margin:g} points"
    return f"a margin of {margin:g} points needs {needed}"


# -- the gate's outcome as a limit on losses -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cell:
    """`flipped` prompts flip with probability `weight`; the gate fails from `least` losses on."""

    flipped: int
    weight: float
    least: int


def _cells(total: int, flips: float, margin: float, confidence: float, family: int) -> list[_Cell]:
    """The number of losses that fails the gate, for every likely number of flips.

    With one flip more the limit stays or rises by one, for an added gain makes a table less
    significant and an added loss more so. The search therefore goes on from the last limit.
    """

    def fails(lost: int, flipped: int) -> bool:
        if not flipped or 100 * (flipped - 2 * lost) / total > -margin:
            return False
        p_worse = at_least(lost, flipped, 0.5) - point(lost, flipped, 0.5) / 2
        return family * p_worse <= 1 - confidence

    cells: list[_Cell] = []
    least = 0
    for flipped, weight in likely(total, flips):
        least = max(least, (flipped + 1) // 2)
        while least <= flipped and not fails(least, flipped):
            least += 1
        cells.append(_Cell(flipped, weight, least))
    return cells


def _power_of(cells: list[_Cell], flips: float, drop: float) -> float:
    """The power for a true drop in points."""
    losing = _losing(flips, drop)
    return min(1.0, sum(c.weight * at_least(c.least, c.flipped, losing) for c in cells))


def _pass_probability(total: int, flips: float, change: float, margin: float, z: float) -> float:
    """The probability that the interval lies above -margin (a share) for a true `change` in points.

    `most` is the largest number of losses that passes; with one flip more it stays or rises by one.
    """
    chance, most = 0.0, -1
    losing = _losing(flips, -change)
    for flipped, weight in likely(total, flips):
        while most < flipped and _clears(most + 1, flipped - most - 1, total, margin, z):
            most += 1
        chance += weight * (1 - at_least(most + 1, flipped, losing))
    return chance


def _clears(lost: int, gained: int, total: int, margin: float, z: float) -> bool:
    """Whether the low end of `paired.tango` lies above -margin (a share).

    It does if Tango's statistic at -margin is beyond the quantile: one evaluation instead of the 80
    that finding the end takes. A test compares it with `paired.tango`.
    """
    b = lost + gained + (2 * total - gained + lost) * margin
    c = lost * margin * (1 + margin)
    nuisance = (sqrt(max(0.0, b * b - 8 * total * c)) + b) / (4 * total)
    variance = total * (2 * nuisance - margin * (1 + margin))
    distance = gained - lost + total * margin
    return distance > z * sqrt(variance) if variance > 0 else distance > 0


def _losing(flips: float, drop: float) -> float:
    """The probability that a flip is a loss which gives this drop, in points."""
    return min(1.0, max(0.0, 0.5 + drop / 200 / flips)) if flips else 0.5


def _check_drop(flips: float, drop: float) -> None:
    if not abs(drop) <= 100 * flips * (1 + 1e-12):
        raise ValueError(f"{100 * flips:g} % flips cannot change a rate by {drop:g} points")


def _check(
    total: int, flips: float, margin: float, confidence: float, family: int, power: float = 0.5
) -> None:
    if total < 1 or family < 1:
        raise ValueError(f"{total} prompts in {family} comparisons: both must be at least 1")
    if not 0 <= flips <= 1 or not 0 <= margin <= 100:
        raise ValueError(
            f"flips must be in [0, 1] and the margin in [0, 100], not {flips} and {margin}"
        )
    if not 0 < confidence < 1 or not 0 < power < 1:
        raise ValueError(
            f"confidence and power must be between 0 and 1, not {confidence} and {power}"
        )
