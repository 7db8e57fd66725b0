"""Finds the answer in a text that also holds the model's thinking.

Models that think write it between marks such as `<think>` and `</think>`. If the chat template
opens the thinking in the prompt, a text only closes it; if a token limit cuts the thinking, a text
only opens it and holds no answer. An answer may also talk about such marks: a mark in quotes, or a
pair of them in code, belongs to the answer.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

Thinking = Literal["unscored", "apart", "always", "answer"]

_NAMES = r"(?:seed:)?(?:think|thinking|thought|thoughts|reasoning)"
_OPEN = re.compile(
    rf"<{_NAMES}>|\[THINK\]|◁think▷|<\|begin_of_thought\|>|<\|START_THINKING\|>"
    r"|<\|channel>thought|\A\s*Here is my thought process:",
    re.IGNORECASE,
)
_CLOSE = re.compile(
    rf"</{_NAMES}>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>|<\|END_THINKING\|>"
    r"|<channel\|>|\nHere is my response:",
    re.IGNORECASE,
)
_MARK = re.compile(f"(?P<open>{_OPEN.pattern})|(?P<close>{_CLOSE.pattern})", re.IGNORECASE)
_QUOTED = re.compile(rf"(?P<by>[`'\"])(?:{_OPEN.pattern}|{_CLOSE.pattern})(?P=by)", re.IGNORECASE)
_CODE = re.compile(r"`[^`\n]+`|^[ \t]*```[^\n]*\n.*?^[ \t]*```", re.DOTALL | re.MULTILINE)

# The channels of gpt-oss: `final` is the answer. The marks are special tokens, which decoding may
# leave out: then the name of a channel is followed by its text without a space.
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>")
_CHANNEL_END = re.compile(r"<\|(?:end|return|call|start)\|>")
_BARE_FINAL = re.compile(r"\A\s*(?:analysis|commentary).*?assistantfinal", re.DOTALL)
_BARE_OPEN = re.compile(r"\A\s*analysis(?=[A-Z])")


class NoAnswer(ValueError):  # noqa: N818 - a finding about a text
    """A text holds no answer, or it cannot be said which part of it is the answer."""


def answer_of(text: str, thinking: Thinking, option: str) -> str:
    """The answer in `text`. Raises NoAnswer, with the reason, where there is none.

    `thinking` says how a text with thinking is read. `unscored`: it holds no answer; `apart`: the
    answer is what is outside of the thinking; `always`: likewise, and a text without any mark is
    thinking that was cut; `answer`: the whole text is the answer. `option` is the name of this
    setting, for the reason.
    """
    if thinking == "answer":
        return text
    mark = _first_mark(text)
    if mark is None:
        if thinking == "always":
            raise NoAnswer(
                f"its text never ends the thinking, and {option} is 'always'; raise the limit of "
                f"tokens, so that it comes to an answer"
            )
        return text
    if thinking == "unscored":
        raise NoAnswer(
            f"its text holds thinking ({mark}); set {option} = 'apart' to judge the answer "
            f"without it, or one of {', '.join(map(repr, get_args(Thinking)[2:]))}"
        )
    answer = _outside_thinking(text)
    if answer is None:
        raise NoAnswer(
            f"its text ends within the thinking ({mark}); raise the limit of tokens, so that it "
            f"comes to an answer"
        )
    if not answer:
        raise NoAnswer(f"its text is nothing but thinking ({mark}), which ended without an answer")
    return answer


def left_open(text: str) -> str:
    """The mark with which a prompt opens thinking that the response continues; else empty."""
    marks = list(_MARK.finditer(_blank_mentions(text)))
    return marks[-1].group() if marks and marks[-1]["open"] else ""


def _blank_mentions(text: str) -> str:
    """`text` with spaces in place of the marks that it only talks about; the length stays."""
    return _CODE.sub(_blank_pairs, _QUOTED.sub(_blank, text))


def _blank_pairs(code: re.Match[str]) -> str:
    """Code with blank marks if all that open are closed in it; otherwise they may be real."""
    kinds = [mark.lastgroup for mark in _MARK.finditer(code.group())]
    paired = kinds == ["open", "close"] * (len(kinds) // 2)
    return _MARK.sub(_blank, code.group()) if paired else code.group()


def _blank(mark: re.Match[str]) -> str:
    return " " * len(mark.group())


def _first_mark(text: str) -> str | None:
    """The first sign of thinking in a text (at most 40 characters); None without any."""
    text = _blank_mentions(text)
    for pattern in (_CHANNEL, _MARK, _BARE_FINAL, _BARE_OPEN):
        if match := pattern.search(text):
            return match.group().strip()[:40]
    return None


def _outside_thinking(text: str) -> str | None:
    """The part of a text outside of its thinking; None where the thinking never ends."""
    if _CHANNEL.search(text):
        return _final_channel(text)
    if bare := _BARE_FINAL.match(text):
        return text[bare.end() :].strip()
    if _BARE_OPEN.match(text):
        return None
    answer, inside, at = "", False, 0
    for mark in _MARK.finditer(_blank_mentions(text)):
        if not inside:
            answer += text[at : mark.start()]
        if mark["close"] and not inside:  # opened in the prompt: all text so far was thinking
            answer = ""
        inside, at = mark["open"] is not None, mark.end()
    return None if inside else (answer + text[at:]).strip()


def _final_channel(text: str) -> str | None:
    """The text of the channel `final`; None where there is no such channel."""
    parts = _CHANNEL.split(text)
    answers = [
        _CHANNEL_END.split(content, maxsplit=1)[0]
        for name, content in zip(parts[1::2], parts[2::2], strict=True)
        if name == "final"
    ]
    return "\n\n".join(answer.strip() for answer in answers) if answers else None
