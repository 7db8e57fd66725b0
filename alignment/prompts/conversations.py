"""Conversations in TRL's form, lists of {"role", "content"}, as transcripts.

`user` becomes `Human:`, `assistant` becomes `Assistant:`. Transcripts have no system turn: a system
message becomes the first paragraph of the human turn after it, as in the chat templates of models
without a system role. Tool calls and other roles are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from alignment.errors import PromptError, quoted
from alignment.prompts.jsonfiles import text_field
from alignment.prompts.transcripts import render
from alignment.records import ASSISTANT, HUMAN, Turn

_SPEAKERS = {"user": HUMAN, "assistant": ASSISTANT}
_SYSTEM = "system"
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*+\n)++")
_LABELS = (f"{HUMAN}:", f"{ASSISTANT}:")


def dialogue_field(value: Mapping[str, Any], key: str, place: str) -> str | None:
    """The text at `key`, or the conversation there as a transcript; None if there is none.

    Raises PromptError, beginning with `place`, for anything else.
    """
    conversation = value.get(key)
    if not isinstance(conversation, list):
        return text_field(value, key, place)
    if not conversation:
        raise PromptError(f"{place}: `{key}` is an empty list; messages are required")
    turns: list[Turn] = []
    system: list[str] = []
    for number, message in enumerate(conversation, 1):
        role, text = _message(message, f"{place}: `{key}`, message {number}")
        if role == _SYSTEM:
            system.append(text)
        elif role == "user":
            turns.append(Turn(HUMAN, "\n\n".join([*system, text])))
            system = []
        else:
            turns.append(Turn(ASSISTANT, text))
    if system:
        raise PromptError(f"{place}: `{key}`: a system message needs a user's message after it")
    return render(turns)


def _message(message: Any, where: str) -> tuple[str, str]:
    """(role, text) of a message; no paragraph of the text begins with a speaker's label."""
    if not isinstance(message, Mapping):
        kind = type(message).__name__
        raise PromptError(f"{where}: an object with `role` and `content` is required, not a {kind}")
    role = message.get("role")
    if role not in (*_SPEAKERS, _SYSTEM):
        raise PromptError(
            f"{where}: role {quoted(role)} has no place in a dialogue of text; "
            f"{_SYSTEM}, {' and '.join(_SPEAKERS)} have"
        )
    text = text_field(message, "content", where)
    if text is None:
        raise PromptError(f"{where}: `content` must be a string; calls of tools are not supported")
    return str(role), _BLANK_LINES.sub(_keep_in_paragraph, text.replace("\r\n", "\n").strip())


def _keep_in_paragraph(lines: re.Match[str]) -> str:
    """The matched blank lines, or one line break if a speaker's label follows them."""
    return "\n" if lines.string.startswith(_LABELS, lines.end()) else lines.group()
