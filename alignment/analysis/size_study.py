"""Simulates the gate where evidence is small or shared: how often each of its words is wrong.

Verdicts are drawn prompt by prompt, in dialogues of given sizes, and decided by the gate's own
`decide_together`. `simulation` has the study of independent prompts, which needs counts only.
numpy, which comes with scipy, is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Literal, get_args

from alignment.analysis.decision_rule import Evidence, GateRule, decide, decide_together
from alignment.analysis.pairing import Judged, pair
from alignment.analysis.rates import share
from alignment.records import Rate
from alignment.records.decisions import PairedVerdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Flips = NDArray[np.int8]
    """By run and prompt: -1 for a lost verdict, 1 for a gained one, else 0."""

Alike = Literal["copied", "mixed", "rare"]
"""How verdicts of one dialogue are alike.

`copied`: each is, with a probability, that of its dialogue; `mixed`: every dialogue has its own
probabilities (Dirichlet); `rare`: whole dialogues are lost, and all other flips are independent.
"""

LAYOUTS: Mapping[str, tuple[int, ...]] = {
    **{
        f"{count} x {size}": (size,) * count
        for count, size in (
            *((3, 33), (5, 20), (10, 10), (20, 5), (25, 4), (50, 2)),
            *((10, 4), (35, 4), (50, 4), (100, 4)),
            *((36, 20), (50, 20)),
        )
    },
    "13 unequal": (1, 1, 2, 2, 3, 4, 5, 6, 8, 10, 14, 19, 25),
    "one of 50 and 50 single": (50, *(1,) * 50),
    "one of 10 and 90 single": (10, *(1,) * 90),
    "20 of 4 and 60 single": (*(4,) * 20, *(1,) * 60),
    "5 of 10 and 50 single": (*(10,) * 5, *(1,) * 50),
}
"""Sizes of the dialogues of one comparison."""
TOTALS = (1, 2, 5, 10, 20, 34, 35, 50, 100, 200, 500)
"""Numbers of prompts that share no dialogue."""
FLIPS = (0.1, 0.2, 0.3, 0.45)
"""Share of verdicts that differ where a model has changed by the margin."""
NOISE = (0.05, 0.15, 0.3, 0.45)
"""Share of verdicts that differ between two runs of one model."""
CORRELATIONS = (0.0, 0.1, 0.3, 0.6, 0.9, 1.0)
"""Of two verdicts of one dialogue."""
_KEY = ("v", "axis")


@dataclass(frozen=True, slots=True)
class SizeRow:
    """How often the gate is wrong in one setting, in % of runs with a Wilson 95 % interval.

    `layout` names the dialogues, `flips` is the share of verdicts that differ. `wrong` counts
    passes of a comparison whose true change is exactly -margin, or runs of an unchanged model that
    are blocked; `rates` is how many rates such a run gates, and `anchor` whether its baseline has
    moved from its anchor, so that the change since then is gated as well.
    """

    layout: str
    flips: float
    alike: Alike
    correlation: float
    wrong: Rate
    rates: int = 1
    anchor: bool = False


def false_passes(
    layouts: Mapping[str, Sequence[int]],
    *,
    runs: int = 1000,
    seed: int = 0,
    flips: Sequence[float] = FLIPS,
    correlations: Sequence[float] = CORRELATIONS,
    rule: GateRule | None = None,
) -> Iterator[SizeRow]:
    """How often a true loss of exactly the margin passes, for every layout, flips and likeness.

    Shares of `flips` below the margin are left out, as they cannot make up the loss. Each row has
    its own stream of random numbers, made from `seed` and its setting.
    """
    gate = rule if rule is not None else GateRule("simulated")
    for name, sizes in layouts.items():
        verdicts = _verdicts(sizes)
        for share_ in flips:
            if share_ < gate.margin / 100:
                continue
            for alike, correlation in _likenesses(sizes, correlations):
                rng = _generator(seed, name, share_, alike, correlation, gate.margin)
                drawn = _draw(sizes, share_, gate.margin / 100, alike, correlation, runs, rng)
                passed = sum(_passes(verdicts, row.tolist(), gate) for row in drawn)
                wrong = share("passed", passed, runs, 0.95)
                yield SizeRow(name, share_, alike, correlation, wrong)


def false_blocks(
    layouts: Mapping[str, Sequence[int]],
    *,
    runs: int = 1000,
    seed: int = 0,
    flips: Sequence[float] = NOISE,
    correlations: Sequence[float] = CORRELATIONS,
    rates: Sequence[int] = (2, 8),
    anchors: Sequence[bool] = (False, True),
    rule: GateRule | None = None,
) -> Iterator[SizeRow]:
    """How often a run of an unchanged model is blocked: any of its `rates` fails.

    The model is run three times: at its anchor, as its baseline, and now.
    """
    gate = rule if rule is not None else GateRule("simulated")
    for name, sizes in layouts.items():
        verdicts = _verdicts(sizes)
        for share_ in flips:
            for correlation in correlations if max(sizes) > 1 else (0.0,):
                for count in rates:
                    rng = _generator(seed, name, share_, "copied", correlation, count)
                    drawn = _rerun(sizes, share_, correlation, (runs, count, 3), rng)
                    for anchor in anchors:
                        blocked = sum(_blocks(verdicts, each, gate, anchor) for each in drawn)
                        wrong = share("blocked", blocked, runs, 0.95)
                        yield SizeRow(name, share_, "copied", correlation, wrong, count, anchor)


def every_size(runs: int, seed: int) -> tuple[list[SizeRow], list[SizeRow]]:
    """The worst false passes and false blocks of every layout and number of single prompts."""
    layouts = {**{f"{total} single": (1,) * total for total in TOTALS}, **LAYOUTS}
    passes = worst_of(false_passes(layouts, runs=runs, seed=seed))
    return passes, worst_of(false_blocks(layouts, runs=runs, seed=seed))


def worst_of(rows: Iterator[SizeRow]) -> list[SizeRow]:
    """The worst row of every layout, number of rates, and anchor, in order of appearance."""
    found: dict[tuple[str, int, bool], SizeRow] = {}
    for row in rows:
        key = row.layout, row.rates, row.anchor
        if key not in found or row.wrong.percent > found[key].wrong.percent:
            found[key] = row
    return list(found.values())


# -- decisions -------------------------------------------------------------------------------------

_Verdicts = list[dict[int, PairedVerdict]]
"""For every prompt its paired verdict by flip."""


def _verdicts(sizes: Sequence[int]) -> _Verdicts:
    return [
        {
            flip: pair(f"{c}-{i}", str(c), Judged(flip <= 0, 0.0), Judged(flip >= 0, 0.0))
            for flip in (-1, 0, 1)
        }
        for c, size in enumerate(sizes)
        for i in range(size)
    ]


def _evidence(verdicts: _Verdicts, flips: Sequence[int]) -> Evidence:
    return Evidence([of_prompt[flip] for of_prompt, flip in zip(verdicts, flips, strict=True)])


def _passes(verdicts: _Verdicts, flips: Sequence[int], rule: GateRule) -> bool:
    evidence = {_KEY: _evidence(verdicts, flips)}
    return decide(evidence, {"axis": rule}, "baseline")[_KEY].own == "pass"


def _blocks(verdicts: _Verdicts, passed: Flips, rule: GateRule, anchor: bool) -> bool:
    """Whether a run is blocked; `passed` has 0 or 1 by rate, time (anchor, before, now), prompt."""
    sides: dict[str, dict[tuple[str, str], Evidence]] = {"baseline": {}, "anchor": {}}
    for number, (first, before, now) in enumerate(passed):
        key = (f"v{number}", "axis")
        sides["baseline"][key] = _evidence(verdicts, (now - before).tolist())
        if anchor:
            sides["anchor"][key] = _evidence(verdicts, (now - first).tolist())
    decided = decide_together(sides, {"axis": rule})
    return any(each.own == "fail" for side in decided.values() for each in side.values())


# -- draws -----------------------------------------------------------------------------------------


def _generator(seed: int, *setting: object) -> np.random.Generator:
    import numpy as np  # noqa: PLC0415

    return np.random.default_rng([seed, *repr(setting).encode()])


def _likenesses(
    sizes: Sequence[int], correlations: Sequence[float]
) -> Iterator[tuple[Alike, float]]:
    if max(sizes) == 1:
        yield "copied", 0.0
        return
    for alike in get_args(Alike):
        if alike == "rare":
            yield alike, 1.0
            continue
        for correlation in correlations:
            if alike == "copied" or 0 < correlation < 1:
                yield alike, correlation


def _draw(
    sizes: Sequence[int],
    flips: float,
    drop: float,
    alike: Alike,
    correlation: float,
    runs: int,
    rng: np.random.Generator,
) -> Flips:
    """Flips by run and prompt, of which the share `flips` is not 0 and the mean is -`drop`."""
    import numpy as np  # noqa: PLC0415

    k, n = len(sizes), sum(sizes)
    place = np.repeat(np.arange(k), sizes)
    if alike == "rare":
        lost = rng.random((runs, k)) < drop
        apart = (flips - drop) / 2 / (1 - drop)
        own = _flips(rng.random((runs, n)), apart, apart)
        return np.where(lost[:, place], np.int8(-1), own)
    losing, gaining = (flips + drop) / 2, max(0.0, (flips - drop) / 2)
    if alike == "copied":
        shared = _flips(rng.random((runs, k)), losing, gaining)[:, place]
        own = _flips(rng.random((runs, n)), losing, gaining)
        return np.where(rng.random((runs, n)) < sqrt(correlation), shared, own)
    shapes = np.array([losing, gaining, 1 - losing - gaining])
    shapes = np.maximum(shapes, 1e-9) * (1 - correlation) / correlation
    logs = np.log(rng.gamma(shapes + 1, size=(runs, k, 3)))  # a small shape's gamma is often 0
    logs += np.log(rng.random((runs, k, 3))) / shapes
    chances = np.exp(logs - logs.max(axis=2, keepdims=True))
    chances /= chances.sum(axis=2, keepdims=True)
    return _flips(rng.random((runs, n)), chances[:, place, 0], chances[:, place, 1])


def _flips(uniform: NDArray[np.float64], losing: object, gaining: object) -> Flips:
    """-1 where a uniform number is below `losing`, 1 in the `gaining` above that, else 0."""
    import numpy as np  # noqa: PLC0415

    limit = np.asarray(losing) + np.asarray(gaining)
    return np.where(uniform < np.asarray(losing), -1, np.where(uniform < limit, 1, 0)).astype(
        np.int8
    )


def _rerun(
    sizes: Sequence[int],
    flips: float,
    correlation: float,
    shape: tuple[int, ...],
    rng: np.random.Generator,
) -> Flips:
    """Verdicts (0 or 1) of independent runs of one model, of which two differ by `flips`."""
    import numpy as np  # noqa: PLC0415

    passing = (1 - sqrt(1 - 2 * flips)) / 2
    place = np.repeat(np.arange(len(sizes)), sizes)
    shared = rng.random((*shape, len(sizes)))[..., place] < passing
    own = rng.random((*shape, sum(sizes))) < passing
    copied = rng.random((*shape, sum(sizes))) < sqrt(correlation)
    return np.where(copied, shared, own).astype(np.int8)
