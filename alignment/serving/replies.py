"""Reads a completion's JSON: the text of the answer, or the reason why there is none.

An empty answer is an answer if the model generated nothing: the text is `""`, and the server counts
no token but the one that ends an answer. Where the server sends something other than text, or a
limit or a filter removed all text, there is no answer to be judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from alignment.prompts.transcripts import shown
from alignment.records import Stop
from alignment.redaction import without_keys

_FINISH_REASONS: dict[Stop, tuple[str, ...]] = {
    "eos": ("stop", "eos", "eos_token", "end_turn", "stop_sequence"),
    "length": ("length", "max_tokens", "max_length", "max_output_tokens"),
    "filter": ("content_filter", "safety", "recitation", "sensitive"),
}
"""Why an answer ended -> servers' words for it; others, as `abort`, mean that it did not end."""

_STOPS = {reason: stop for stop, reasons in _FINISH_REASONS.items() for reason in reasons}

_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "reasoning_text", "thoughts")
"""Keys under which servers put the thinking of a legacy completion."""

_TEXTS = {"text": "text", "output_text": "text", "refusal": "refusal"}
"""Type of a part of the content -> the key of its text."""

_MOST = 10**9
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer: the text, why it ended, and how many tokens it has.

    `model` and `fingerprint` are what the server reports about itself. `missing` is the reason why
    there is no answer; the text is then empty and must not be judged.
    """

    text: str
    stop: Stop
    tokens: int | None
    model: str | None
    fingerprint: str | None
    missing: str | None = None


@dataclass(slots=True)
class _Content:
    """The text of a choice, None where there is none, and what else it has."""

    text: str | None = None
    extras: dict[str, str] = field(default_factory=dict)
    """What else the choice has -> how much it is."""


class _Missing(Exception):  # noqa: N818 - a finding, with the reason
    """There is no answer."""


def read(completion: object, *, ends: str = "") -> Reply:
    """The first choice of a completion, of either API. `ends` is the requested stop sequence.

    Keys are removed from all texts. Raises ValueError, with the reason, for what is no completion.
    """
    if not isinstance(completion, Mapping):
        reason = completion if isinstance(completion, str) else "it is no JSON object"
        raise ValueError(reason)  # noqa: TRY004
    choice = _first_choice(completion)
    tokens, thought = _count_tokens(completion)
    served = {
        "model": _text_of(completion, "model"),
        "fingerprint": _text_of(completion, "system_fingerprint"),
    }
    finish_reason = (_text_of(choice, "finish_reason") or "").strip() or None
    stop = _STOPS.get((finish_reason or "stop").lower())
    try:
        content = _read_choice(choice)
        if stop is None:
            _refuse_unfinished(finish_reason)
        text = content.text or ""
        if not text.strip():
            shown_all = tokens is None or tokens <= 1 + len(text) + len(ends)
            unseen = None if shown_all else tokens
            _check_empty(
                content, finish_reason=finish_reason, stop=stop, thought=thought, unseen=unseen
            )
    except _Missing as missing:
        return Reply("", stop or "eos", tokens, **served, missing=str(missing))
    return Reply(text, stop, tokens, **served)


def _first_choice(completion: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = completion.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        return choices[0]
    if completion.get("error"):
        raise ValueError(f"an error: {_error_message(completion['error'])}")
    raise ValueError("it has no choices")


def _read_choice(choice: Mapping[str, Any]) -> _Content:
    """The text of a choice and what else it has. Raises _Missing, and ValueError."""
    if choice.get("error"):
        raise ValueError(f"an error: {_error_message(choice['error'])}")
    message = choice.get("message")
    if message is None:
        if "text" not in choice:
            raise ValueError("its first choice has no text")
        content = _read_content(choice["text"])
        content.extras |= _find_extras(choice, [key for key in _THOUGHTS if key in choice])
        return content
    if not isinstance(message, Mapping) or not message:
        raise ValueError("its first choice has no message")
    if message.get("tool_calls") or message.get("function_call"):
        raise _Missing("it calls a tool, and none was offered; serve it without tools")
    content = _read_content(message.get("content"))
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal.strip():  # a refusal is an answer, too
        content.text = "\n\n".join(each for each in (content.text, _clean(refusal)) if each)
    others = [key for key in message if key not in {"role", "content", "refusal", "name"}]
    content.extras |= _find_extras(message, others)
    return content


def _read_content(value: object) -> _Content:
    """The content of a message: a text, null, or a list of parts.

    Raises _Missing for a part that is neither text nor thinking, and ValueError.
    """
    if value is None:
        return _Content()
    if isinstance(value, str):
        return _Content(_clean(value))
    if not isinstance(value, list):
        raise ValueError(f"its text is a {type(value).__name__}")  # noqa: TRY004
    texts, extras = [], {}
    for part in value:
        if isinstance(part, str):
            texts.append(part)
            continue
        if not isinstance(part, Mapping):
            raise ValueError(f"its text has a {type(part).__name__} as a part")  # noqa: TRY004
        kind = _text_of(part, "type") or "unnamed"
        text = part.get(_TEXTS.get(kind, ""))
        if isinstance(text, str):
            texts.append(text)
        elif kind in {*_THOUGHTS, "redacted_thinking"}:
            extras[kind] = "a part"
        else:
            raise _Missing(f"it has a part of kind {shown(kind, _SHOWN)}, and only text is judged")
    return _Content(_clean("".join(texts)) if texts else None, extras)


def _find_extras(holder: Mapping[str, Any], keys: list[str]) -> dict[str, str]:
    """Those of these keys whose values are not empty -> how much the value is."""
    extras = {}
    for key in keys:
        value = holder[key]
        if value not in (None, "", [], {}, False):
            size = f"{len(value)} characters" if isinstance(value, str) else "of no kind of text"
            extras[_clean(str(key))] = size
    return extras


def _refuse_unfinished(finish_reason: str | None) -> NoReturn:
    if (finish_reason or "").lower() in {"tool_calls", "function_call"}:
        raise _Missing("it calls a tool, and none was offered; serve it without tools")
    raise _Missing(
        f"finish_reason is {shown(finish_reason or '', _SHOWN)}, which is no end of an answer; "
        f"look into the server's log"
    )


def _check_empty(
    content: _Content,
    *,
    finish_reason: str | None,
    stop: Stop,
    thought: bool,
    unseen: int | None,
) -> None:
    """Raise _Missing unless an empty text is all that the model generated.

    `thought`: the server counts tokens of thinking. `unseen`: it counts so many tokens, which are
    not in the answer.
    """
    extras = ", ".join(f"{shown(key, _SHOWN)} ({size})" for key, size in content.extras.items())
    state = "null" if content.text is None else "empty"
    reason = f"content is {state}" + (f", and {extras[:160]} came" if extras else "")
    if thought and not extras:
        reason += ", and the server counts tokens of thinking"
    if stop == "length":
        raise _Missing(f"{reason}; it was cut by the limit of tokens: raise it")
    if stop == "filter":
        raise _Missing(f"{reason}; the server's filter left nothing")
    if extras or thought or content.text is None:
        raise _Missing(f"{reason}; have the server put the answer into content")
    if finish_reason is None:
        raise _Missing(f"{reason}, and no finish_reason says that this is all")
    if unseen is not None:
        raise _Missing(f"{reason}, and the server counts {unseen} tokens; have it show them")


def _count_tokens(completion: Mapping[str, Any]) -> tuple[int | None, bool]:
    """How many tokens the server counts, and whether some of them are thinking."""
    usage = completion.get("usage")
    if not isinstance(usage, Mapping):
        return None, False
    details = usage.get("completion_tokens_details")
    thought = details.get("reasoning_tokens") if isinstance(details, Mapping) else None
    return _count_of(usage.get("completion_tokens")), bool(_count_of(thought))


def _count_of(value: object) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value <= _MOST else None  # type: ignore[operator,return-value]


def _error_message(error: object) -> str:
    if isinstance(error, Mapping):
        error = error.get("message") or error.get("code") or "without a word"
    return shown(without_keys(str(error)[:16_384]), 120)


def _text_of(holder: Mapping[str, Any], key: str) -> str | None:
    value = holder.get(key)
    return _clean(value) if isinstance(value, str) else None


def _clean(text: str) -> str:
    """The text without keys, and without lone surrogates, which can be neither stored nor sent."""
    return without_keys(text.encode("utf-8", "replace").decode())
