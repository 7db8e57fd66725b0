"""Statistics of paired verdicts: the change of a rate on the same prompts, intervals and tests.

Where prompts share a dialogue (a cluster) their verdicts are not independent evidence, and the
cluster form of each routine is used: it is the plain one when no dialogue is shared.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from math import sqrt
from statistics import NormalDist

from alignment.analysis.binomial import fair_coins, fair_tails
from alignment.analysis.clusters import Sharing, by_cluster, sharing
from alignment.records import Interval
from alignment.records.decisions import Change, PairedVerdict

_HALVINGS = 80
UNSEEN = (-1, 1)
"""A dialogue that is lost as a whole, and one that is gained."""


def rate_change(name: str, pairs: Sequence[PairedVerdict], confidence: float) -> Change:
    """How the rate `name` changed on the same prompts, with its interval and both p-values.

    `confidence` (of the interval) is between 0 and 1. Raises ValueError without pairs.
    """
    total = len(pairs)
    if not total:
        raise ValueError(f"{name}: no prompts to compare")
    lost = sum(pair.flip < 0 for pair in pairs)
    gained = sum(pair.flip > 0 for pair in pairs)
    flips = by_cluster((pair.cluster, pair.flip) for pair in pairs)
    clustered = len(flips) < total
    shared = sharing(flips, UNSEEN) if clustered else Sharing()
    if clustered:
        nets = [sum(each) for each in flips]
        exact = sign_flip(nets)
        p_worse = exact[0]  # a mid-p is no p-value for the few sums of a few dialogues
    else:
        p_worse, exact = mcnemar(lost, gained, midp=True)[0], mcnemar(lost, gained)

    def interval_of(effect: float, quantile: float) -> Interval:
        return tango(lost / effect, gained / effect, total / effect, confidence, quantile)

    return Change(
        name=name,
        total=total,
        before=100 * sum(pair.before for pair in pairs) / total,
        after=100 * sum(pair.after for pair in pairs) / total,
        lost=lost,
        gained=gained,
        difference=100 * (gained - lost) / total,
        interval=shared.interval(interval_of, confidence),
        p_worse=p_worse,
        p_exact=min(1.0, 2 * min(exact)),
        clustered=clustered,
        effect=shared.effect,
    )


# -- tests -------------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def mcnemar(lost: int, gained: int, *, midp: bool = False) -> tuple[float, float]:
    """One-sided p-values: of at least `lost` losses, and of at least `gained` gains.

    The exact conditional test of McNemar (1947), Psychometrika 12:153-157: given the number of
    flips, each is a loss with probability 1/2 if nothing changed. `midp` counts half of the
    probability of what was seen (Fagerland, Lydersen & Laake 2013, BMC Medical Research Methodology
    13:91). The two-sided value is twice the smaller one, at most 1. Without flips both are 1
    (exact), or 1/2 (mid-p).
    """
    more_lost, more_gained, seen = fair_tails(lost, gained)
    half = seen / 2 if midp else 0.0
    return more_lost - half, more_gained - half


def sign_flip(nets: Sequence[int], *, midp: bool = False) -> tuple[float, float]:
    """`mcnemar` for clusters: `nets` has for each cluster its gained minus its lost verdicts.

    The randomization test on cluster totals: if nothing changed, before and after can be swapped
    for a dialogue as a whole, so that the sign of each net is a fair coin (Good 2005, Permutation,
    Parametric and Bootstrap Tests of Hypotheses, 3rd ed., ch. 3; the statistic is that of
    Obuchowski 1998, Statistics in Medicine 17:1495-1507). Exact: nets of one size are as many fair
    coins, and there are few sizes. Equals `mcnemar` when every net is -1, 0 or 1.
    """
    sizes = Counter(abs(net) for net in nets if net)
    seen = sum(nets)
    most = max(sizes, key=lambda size: sizes[size], default=1)
    others = {0: 1.0}  # total of all nets but those of the most frequent size -> its probability
    for size in sorted(sizes.keys() - {most}):
        spread: dict[int, float] = defaultdict(float)
        for place, weight in enumerate(fair_coins(sizes[size])):
            step = size * (2 * place - sizes[size])
            for value, chance in others.items():
                spread[value + step] += weight * chance
        others = spread
    point = fair_coins(sizes[most])
    worse, equal = _at_most(seen, others, most, point)
    better, _ = _at_most(-seen, others, most, point)  # totals are distributed symmetrically about 0
    half = equal / 2 if midp else 0.0
    return min(1.0, worse) - half, min(1.0, better) - half


def _at_most(
    bound: int, others: Mapping[int, float], size: int, coins: Sequence[float]
) -> tuple[float, float]:
    """P(total <= bound) and P(total == bound) of `others` plus coins of +-`size` each."""
    tosses = len(coins) - 1
    up_to = list(accumulate(coins))
    below = exactly = 0.0
    for value, chance in others.items():
        heads, rest = divmod(bound - value + size * tosses, 2 * size)
        if heads >= 0:
            below += chance * up_to[min(heads, tosses)]
            if rest == 0 and heads <= tosses:
                exactly += chance * coins[heads]
    return below, exactly


# -- intervals ---------------------------------------------------------------------------------


def tango(
    lost: float, gained: float, total: float, confidence: float, quantile: float | None = None
) -> Interval:
    """The score interval of the difference (gained - lost) / total, in percentage points.

    Tango (1998), Statistics in Medicine 17:891-908, eq. 12-13; its ends are where the score
    statistic reaches the normal quantile, found by bisection. Counts may be fractions (effective
    counts of clustered data). Without flips the ends are those of total agreement, not 0.
    `quantile` takes the place of the normal one of `confidence`.

    Raises ValueError for a total that is not above 0, or flips beyond it.
    """
    if total <= 0 or lost < 0 or gained < 0 or lost + gained > total * (1 + 1e-12):
        raise ValueError(f"{lost} lost and {gained} gained of {total} is no paired table")
    normal = NormalDist().inv_cdf(0.5 + confidence / 2) if quantile is None else quantile
    return _tango(lost, gained, total, normal)


@lru_cache(maxsize=65536)
def _tango(lost: float, gained: float, total: float, z: float) -> Interval:
    estimate = (gained - lost) / total

    def statistic(delta: float) -> float:
        """Falls as `delta` rises; 0 at the estimate."""
        b = -gained - lost + (2 * total - gained + lost) * delta
        c = -lost * delta * (1 - delta)
        nuisance = (sqrt(max(0.0, b * b - 8 * total * c)) - b) / (4 * total)
        variance = total * (2 * nuisance + delta * (1 - delta))
        distance = gained - lost - total * delta
        return distance / sqrt(variance) if variance > 0 else distance * float("inf")

    low = -1.0 if estimate <= -1 else _find_root(statistic, z, -1.0, estimate)
    high = 1.0 if estimate >= 1 else _find_root(statistic, -z, estimate, 1.0)
    return Interval(100 * min(low, estimate), 100 * max(high, estimate))


def _find_root(falling: Callable[[float], float], target: float, low: float, high: float) -> float:
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > target else (low, middle)
    return (low + high) / 2


# -- several tests -----------------------------------------------------------------------------


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm-adjusted p-values, in the same order: reject where one is at most the level.

    Holm (1979), Scandinavian Journal of Statistics 6:65-70: the probability of any false rejection
    is at most the level, however the tests depend on each other.
    """
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
