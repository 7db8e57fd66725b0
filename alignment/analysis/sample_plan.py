"""How many samples per prompt a gate needs where decoding is random.

Several answers to a prompt are one cluster. The mean of k verdicts with the correlation r has the
variance of k / (1 + (k - 1) r) independent ones (Kish 1965, Survey Sampling, section 5.4), so that
n prompts with k samples count as n k / (1 + (k - 1) r) prompts with one.
"""

from __future__ import annotations

from math import ceil

from alignment.analysis.power import (
    detectable,
    drop_clause,
    margin_clause,
    pass_chance,
    prompts_needed,
)

CORRELATION = 0.05
"""Between the changes of two samples of one prompt. It is 0 for an unchanged model; the gate's
interval for clusters then costs as much as 0.05 (tests measure it). Where a model has changed, some
prompts change for good, and the correlation is higher."""

_MOST = 16
_POWER = 0.8


def effective_prompts(total: int, samples: int, correlation: float = CORRELATION) -> int:
    """The number of prompts with one sample that decide as well as `total` with `samples` each.

    `correlation` (0 to 1) is that of the changes of two samples of one prompt. Raises ValueError
    for arguments out of range.
    """
    if total < 1 or samples < 1 or not 0 <= correlation <= 1:
        raise ValueError(
            f"{total} prompts, {samples} samples and a correlation of {correlation}: at least 1, "
            f"at least 1, and from 0 to 1 are required"
        )
    return max(total, int(total * samples / (1 + (samples - 1) * correlation) + 1e-9))


def samples_line(
    total: int,
    samples: int,
    flips: float,
    margin: float = 10.0,
    confidence: float = 0.95,
    family: int = 1,
    *,
    correlation: float = CORRELATION,
) -> str:
    """Two sentences on what `total` prompts per axis with `samples` answers each can show.

    The other arguments are those of `power.power`, with `flips` the share (0 to 1) of single
    verdicts that differ between two runs; the power is 80 %. Raises ValueError for arguments out of
    range.
    """
    prompts = effective_prompts(total, samples, correlation)
    drop = detectable(prompts, flips, margin=margin, confidence=confidence, family=family)
    enough = _enough(samples, flips, margin, confidence, family, correlation)
    return (
        f"with {total} prompts per axis, {_counted(samples)} of each (correlation {correlation:g}: "
        f"as {prompts} prompts) and {100 * flips:.3g} % of verdicts flipping: "
        f"{drop_clause(drop)}; {enough}. "
        f"{_advice(total, samples, flips, margin, confidence, family, correlation)}"
    )


def _enough(
    samples: int, flips: float, margin: float, confidence: float, family: int, correlation: float
) -> str:
    """How many prompts a margin needs: at least so many as where no verdict differs."""
    single, least = (
        prompts_needed(each, margin=margin, confidence=confidence, family=family)
        for each in (flips, 0.0)
    )
    if single is None or least is None:
        return margin_clause(margin, None)
    needed = ceil(single * (1 + (samples - 1) * correlation) / samples)
    return margin_clause(margin, f"{max(least, needed)} prompts of them")


def _advice(
    total: int,
    samples: int,
    flips: float,
    margin: float,
    confidence: float,
    family: int,
    correlation: float,
) -> str:
    """How often an unchanged model passes with more and more samples, and how many are enough."""

    def chance(count: int) -> float:
        prompts = effective_prompts(total, count, correlation)
        return pass_chance(prompts, flips, margin=margin, confidence=confidence, family=family)

    counts = sorted({1, *(2**i for i in range(5) if 2**i < samples), samples})
    listed = ", ".join(f"{100 * chance(count):.0f} % with {_counted(count)}" for count in counts)
    enough = next((count for count in range(1, _MOST + 1) if chance(count) >= _POWER), None)
    advice = (
        f"not even {_MOST} samples give 80 %: more prompts are needed"
        if enough is None
        else "one is enough"
        if enough == 1
        else f"{enough} samples are enough for 80 %"
    )
    return f"An unchanged model passes in {listed}; {advice}"


def _counted(samples: int) -> str:
    return f"{samples} sample{'s' * (samples > 1)}"
