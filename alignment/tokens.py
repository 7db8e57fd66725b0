"""Text as token ids: one place for policies and judges, and what TRL does with the same text.

TRL tokenises a training text as `tokenizer(text)` and messages by the chat template, which writes
its own special tokens; so do we. A prompt therefore begins with the same token in training and in
evaluation: with the tokenizer's own (`</s>` for OPT, `<s>` for Llama), or with none.
"""

from __future__ import annotations

from typing import Any

from alignment.errors import ModelError
from alignment.formats import opened
from alignment.prompts.transcripts import messages
from alignment.thinking import left_open


def prompt_ids(tokenizer: Any, prompt: str, style: str) -> list[int]:
    """What a policy continues. Raises ModelError where the chat template refuses the dialogue."""
    if style == "chat":
        return chat_ids(tokenizer, messages(prompt), answer=True)
    return list(tokenizer(opened(prompt, style))["input_ids"])


def chat_ids(tokenizer: Any, turns: list[dict[str, str]], *, answer: bool) -> list[int]:
    """Messages by the tokenizer's chat template; with `answer`, opened for the assistant's.

    No special token is added to those that the template writes. Raises ModelError.
    """
    from jinja2 import TemplateError  # noqa: PLC0415 - comes with transformers

    try:
        return list(
            tokenizer.apply_chat_template(
                turns, add_generation_prompt=answer, tokenize=True, return_dict=False
            )
        )
    except (TemplateError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"model {tokenizer.name_or_path}: its chat template refuses a dialogue of "
            f"{', '.join(turn['role'] for turn in turns)}: {reason}"
        ) from error


def begins_with(tokenizer: Any, style: str) -> str | None:
    """The special token that every prompt begins with, if any."""
    ids = prompt_ids(tokenizer, "Human: ?", style)
    special = ids and ids[0] in tokenizer.all_special_ids
    return str(tokenizer.convert_ids_to_tokens(ids[0])) if special else None


def begun_thinking(tokenizer: Any, style: str) -> str:
    """The mark by which a chat template begins the thinking of every answer, or nothing."""
    if style != "chat":
        return ""
    return left_open(tokenizer.decode(prompt_ids(tokenizer, "Human: ?", style)))


def cut(tokenizer: Any, ids: list[int], limit: int) -> list[int]:
    """The last `limit` ids, but for a special token that they begin with: it stays first."""
    if len(ids) <= limit:
        return ids
    keep = 1 if limit > 1 and ids[0] in tokenizer.all_special_ids else 0
    return ids[:keep] + ids[len(ids) - limit + keep :]
