"""Figure 1 of the paper: every rate of every variant, with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from alignment.reporting import numbers
from alignment.reporting.figures import data as read
from alignment.reporting.figures import forest
from alignment.reporting.numbers import Document

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Rates"


def data(document: Document) -> dict[str, Any] | None:
    """Each rate's percentage and interval by variant; None where there is no rate."""
    variants = read.variants(document)
    names = read.rates(document)
    doubtful = numbers.uninformative_rates(document)
    labels = read.labels(names)
    groups = []
    for name in names:
        rates = {variant: document["variants"][variant]["rates"].get(name) for variant in variants}
        if not any(rates.values()):
            continue
        groups.append(
            {
                "name": labels[name],
                "unit": "% of prompts that pass",
                "informative": name not in doubtful,
                "rows": [
                    {
                        "label": label,
                        "value": rates[variant] and rates[variant]["percent"],
                        "interval": rates[variant] and list(rates[variant]["interval"]),
                    }
                    for variant, label in variants.items()
                ],
            }
        )
    if not groups:
        return None
    return {
        "groups": groups,
        "shared": True,
        "level": numbers.level(document),
        "left_out": read.left_out(document),
    }


def draw(shown: Mapping[str, Any]) -> Figure:
    """A panel for each rate, a row for each variant, from 0 to 100 %."""
    return forest.draw(shown, digits=1, span=(0, 100))


def caption(shown: Mapping[str, Any]) -> str:
    """What the figure shows, in a sentence or two."""
    return read.join_sentences(
        f"Rates of each variant in %, with {shown['level']} intervals.",
        read.hatching_note(shown["groups"]),
        shown["left_out"],
    )


def values(shown: Mapping[str, Any]) -> str:
    """The values that are shown, in words."""
    return forest.describe(shown, 1)
