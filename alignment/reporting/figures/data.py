"""What figures read from a document: variants and axes with their labels, and scores."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alignment.reporting.numbers import Document, rate_names
from alignment.reporting.text import safe, shorten

MOST = 12
"""Most variants, and most axes, in a figure: the first ones. More cannot be told apart."""

_LETTERS = 18

UNINFORMATIVE = "uninformative"
_HATCHED = "Hatched: the judge is no better than chance there, so the values are not meaningful."


def labels(names: Iterable[str], letters: int = _LETTERS) -> dict[str, str]:
    """Name -> label: safe, at most `letters` characters long, and unique."""
    chosen: dict[str, str] = {}
    for name in names:
        label = plain = shorten(safe(name), letters)
        number = 1
        while label in chosen.values():
            number += 1
            label = f"{shorten(plain, letters - 3)} {number}"
        chosen[name] = label
    return chosen


def variants(document: Document) -> dict[str, str]:
    """The labels of the variants that are shown, by name."""
    return labels(list(document["variants"])[:MOST])


def axes(document: Document) -> dict[str, str]:
    """The labels of the axes that are shown, by name."""
    return labels(list(document["axes"])[:MOST])


def rates(document: Document) -> list[str]:
    """The names of the rates that are shown: of the first axes, then the combined ones."""
    of_axes = list(dict.fromkeys(about["rate"] for about in document["axes"].values()))
    combined = [name for name in rate_names(document) if name not in of_axes]
    return [*of_axes[:MOST], *combined]


def left_out(document: Document) -> str:
    """A sentence on variants and axes that are not shown; empty where all are."""
    shown = [
        f"the first {MOST} of {len(document[key])} {key}"
        for key in ("variants", "axes")
        if len(document[key]) > MOST
    ]
    return f"Only {' and '.join(shown)} are shown." if shown else ""


def cases(document: Document) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """The judged answers by (variant, axis), in the document's order."""
    by_key: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for case in document["cases"]:
        by_key[case["variant"], case["axis"]].append(case)
    return by_key


def thin(values: Sequence[Any], most: int) -> list[Any]:
    """At most `most` of sorted `values`, evenly spaced, with the first and the last."""
    if len(values) <= most:
        return list(values)
    if most < 2:
        return list(values[:most])
    return [values[round(place * (len(values) - 1) / (most - 1))] for place in range(most)]


def unit(document: Document, axis: str) -> str:
    """The label of the scores of an axis: the name of the judge's dimension."""
    return shorten(safe(str(document["profile"]["axes"][axis]["dimension"])), _LETTERS)


def one_unit(document: Document) -> bool:
    """Whether all axes are judged on one dimension, so that their scores can share a scale."""
    units = Counter(unit(document, axis) for axis in document["axes"])
    return len(units) == 1


def hatching_note(groups: Iterable[Mapping[str, Any]]) -> str:
    """A sentence on uninformative panels, which are hatched; empty where there are none."""
    return _HATCHED if any(group["informative"] is False for group in groups) else ""


def join_sentences(*sentences: str) -> str:
    """Sentences as one text; empty ones are left out."""
    return " ".join(sentence for sentence in sentences if sentence)
