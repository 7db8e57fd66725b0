"""Scores beside verdicts in words: what the mean score and other thresholds say of a change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alignment.reporting.numbers import probability

_LEVEL = 0.05


def sentences(decisions: Sequence[Mapping[str, Any]], name: Callable[[str], str]) -> list[str]:
    """For each decision whose scores show what its verdicts do not, or that has other thresholds.

    One sentence: the change of the mean score, with its corrected p-value, and of the rate at other
    thresholds.
    """
    return [
        f"{name(each['variant'])} {name(each['rate'])} by scores, not gated: "
        f"{clause(each['scores'])}"
        for each in decisions
        if each.get("scores") and _notable(each)
    ]


def _notable(decision: Mapping[str, Any]) -> bool:
    """Whether the mean score fell significantly, and the verdicts do not fail."""
    scores = decision["scores"]
    fell = scores["difference"] < 0 and scores["adjusted"] <= _LEVEL
    return bool(fell) and decision["outcome"] != "fail"


def clause(scores: Mapping[str, Any]) -> str:
    """What the scores of a comparison show: `mean -0.31, p = 0.0001 (Holm-corrected); at ...`."""
    p_value = probability(scores["adjusted"])
    text = f"mean {scores['difference']:+.2f}, p = {p_value} (Holm-corrected)"
    if not scores["sweep"]:
        return text
    thresholds = [threshold for threshold, _ in scores["sweep"]]
    changes = [change for _, change in scores["sweep"]]
    return (
        f"{text}; at thresholds from {thresholds[0]:.3g} to {thresholds[-1]:.3g} the rate changes "
        f"by {min(changes):+.1f} to {max(changes):+.1f} points"
    )
