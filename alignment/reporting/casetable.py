"""All cases as one block of JSON, from which the page's script makes its table.

It is stored by column, with names, prompts and texts once, so that 10,000 cases load quickly.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from alignment.reporting import flips
from alignment.reporting.fitting import largest_limit
from alignment.reporting.numbers import Document
from alignment.reporting.text import safe, shorten

_LEAST, _EACH, _MOST = 2_000_000, 800, 16_000_000
"""The budget for texts in bytes: _EACH per case, but at least _LEAST and at most _MOST."""

_NAME = 200


class _Places:
    """Distinct values in order of first appearance, and the index of each."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def of(self, value: str | None) -> int | None:
        """The index of a value, which is added if new; None for None."""
        return None if value is None else self._places.setdefault(value, len(self._places))

    def names(self) -> list[str]:
        """All values, each safe to be shown in one line."""
        return [casename(value) for value in self._places]


def casename(name: str) -> str:
    """A name as the table has it: safe, in one line, at most 200 characters."""
    return shorten(safe(name), _NAME)


def casetable(document: Document) -> str:
    r"""JSON for a `<script>` element, which it cannot end: every `<` is `\u003c`.

    Every text is safe to be shown. Texts are cut where they would make the page too large:
    of responses the start is kept, of prompts the end, and `cut` maps the index of a text to the
    number of characters left out.
    """
    cases, prompts = document["cases"], document["prompts"]
    names = {key: _Places() for key in ("variant", "axis", "degenerate", "truth", "stop")}
    names |= {key: _Places() for key in ("language", "source")}
    prompt_places = {key: place for place, key in enumerate(prompts)}
    texts = {each["text"]: place for place, each in enumerate(_unique(prompts.values()))}
    flip_of = flips.by_case(document)
    case_flips = [flip_of.get((case["variant"], case["axis"], case["prompt"])) for case in cases]
    limit = _limit(document)
    content = {
        "cases": {
            key: [names[key].of(case[key]) for case in cases]
            for key in ("variant", "axis", "degenerate", "truth", "stop")
        }
        | {
            "prompt": [prompt_places[case["prompt"]] for case in cases],
            "score": [case["score"] for case in cases],
            "passed": [int(case["passed"]) for case in cases],
            "tokens": [case["tokens"] for case in cases],
            "flip": [0 if flip is None else 1 if flip["after"] else -1 for flip in case_flips],
            "before": [None if flip is None else flip["score_before"] for flip in case_flips],
            "response": [_start(case["response"], limit) for case in cases],
            "cut": _cut((case["response"] for case in cases), limit),
        },
        "dimensions": _dimensions(document),
        "prompts": {
            key: [names[key].of(prompt[key]) for prompt in prompts.values()]
            for key in ("language", "source")
        }
        | {
            "id": [casename(key) for key in prompts],
            "text": [texts[prompt["text"]] for prompt in prompts.values()],
        },
        "texts": [_end(text, limit) for text in texts],
        "cut": _cut(texts, limit),
    }
    content["names"] = {key: places.names() for key, places in names.items()}
    return _dump(content)


def _unique(prompts: Iterable[Any]) -> list[Any]:
    """One prompt for each text, which the samples of a prompt share."""
    return list({prompt["text"]: prompt for prompt in prompts}.values())


def _limit(document: Document) -> int:
    texts = [case["response"] for case in document["cases"] if case["response"]]
    texts += [prompt["text"] for prompt in _unique(document["prompts"].values())]
    budget = min(max(_LEAST, _EACH * len(document["cases"])), _MOST)
    return largest_limit(texts, budget, lambda text: len(_dump(safe(text, lines=True)).encode()))


def _start(text: str | None, limit: int) -> str | None:
    return None if text is None else safe(text[:limit], lines=True)


def _end(text: str, limit: int) -> str:
    return safe(text[max(0, len(text) - limit) :], lines=True)


def _cut(texts: Iterable[str | None], limit: int) -> dict[int, int]:
    lengths = (len(text or "") for text in texts)
    return {place: length - limit for place, length in enumerate(lengths) if length > limit}


def _dimensions(document: Document) -> dict[str, list[float | None]]:
    """The values of all dimensions by name, one per case; empty if there is only one dimension."""
    dimensions = {name for case in document["cases"] for name in case["dimensions"]}
    if len(dimensions) < 2:
        return {}
    return {
        casename(name): [case["dimensions"].get(name) for case in document["cases"]]
        for name in sorted(dimensions)
    }


def _dump(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
