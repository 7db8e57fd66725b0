"""The lowest scored cases, folded: what a model says where it is worst."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alignment.reporting.markup import block, code
from alignment.reporting.numbers import Document

_EACH = 2
"""Cases per variant and axis: enough to see what kind of failure it is."""
_PROMPT, _RESPONSE = 400, 600
_OPEN = "<details>\n<summary>Lowest scored cases</summary>\n\n"
_CLOSE = "</details>\n"


def lowest(document: Document, limit: int) -> str:
    """The lowest scored cases of every variant and axis, in at most `limit` characters.

    Prompts are shown from their end and responses from their start, both as inert code blocks.
    Empty where there is no case, or no room for one.
    """
    text = _OPEN
    for case in _chosen(document):
        entry = _entry(document, case)
        if len(text) + len(entry) + len(_CLOSE) > limit:
            break
        text += entry
    return "" if text == _OPEN else text + _CLOSE


def _chosen(document: Document) -> list[Mapping[str, Any]]:
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
    prompt = document["prompts"][case["prompt"]]["text"]
    parts = [title]
    if prompt:
        parts.append(block(prompt if len(prompt) <= _PROMPT else "…" + prompt[1 - _PROMPT :]))
    if case["response"] is not None:
        text = case["response"]
        parts.append(block(text if len(text) <= _RESPONSE else text[: _RESPONSE - 1] + "…"))
    return "\n\n".join(parts) + "\n\n"
