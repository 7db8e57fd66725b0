"""What a server's JSON says: the text of an answer, or why it holds none.

Written for what servers really send. A model may have said nothing at all (`""`, and the server
counts no token but the one that ends an answer): that is an answer, and a poor one. Where something
came that is not text, or a limit or a filter left nothing, there is no answer to be judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from alignment.prompts.transcripts import shown
from alignment.records import Stop
from alignment.redaction import without_keys

_ENDS: dict[Stop, tuple[str, ...]] = {
    "eos": ("stop", "eos", "eos_token", "end_turn", "stop_sequence"),
    "length": ("length", "max_tokens", "max_length", "max_output_tokens"),
    "filter": ("content_filter", "safety", "recitation", "sensitive"),
}
"""What servers call the end of an answer. Other words, `abort` or `error`, are no end of one."""

_STOPS = {word: stop for stop, words in _ENDS.items() for word in words}

_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "reasoning_text", "thoughts")
"""Where servers put the thinking of a legacy completion; a message may hold anything else."""

_TEXTS = {"text": "text", "output_text": "text", "refusal": "refusal"}
"""Part of a content -> where its text stands."""

_MOST = 10**9
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered: the text, why it ended, its tokens, and what it says it is.

    `missing` says why there is no answer: the text is then empty and stands for nothing.
    """

    text: str
    stop: Stop
    tokens: int | None
    model: str | None
    fingerprint: str | None
    missing: str | None = None


@dataclass(slots=True)
class _Said:
    """A choice, as far as it is known by now."""

    text: str | None = None
    more: dict[str, str] = field(default_factory=dict)
    """What else came -> how much of it."""


class _Missing(Exception):  # noqa: N818 - a finding, with the reason
    """There is no answer."""


def read(found: object, *, ends: str = "") -> Reply:
    """The first choice of a completion, of either API. `ends` is the stop sequence asked for.

    No text of it holds a key. Raises ValueError, with the reason, for what is no completion.
    """
    if not isinstance(found, Mapping):
        raise ValueError(found if isinstance(found, str) else "it is no JSON object")  # noqa: TRY004
    choice = _choice(found)
    tokens, thought = _counted(found)
    told = {"model": _text(found, "model"), "fingerprint": _text(found, "system_fingerprint")}
    ended = (_text(choice, "finish_reason") or "").strip() or None
    stop = _STOPS.get((ended or "stop").lower())
    try:
        said = _said(choice)
        if stop is None:
            _no_end(ended)
        text = said.text or ""
        if not text.strip():
            shown_all = tokens is None or tokens <= 1 + len(text) + len(ends)
            unseen = None if shown_all else tokens
            _nothing(said, ended=ended, stop=stop, thought=thought, unseen=unseen)
    except _Missing as missing:
        return Reply("", stop or "eos", tokens, **told, missing=str(missing))
    return Reply(text, stop, tokens, **told)


def _choice(found: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = found.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        return choices[0]
    if found.get("error"):
        raise ValueError(f"an error: {_words(found['error'])}")
    raise ValueError("it has no choices")


def _said(choice: Mapping[str, Any]) -> _Said:
    """What a choice says and what else it holds. Raises _Missing, and ValueError."""
    if choice.get("error"):
        raise ValueError(f"an error: {_words(choice['error'])}")
    message = choice.get("message")
    if message is None:
        if "text" not in choice:
            raise ValueError("its first choice has no text")
        said = _content(choice["text"])
        said.more |= _others(choice, [k for k in _THOUGHTS if k in choice])
        return said
    if not isinstance(message, Mapping) or not message:
        raise ValueError("its first choice has no message")
    if message.get("tool_calls") or message.get("function_call"):
        raise _Missing("it calls a tool, and none was offered; serve it without tools")
    said = _content(message.get("content"))
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal.strip():  # who declines has said something too
        said.text = "\n\n".join(each for each in (said.text, _clean(refusal)) if each)
    others = [key for key in message if key not in {"role", "content", "refusal", "name"}]
    said.more |= _others(message, others)
    return said


def _content(content: object) -> _Said:
    """A text, nothing, or parts of which some are text. Raises _Missing, and ValueError."""
    if content is None:
        return _Said()
    if isinstance(content, str):
        return _Said(_clean(content))
    if not isinstance(content, list):
        raise ValueError(f"its text is a {type(content).__name__}")  # noqa: TRY004
    texts, more = [], {}
    for part in content:
        if isinstance(part, str):
            texts.append(part)
            continue
        if not isinstance(part, Mapping):
            raise ValueError(f"its text has a {type(part).__name__} as a part")  # noqa: TRY004
        kind = _text(part, "type") or "unnamed"
        text = part.get(_TEXTS.get(kind, ""))
        if isinstance(text, str):
            texts.append(text)
        elif kind in {*_THOUGHTS, "redacted_thinking"}:
            more[kind] = "a part"
        else:
            raise _Missing(f"it has a part of kind {shown(kind, _SHOWN)}, and only text is judged")
    return _Said(_clean("".join(texts)) if texts else None, more)


def _others(holder: Mapping[str, Any], keys: list[str]) -> dict[str, str]:
    """What of these keys is not empty -> how much it is."""
    found = {}
    for key in keys:
        value = holder[key]
        if value not in (None, "", [], {}, False):
            much = f"{len(value)} characters" if isinstance(value, str) else "of no kind of text"
            found[_clean(str(key))] = much
    return found


def _no_end(ended: str | None) -> NoReturn:
    if (ended or "").lower() in {"tool_calls", "function_call"}:
        raise _Missing("it calls a tool, and none was offered; serve it without tools")
    raise _Missing(
        f"finish_reason is {shown(ended or '', _SHOWN)}, which is no end of an answer; "
        f"look into the server's log"
    )


def _nothing(
    said: _Said, *, ended: str | None, stop: Stop, thought: bool, unseen: int | None
) -> None:
    """Raise _Missing unless a text with nothing in it is all that the model had to say."""
    came = ", ".join(f"{shown(key, _SHOWN)} ({much})" for key, much in said.more.items())
    content = "null" if said.text is None else "empty"
    what = f"content is {content}" + (f", and {came[:160]} came" if came else "")
    if thought and not came:
        what += ", and the server counts tokens of thinking"
    if stop == "length":
        raise _Missing(f"{what}; it was cut by the limit of tokens: raise it")
    if stop == "filter":
        raise _Missing(f"{what}; the server's filter left nothing")
    if came or thought or said.text is None:
        raise _Missing(f"{what}; have the server put the answer into content")
    if ended is None:
        raise _Missing(f"{what}, and no finish_reason says that this is all")
    if unseen is not None:
        raise _Missing(f"{what}, and the server counts {unseen} tokens; have it show them")


def _counted(found: Mapping[str, Any]) -> tuple[int | None, bool]:
    """How many tokens the server counts, and whether some of them are thinking."""
    usage = found.get("usage")
    if not isinstance(usage, Mapping):
        return None, False
    details = usage.get("completion_tokens_details")
    thought = details.get("reasoning_tokens") if isinstance(details, Mapping) else None
    return _number(usage.get("completion_tokens")), bool(_number(thought))


def _number(value: object) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value <= _MOST else None  # type: ignore[operator,return-value]


def _words(error: object) -> str:
    if isinstance(error, Mapping):
        error = error.get("message") or error.get("code") or "without a word"
    return shown(without_keys(str(error)[:16_384]), 120)


def _text(found: Mapping[str, Any], key: str) -> str | None:
    value = found.get(key)
    return _clean(value) if isinstance(value, str) else None


def _clean(text: str) -> str:
    """Without keys, and without lone surrogates: nothing with them can be stored or sent."""
    return without_keys(text.encode("utf-8", "replace").decode())
