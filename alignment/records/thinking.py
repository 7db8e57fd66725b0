"""What a model thinks before it answers, where it stands in the same text as the answer.

Models that think write their thinking between marks (`<think>`, `</think>` and their like). A chat
template may have opened the thinking in the prompt, so that a text only closes it; a limit of
tokens may cut it, so that a text only opens it and nothing was answered yet. An answer may also
speak of such marks: one in quotes, or a pair of them in code, is part of what is said.
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

# The channels of gpt-oss: `final` is the answer. Its marks are special tokens, which decoding may
# leave out: then the names of the channels run into the texts.
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>")
_CHANNEL_END = re.compile(r"<\|(?:end|return|call|start)\|>")
_BARE_FINAL = re.compile(r"\A\s*(?:analysis|commentary).*?assistantfinal", re.DOTALL)
_BARE_OPEN = re.compile(r"\A\s*analysis(?=[A-Z])")


class NoAnswer(ValueError):  # noqa: N818 - a finding about a text
    """A text in which nothing was answered, or it is not said what of it is the answer."""


def answer_of(text: str, thinking: Thinking, option: str) -> str:
    """The answer in a text. Raises NoAnswer, with the reason, where there is none.

    `unscored` takes no text with thinking in it; `apart` takes what is outside of the thinking;
    `always` does so too, and a text that never ends a thinking is nothing but that; `answer` takes
    all of it. `option` names the setting for the reason.
    """
    if thinking == "answer":
        return text
    mark = _first(text)
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
    found = _outside(text)
    if found is None:
        raise NoAnswer(
            f"its text ends within the thinking ({mark}); raise the limit of tokens, so that it "
            f"comes to an answer"
        )
    if not found:
        raise NoAnswer(f"its text is nothing but thinking ({mark}), which ended without an answer")
    return found


def left_open(text: str) -> str:
    """The mark by which a prompt opens a thinking for the answer to go on with, or nothing."""
    marks = list(_MARK.finditer(_unspoken(text)))
    return marks[-1].group() if marks and marks[-1]["open"] else ""


def _unspoken(text: str) -> str:
    """A text as long, in which spaces stand for the marks that it only speaks of."""
    return _CODE.sub(_without_pairs, _QUOTED.sub(_blank, text))


def _without_pairs(code: re.Match[str]) -> str:
    """Code without its marks, where each that opens is closed there: else they may be real."""
    kinds = [mark.lastgroup for mark in _MARK.finditer(code.group())]
    paired = kinds == ["open", "close"] * (len(kinds) // 2)
    return _MARK.sub(_blank, code.group()) if paired else code.group()


def _blank(mark: re.Match[str]) -> str:
    return " " * len(mark.group())


def _first(text: str) -> str | None:
    """The first thing in a text that speaks of thinking."""
    text = _unspoken(text)
    for pattern in (_CHANNEL, _MARK, _BARE_FINAL, _BARE_OPEN):
        if found := pattern.search(text):
            return found.group().strip()[:40]
    return None


def _outside(text: str) -> str | None:
    """What a text with thinking says outside of it; None where the thinking never ends."""
    if _CHANNEL.search(text):
        return _final(text)
    if bare := _BARE_FINAL.match(text):
        return text[bare.end() :].strip()
    if _BARE_OPEN.match(text):
        return None
    kept, inside, at = "", False, 0
    for mark in _MARK.finditer(_unspoken(text)):
        if not inside:
            kept += text[at : mark.start()]
        if mark["close"] and not inside:  # opened in the prompt: all that came before was thinking
            kept = ""
        inside, at = mark["open"] is not None, mark.end()
    return None if inside else (kept + text[at:]).strip()


def _final(text: str) -> str | None:
    """What stands in the channel `final`; None where there is none."""
    parts = _CHANNEL.split(text)
    found = [
        _CHANNEL_END.split(said, maxsplit=1)[0]
        for name, said in zip(parts[1::2], parts[2::2], strict=True)
        if name == "final"
    ]
    return "\n\n".join(each.strip() for each in found) if found else None
