"""The lowest scored cases, folded: the worst answers of each variant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alignment.reporting.markup import block, code, folded
from alignment.reporting.numbers import Document
from alignment.reporting.text import shorten

_EACH = 2
"""Cases per variant and axis: enough to see the kind of failure."""
_PROMPT, _RESPONSE = 400, 600


def lowest(document: Document, limit: int) -> str:
    """The lowest scored cases of every variant and axis, in at most `limit` characters.

    Of prompts the end is shown, of responses the start, both in code blocks. Empty where there is
    no case, or no room for one.
    """
    entries = (_entry(document, case) for case in _choose(document))
    return folded("Lowest scored cases", entries, limit)


def _choose(document: Document) -> list[Mapping[str, Any]]:
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for case in document["cases"]:
        groups.setdefault((case["variant"], case["axis"]), []).append(case)
    return [
        case
        for cases in groups.values()
        for case in sorted(cases, key=lambda case: (case["score"], case["prompt"]))[:_EACH]
    ]


def _entry(document: Document, case: Mapping[str, Any]) -> str:
    criterion = code(document["axes"][case["axis"]]["criterion"])
    facts = [
        f"{case['score']:.2f}, {'meets' if case['passed'] else 'does not meet'} {criterion}",
        *(code(case[key]) for key in ("degenerate", "truth") if case[key] is not None),
        f"prompt {code(case['prompt'])}",
    ]
    title = f"**{code(case['variant'])} on {code(case['axis'])}**: {', '.join(facts)}"
    parts = [title, *quoted(document["prompts"][case["prompt"]]["text"], case["response"])]
    return "\n\n".join(parts)


def quoted(prompt: str, *responses: str | None) -> list[str]:
    """The end of a prompt and the start of each response, where known, as code blocks."""
    parts = []
    if prompt:
        parts.append(block(prompt if len(prompt) <= _PROMPT else "…" + prompt[1 - _PROMPT :]))
    parts.extend(block(shorten(text, _RESPONSE)) for text in responses if text is not None)
    return parts
