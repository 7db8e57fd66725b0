"""Text as token ids, for policies and judges, in the same way as TRL tokenizes training data.

TRL tokenizes a text as `tokenizer(text)`, and messages with the chat template, which writes its own
special tokens. This module does the same, so that a prompt begins with the same token in training
and in evaluation: with that of the tokenizer (`</s>` for OPT, `<s>` for Llama), or with none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from alignment.errors import ModelError
from alignment.prompts.templates import opened
from alignment.prompts.transcripts import messages
from alignment.records.thinking import left_open
from alignment.runtime.hardware import PANIC
from alignment.runtime.limits import OverLimitError, limited

RENDERING = 10.0
"""Seconds that a chat template may take for one dialogue; usual templates take milliseconds."""
MEMORY = 512
"""Megabytes that a chat template may allocate."""
GROWTH, SPARE = 16, 1_000_000
"""A template may write GROWTH characters per character of the dialogue, and SPARE more."""


def prompt_ids(tokenizer: Any, prompt: str, style: str) -> list[int]:
    """The ids that a policy continues: a prompt in the format `style` (`hh`, `verbatim`, `chat`).

    Raises ModelError where the tokenizer or the chat template fails.
    """
    if style == "chat":
        return chat_ids(tokenizer, messages(prompt), answer=True)
    return text_ids(tokenizer, opened(prompt, style))


def chat_ids(tokenizer: Any, turns: list[dict[str, str]], *, answer: bool) -> list[int]:
    """The ids of messages, by the tokenizer's chat template.

    `answer`: with the generation prompt. No special token is added to those that the template
    writes. Raises ModelError.
    """
    text = _render(tokenizer, turns, answer=answer)
    return text_ids(tokenizer, text, add_special_tokens=False)


def text_ids(tokenizer: Any, text: str, **settings: Any) -> list[int]:
    """The `input_ids` of a text. Raises ModelError as `encoded`."""
    return encoded(tokenizer, text, **settings)["input_ids"]


def encoded(tokenizer: Any, *texts: str, **settings: Any) -> dict[str, list[int]]:
    """The encoding of a text or of a text pair: `input_ids` and so on. Raises ModelError.

    `settings` go to the tokenizer. A tokenizer may raise any exception for a text that is not in
    its vocabulary, and a Rust panic where one of its patterns runs too long.
    """
    try:
        return dict(tokenizer(*texts, **settings))
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"model {tokenizer.name_or_path}: its tokenizer fails on a text: {reason}"
        ) from error


def _render(tokenizer: Any, turns: list[dict[str, str]], *, answer: bool) -> str:
    """The text that a chat template makes of messages. Raises ModelError.

    A template is a program by the model's authors: it may run for ever, or raise any exception.
    """
    where = f"model {tokenizer.name_or_path}: its chat template"
    try:
        with limited(RENDERING, MEMORY):
            text = tokenizer.apply_chat_template(
                turns, add_generation_prompt=answer, tokenize=False
            )
    except (OverLimitError, MemoryError) as error:
        spent = str(error) or f"more than {MEMORY} MB"
        raise ModelError(
            f"{where} takes {spent} for one dialogue; correct it or remove it"
        ) from None
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        roles = [turn["role"] for turn in turns]
        more = f" and {len(roles) - 8} more" if len(roles) > 8 else ""
        raise ModelError(
            f"{where} refuses a dialogue of {', '.join(roles[:8])}{more}: {reason}"
        ) from error
    length = sum(len(turn["content"]) for turn in turns)
    if not isinstance(text, str):
        raise ModelError(
            f"{where} makes no text of a dialogue (found {type(text).__name__}); correct it or "
            f"remove it"
        )
    if len(text) > GROWTH * length + SPARE:
        raise ModelError(
            f"{where} makes {len(text)} characters of a dialogue of {length}; correct it or remove "
            f"it"
        )
    return text


def begins_with(tokenizer: Any, style: str) -> str | None:
    """The special token that every prompt begins with, if any."""
    ids = prompt_ids(tokenizer, "Human: ?", style)
    special = ids and ids[0] in tokenizer.all_special_ids
    return str(tokenizer.convert_ids_to_tokens(ids[0])) if special else None


def begun_thinking(tokenizer: Any, style: str) -> str:
    """The mark with which a chat template opens the thinking of every answer; empty if none."""
    if style != "chat":
        return ""
    return left_open(tokenizer.decode(prompt_ids(tokenizer, "Human: ?", style)))


def check_known(rows: Iterable[Sequence[int]], size: int, model: object) -> None:
    """Refuse token ids (one row per text) that a model with `size` embeddings does not have.

    Raises ModelError.
    """
    for row in rows:
        if row and not 0 <= (token := max(row)) < size:
            raise ModelError(
                f"model {model}: a text has token {token}, and the embedding matrix {size} rows: "
                f"the tokenizer has tokens that the model never learned; use the tokenizer that "
                f"the model was trained with"
            )


def cut(tokenizer: Any, ids: list[int], limit: int) -> list[int]:
    """The last `limit` ids; a special token at the beginning is kept as the first of them."""
    if len(ids) <= limit:
        return ids
    keep = 1 if limit > 1 and ids[0] in tokenizer.all_special_ids else 0
    return ids[:keep] + ids[len(ids) - limit + keep :]
