"""What figures read from a document: which variants and axes, under which words, and scores."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alignment.reporting.numbers import Document
from alignment.reporting.text import safe, shorten

MOST = 12
"""Variants, and axes, that a figure shows: the first ones. With more nobody can tell them apart."""

_LETTERS = 18

UNINFORMATIVE = "uninformative"
_HATCHED = "Hatched: the judge is no better than chance there, so the values are not meaningful."


def labels(names: Iterable[str], letters: int = _LETTERS) -> dict[str, str]:
    """Each name's label: safe, at most `letters` long, and no two alike."""
    found: dict[str, str] = {}
    for name in names:
        label = plain = shorten(safe(name), letters)
        again = 1
        while label in found.values():
            again += 1
            label = f"{shorten(plain, letters - 3)} {again}"
        found[name] = label
    return found


def variants(document: Document) -> dict[str, str]:
    """The labels of the variants that are shown, by name."""
    return labels(list(document["variants"])[:MOST])


def axes(document: Document) -> dict[str, str]:
    """The labels of the axes that are shown, by name."""
    return labels(list(document["axes"])[:MOST])


def left_out(document: Document) -> str:
    """A sentence about what is not shown; empty where all is."""
    shown = [
        f"the first {MOST} of {len(document[what])} {what}"
        for what in ("variants", "axes")
        if len(document[what]) > MOST
    ]
    return f"Only {' and '.join(shown)} are shown." if shown else ""


def cases(document: Document) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """The judged answers by (variant, axis), in the document's order."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for case in document["cases"]:
        found[case["variant"], case["axis"]].append(case)
    return found


def thinned(values: Sequence[Any], most: int) -> list[Any]:
    """At most `most` of sorted `values`, evenly: the first and the last are among them."""
    if len(values) <= most:
        return list(values)
    if most < 2:
        return list(values[:most])
    return [values[round(place * (len(values) - 1) / (most - 1))] for place in range(most)]


def unit(document: Document, axis: str) -> str:
    """What the scores of an axis are called."""
    return shorten(safe(str(document["profile"]["axes"][axis]["dimension"])), _LETTERS)


def one_unit(document: Document) -> bool:
    """Whether all axes are judged on one dimension, so that their scores can share a scale."""
    found = Counter(unit(document, axis) for axis in document["axes"])
    return len(found) == 1


def hatched(groups: Iterable[Mapping[str, Any]]) -> str:
    """A sentence about panels that say nothing; empty where all say something."""
    return _HATCHED if any(group["informative"] is False for group in groups) else ""


def joined(*sentences: str) -> str:
    """Sentences as one text; empty ones are left out."""
    return " ".join(sentence for sentence in sentences if sentence)
