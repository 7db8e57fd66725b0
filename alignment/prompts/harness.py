"""Rows of lm-evaluation-harness, written with `--log_samples`, as recorded responses.

A row holds the context that the model was given under `arguments` (`{"gen_args_0": {"arg_0":
context, ...}}`, or `[[context, ...]]` in older releases) and what it said under `resps`
(`[[text]]`). The context is the prompt, opened for the assistant's answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alignment.errors import PromptError
from alignment.prompts.templates import opened

_OPENING = opened("")
"""What a context has at its end that a prompt has not."""


def is_sample(value: Mapping[str, Any]) -> bool:
    """Whether a row is the harness's: it has `arguments` and `resps`."""
    return "arguments" in value and "resps" in value


def as_recorded(value: Mapping[str, Any], place: str) -> dict[str, Any]:
    """A harness row as `prompt` and `response`. `place` is file and line, for messages.

    Raises PromptError for a row that is no generated text (a multiple-choice task logs
    probabilities), or has several responses.
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
    found = arguments
    if isinstance(found, Mapping):
        found = found.get("gen_args_0")
        found = found.get("arg_0") if isinstance(found, Mapping) else None
    else:
        for _ in range(2):
            found = found[0] if isinstance(found, list) and found else None
    return found if isinstance(found, str) else None


def _answers(responses: Any) -> list[str] | None:
    if not isinstance(responses, list) or len(responses) != 1:
        return None
    texts = responses[0] if isinstance(responses[0], list) else responses
    return texts if all(isinstance(text, str) for text in texts) else None
