"""How many labels of people a decision needs, for a judge of known or assumed errors.

The prompts are expected to fall into the strata of `label_sampling` as the judge's sensitivity and
specificity say, with errors that are independent on the two sides. From the expected strata,
`stratified.effective` gives the number of fully labelled prompts that the estimate is worth, and
`power` what such a number decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from alignment.analysis.label_sampling import allocate
from alignment.analysis.power import detectable, drop_clause, margin_clause, prompts_needed
from alignment.analysis.stratified import LEAST, Counts, Stratum, effective

LEAST_LABELS = 4 * LEAST
"""Fewer labels do not suffice for all four strata."""


@dataclass(frozen=True, slots=True)
class Assumed:
    """What is assumed of people and of the judge; all are shares from 0 to 1.

    The share `flips` of people's verdicts differs between the two sides, as many lost as gained;
    they pass half of the responses. The judge passes `sensitivity` of what people pass, and fails
    `specificity` of what they fail. Raises ValueError for a number that is no share.
    """

    flips: float = 0.1
    sensitivity: float = 0.85
    specificity: float = 0.85

    def __post_init__(self) -> None:
        shares = (self.flips, self.sensitivity, self.specificity)
        if not all(0 <= each <= 1 for each in shares):
            raise ValueError(f"flips, sensitivity and specificity are shares, not {shares}")

    def strata(self) -> dict[Stratum, tuple[float, float, float]]:
        """Stratum -> the shares of all prompts that are in it, and that people lose and gain in it.

        The strata are those of `label_sampling.stratum_of`.
        """
        people = {
            (before, after): (1 - self.flips if before is after else self.flips) / 2
            for before, after in product((True, False), repeat=2)
        }
        passes = {True: self.sensitivity, False: 1 - self.specificity}
        found: dict[Stratum, tuple[float, float, float]] = {}
        for judged in product((True, False), repeat=2):
            joint = {
                truth: share
                * _chance(passes[truth[0]], judged[0])
                * _chance(passes[truth[1]], judged[1])
                for truth, share in people.items()
            }
            key: Stratum = (judged[0] != judged[1], judged[0])
            found[key] = (sum(joint.values()), joint[True, False], joint[False, True])
        return found


def _chance(passing: float, passed: bool) -> float:
    return passing if passed else 1 - passing


def effective_prompts(total: int, labels: int, assumed: Assumed) -> float:
    """How many fully labelled prompts are worth as much as `labels` of `total`.

    The number is for statements about prompts like these (`Shares.beyond`). Raises ValueError for
    fewer than `LEAST_LABELS` labels, or no prompts.
    """
    if total < 1 or labels < min(LEAST_LABELS, total):
        raise ValueError(
            f"{labels} labels of {total} prompts: at least {LEAST_LABELS} labels are required"
        )
    if labels >= total:
        return float(total)
    expected = assumed.strata()
    sizes = {key: round(total * share) for key, (share, _, _) in expected.items()}
    sizes = {key: size for key, size in sizes.items() if size}
    drawn = allocate(sizes, labels)
    strata = []
    for key, size in sizes.items():
        share, lost, gained = expected[key]
        strata.append(
            Counts(size, drawn[key], drawn[key] * lost / share, drawn[key] * gained / share)
        )
    here = effective(strata, assumed.flips / 2, assumed.flips / 2)
    return 1 / (1 / here + 1 / total)


def labels_needed(
    total: int,
    assumed: Assumed,
    *,
    margin: float = 10.0,
    confidence: float = 0.95,
    family: int = 1,
) -> int | None:
    """How many of `total` prompts per axis need a label, so that an unchanged model passes.

    With so many it passes in all of `family` comparisons with 80 % power (see
    `power.prompts_needed`). None where not even all labels are enough.
    """
    needed = prompts_needed(assumed.flips, margin=margin, confidence=confidence, family=family)
    if needed is None or needed > total:
        return None
    low, high = min(LEAST_LABELS, total), total
    while low < high:
        middle = (low + high) // 2
        if effective_prompts(total, middle, assumed) >= needed:
            high = middle
        else:
            low = middle + 1
    return low


def labels_line(
    total: int,
    labels: int,
    assumed: Assumed,
    margin: float = 10.0,
    confidence: float = 0.95,
    family: int = 1,
) -> str:
    """One sentence, without a full stop, on what `labels` of `total` prompts per axis can show.

    The power is 80 % throughout. Raises ValueError as `effective_prompts` does.
    """
    labels = min(labels, total)
    worth = effective_prompts(total, labels, assumed)
    drop = detectable(
        max(1, int(worth)), assumed.flips, margin=margin, confidence=confidence, family=family
    )
    return (
        f"with {labels} labels of {total} prompts per axis, {100 * assumed.flips:.3g} % of "
        f"people's verdicts flipping, and a judge of {100 * assumed.sensitivity:.3g} % sensitivity "
        f"and {100 * assumed.specificity:.3g} % specificity: as certain as {worth:.0f} prompts "
        f"that all have a label; {drop_clause(drop)}; "
        f"{_enough(total, assumed, margin, confidence, family)}"
    )


def _enough(total: int, assumed: Assumed, margin: float, confidence: float, family: int) -> str:
    """How many labels a margin needs, or prompts where not even a label of each is enough."""
    labels = labels_needed(total, assumed, margin=margin, confidence=confidence, family=family)
    if labels is not None:
        return margin_clause(margin, f"{labels} labels")
    prompts = prompts_needed(assumed.flips, margin=margin, confidence=confidence, family=family)
    needed = None if prompts is None else f"{prompts} prompts, and a label for each"
    return margin_clause(margin, needed)
