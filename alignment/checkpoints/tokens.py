"""Text as token ids: one place for policies and judges, and what TRL does with the same text.

TRL tokenises a training text as `tokenizer(text)` and messages by the chat template, which writes
its own special tokens; so do we. A prompt therefore begins with the same token in training and in
evaluation: with the tokenizer's own (`</s>` for OPT, `<s>` for Llama), or with none.
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
"""Seconds that a chat template may take for one dialogue; they take thousandths of one."""
MEMORY = 512
"""Megabytes that it may take meanwhile."""
GROWTH, SPARE = 16, 1_000_000
"""It may make this many characters of one, and this many of its own."""


def prompt_ids(tokenizer: Any, prompt: str, style: str) -> list[int]:
    """What a policy continues. Raises ModelError where the chat template refuses the dialogue."""
    if style == "chat":
        return chat_ids(tokenizer, messages(prompt), answer=True)
    return text_ids(tokenizer, opened(prompt, style))


def chat_ids(tokenizer: Any, turns: list[dict[str, str]], *, answer: bool) -> list[int]:
    """Messages by the tokenizer's chat template; with `answer`, opened for the assistant's.

    No special token is added to those that the template writes. Raises ModelError.
    """
    text = _rendered(tokenizer, turns, answer=answer)
    return text_ids(tokenizer, text, add_special_tokens=False)


def text_ids(tokenizer: Any, text: str, **settings: Any) -> list[int]:
    """The ids of a text, as `encoded`."""
    return encoded(tokenizer, text, **settings)["input_ids"]


def encoded(tokenizer: Any, *texts: str, **settings: Any) -> dict[str, list[int]]:
    """What a tokenizer makes of a text, or of a pair. Raises ModelError where it fails.

    Tokenizers raise bare exceptions where a text is not in their vocabulary, and panic where a
    pattern of theirs finds no end.
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


def _rendered(tokenizer: Any, turns: list[dict[str, str]], *, answer: bool) -> str:
    """What the template writes: a program of the model's maker, which may run on or raise anything.

    Raises ModelError.
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
    said = sum(len(turn["content"]) for turn in turns)
    if not isinstance(text, str) or len(text) > GROWTH * said + SPARE:
        raise ModelError(
            f"{where} makes {len(text)} characters of a dialogue of {said}; mend it, or take it "
            f"away"
        )
    return text


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


def check_known(rows: Iterable[Sequence[int]], size: int, model: object) -> None:
    """Refuse texts with tokens beyond a model's `size` embeddings. Raises ModelError."""
    for row in rows:
        if row and not 0 <= (token := max(row)) < size:
            raise ModelError(
                f"model {model}: a text has token {token}, and the embedding matrix {size} rows: "
                f"the tokenizer has tokens that the model never learned; use the tokenizer that "
                f"the model was trained with"
            )


def cut(tokenizer: Any, ids: list[int], limit: int) -> list[int]:
    """The last `limit` ids, but for a special token that they begin with: it stays first."""
    if len(ids) <= limit:
        return ids
    keep = 1 if limit > 1 and ids[0] in tokenizer.all_special_ids else 0
    return ids[:keep] + ids[len(ids) - limit + keep :]
