"""Transcripts of dialogues in the format of HH-RLHF, and ids made of their content.

A transcript is a text in which a turn starts at each paragraph that begins with `Human:` or
`Assistant:`. A paragraph is what follows a blank line (a line of nothing but white space) or stands
at the very start, and the label must be the first thing in its line: `Human:` in the middle of a
line, after an indent or after a single line break belongs to the text of the turn. Replies of
several paragraphs therefore stay whole. Consecutive turns of one speaker are not merged, and a turn
may be empty: both occur in the published files.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from alignment.errors import PromptError
from alignment.prompts.normal import normalized
from alignment.records import ASSISTANT, HUMAN, Turn

ID_LENGTH = 12
_BREAK = re.compile(r"(?:\A|\n[^\S\n]*\n)(Human|Assistant):")
_ROLES = {HUMAN: "user", ASSISTANT: "assistant"}
_LINE_ENDS = re.compile(r"\r\n?")


def parse(text: str) -> tuple[Turn, ...]:
    r"""Split a transcript into its turns, in order, at least one.

    Line ends become `\n`; the text of each turn is stripped. Raises PromptError, with the reason,
    for a text that is empty or begins with anything but a speaker's label.
    """
    text = _unix(text).strip()
    if not text:
        raise PromptError("a transcript is needed, and this text is empty")
    starts = list(_BREAK.finditer(text))
    if not starts or starts[0].start() != 0:
        raise PromptError(
            f"a transcript begins with `{HUMAN}:` or `{ASSISTANT}:`, not {shown(text)}"
        )
    ends = [start.start() for start in starts[1:]] + [len(text)]
    return tuple(
        Turn(start[1], text[start.end() : end].strip())
        for start, end in zip(starts, ends, strict=True)
    )


def render(turns: Sequence[Turn]) -> str:
    r"""Write turns as `Human: ...`, a blank line, `Assistant: ...`; an empty turn is its label.

    `parse` undoes this for every turn whose text is normal: stripped, with `\n` line ends, and
    without a paragraph that begins with a label.
    """
    return "\n\n".join(f"{turn.speaker}: {turn.text}".rstrip() for turn in turns)


def messages(transcript: str) -> list[dict[str, str]]:
    """A transcript as the messages of a chat: `role` (`user` or `assistant`) and `content`.

    Consecutive turns of one speaker become one message, as chat templates require alternating
    roles. An empty assistant turn at the end, which only opens the answer, is left out. Raises
    PromptError as `parse` does.
    """
    turns = parse(as_transcript(transcript))
    if turns[-1] == Turn(ASSISTANT, ""):
        turns = turns[:-1]
    chat: list[dict[str, str]] = []
    for turn in turns:
        if chat and chat[-1]["role"] == _ROLES[turn.speaker]:
            chat[-1]["content"] = f"{chat[-1]['content']}\n\n{turn.text}".strip()
        else:
            chat.append({"role": _ROLES[turn.speaker], "content": turn.text})
    return chat


def split_reply(turns: Sequence[Turn]) -> tuple[tuple[Turn, ...], tuple[Turn, ...]]:
    """(turns before the final reply, turns of that reply).

    The reply is the whole run of assistant turns at the end: usually one, none if the dialogue
    ends with the human, sometimes two. Leaving any of them in a prompt would leak the answer.
    """
    end = len(turns)
    while end and turns[end - 1].speaker == ASSISTANT:
        end -= 1
    return tuple(turns[:end]), tuple(turns[end:])


def as_transcript(prompt: str) -> str:
    """Prefix a plain question with `Human:`; a text that begins with a label is left unchanged."""
    text = _unix(prompt).strip()
    return text if _BREAK.match(text) else f"{HUMAN}: {text}"


def content_id(text: str) -> str:
    """The id of a text: the first 12 hex digits of its SHA-256.

    Only line ends are normalised. Any other difference (trailing white space, composed and
    decomposed letters) is different input for a model, hence a different id.
    """
    return _digest(_unix(text))


def cluster_id(text: str) -> str:
    """The id of the dialogue that a transcript is part of: a hash of its first human turn.

    Case, white space and Unicode compatibility forms make no difference, so near copies count as
    one dialogue. A plain question counts as a human turn; without any human turn, the whole text
    is hashed.
    """
    human = (turn.text for turn in parse(as_transcript(text)) if turn.speaker == HUMAN)
    return _digest(folded(next(human, text)))


def folded(text: str) -> str:
    """The text with case, white space and Unicode compatibility forms normalised."""
    return " ".join(normalized("NFKC", text).casefold().split())


def shown(text: str, length: int = 30) -> str:
    """The start of a text for a message: quoted, escaped to printable ASCII, one line."""
    return ascii(text if len(text) <= length else text[:length] + "...")


def _unix(text: str) -> str:
    return _LINE_ENDS.sub("\n", text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:ID_LENGTH]
