"""Rows of lm-evaluation-harness, written with `--log_samples`, as recorded responses.

A row holds the context that the model was given under `arguments` (`{"gen_args_0": {"arg_0":
context, ...}}`, or `[[context, ...]]` in older releases) and its response under `resps`
(`[[text]]`). The context is the prompt followed by the label of the assistant's turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alignment.errors import PromptError
from alignment.prompts.templates import opened

_OPENING = opened("")
"""The end of a context, which is not part of the prompt."""


def is_sample(value: Mapping[str, Any]) -> bool:
    """Whether a row is one of the harness: it has `arguments` and `resps`."""
    return "arguments" in value and "resps" in value


def with_document(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row with the keys of the document (`doc`) that it was made from; other rows unchanged."""
    document = value.get("doc")
    return {**document, **value} if is_sample(value) and isinstance(document, dict) else value


def as_recorded(value: Mapping[str, Any], place: str) -> dict[str, Any]:
    """A harness row as {"prompt", "response"}. `place` is file and line, for messages.

    Raises PromptError for a row without generated text (multiple-choice tasks log probabilities)
    or with several responses.
    """
    context, answers = _context(value["arguments"]), _answers(value["resps"])
    if context is None or answers is None:
        raise PromptError(
            f"{place}: `arguments` and `resps` hold no context and text; samples of a task with "
            f"output_type generate_until are required"
        )
    if len(answers) != 1:
        raise PromptError(f"{place}: `resps` has {len(answers)} texts; one per prompt is required")
    return {"prompt": context.removesuffix(_OPENING).strip(), "response": answers[0].strip()}


def _context(arguments: Any) -> str | None:
    value = arguments
    if isinstance(value, Mapping):
        value = value.get("gen_args_0")
        value = value.get("arg_0") if isinstance(value, Mapping) else None
    else:
        for _ in range(2):
            value = value[0] if isinstance(value, list) and value else None
    return value if isinstance(value, str) else None


def _answers(responses: Any) -> list[str] | None:
    if not isinstance(responses, list) or len(responses) != 1:
        return None
    texts = responses[0] if isinstance(responses[0], list) else responses
    return texts if all(isinstance(text, str) for text in texts) else None
