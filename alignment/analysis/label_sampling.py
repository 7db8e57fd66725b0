"""Which prompts people label: a random sample from strata of the judge's verdicts.

The strata are the judge's verdicts before and after: both kinds of flips, and both kinds of
agreement. Flips get more labels than their share, because verdicts that the judge changed differ
more often for people too. Within a stratum each prompt is as likely to be drawn as any other, so
that estimates stay unbiased whatever the judge is worth.

Every prompt has a fixed random number, made from the seed and its id, and the smallest numbers of
a stratum are drawn ("permanent random numbers", Ohlsson 1995, in Business Survey Methods, ch. 9).
Samples of different runs therefore have many prompts in common, and labels serve several runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from hashlib import sha256

from alignment.analysis.stratified import LEAST, Stratum

_FLIPS_WEIGHT = 1.3
"""How much more often flips are drawn than agreements: measured on XSTest with two judges, where
weights from 1 to 1.7 give intervals of nearly equal width."""


def stratum_of(before: bool, after: bool) -> Stratum:
    """(whether the judge's verdict flipped, its verdict before): four strata."""
    return before != after, before


def draw(
    strata: Mapping[str, Stratum], budget: int, seed: int, *, known: frozenset[str] = frozenset()
) -> list[str]:
    """The ids of the prompts to label, at most `budget`, in random order.

    `strata` has the stratum of every prompt. `known` prompts need no label (both answers are
    identical): they are not drawn.
    """
    by_stratum: dict[Stratum, list[str]] = defaultdict(list)
    for id_, stratum in strata.items():
        if id_ not in known:
            by_stratum[stratum].append(id_)
    sizes = {stratum: len(ids) for stratum, ids in by_stratum.items()}
    counts = allocate(sizes, budget)
    drawn = [
        id_
        for stratum, ids in by_stratum.items()
        for id_ in sorted(ids, key=lambda each: _number(seed, each))[: counts[stratum]]
    ]
    return sorted(drawn, key=lambda each: _number(seed + 1, each))


def allocate(sizes: Mapping[Stratum, int], budget: int) -> dict[Stratum, int]:
    """How many prompts of each stratum to label: `budget` in all, or all prompts if they are fewer.

    Every stratum gets `LEAST` (or all of it) if the budget allows, the largest first; the rest is
    proportional to size, with `_FLIPS_WEIGHT` for flips.
    """
    counts = dict.fromkeys(sizes, 0)
    order = sorted(sizes, key=lambda stratum: (-sizes[stratum], repr(stratum)))
    left = min(budget, sum(sizes.values()))
    for stratum in order:
        counts[stratum] = min(LEAST, sizes[stratum], left)
        left -= counts[stratum]
    for _ in range(left):
        chosen = max(
            (stratum for stratum in order if counts[stratum] < sizes[stratum]),
            key=lambda stratum: sizes[stratum] * _weight(stratum) / (counts[stratum] + 0.5),
        )
        counts[chosen] += 1
    return counts


def _weight(stratum: Stratum) -> float:
    return _FLIPS_WEIGHT if stratum[0] else 1.0


def _number(seed: int, id_: str) -> bytes:
    return sha256(f"{seed}/{id_}".encode("utf-8", "surrogatepass")).digest()
