"""A keyword filter on dialogues."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from alignment.config.axes import Prompts
from alignment.errors import PromptError
from alignment.prompts.normal import normalized
from alignment.prompts.transcripts import as_transcript, parse
from alignment.records import HUMAN


@dataclass(frozen=True, slots=True)
class Filter:
    """A keyword filter: the keywords, how they match, and where. No keywords: all passes."""

    keywords: tuple[str, ...]
    match: Literal["word", "substring"]
    look_in: Literal["last_turn", "prompt", "transcript"]
    ignore_case: bool

    @classmethod
    def of(cls, prompts: Prompts) -> Filter:
        """The filter of an axis: the defaults of its protocol, overridden by the profile."""
        strict = prompts.protocol == "strict"
        return cls(
            keywords=prompts.keywords,
            match=prompts.match or ("word" if strict else "substring"),
            look_in=prompts.look_in or ("last_turn" if strict else "transcript"),
            ignore_case=strict if prompts.ignore_case is None else prompts.ignore_case,
        )

    def compiled(self) -> Callable[[str, str], bool]:
        """A function `keeps(prompt, transcript)`: whether a keyword occurs in `look_in`."""
        if not self.keywords:
            return lambda _prompt, _transcript: True
        pattern = self._pattern()

        def keeps(prompt: str, transcript: str) -> bool:
            texts = {"transcript": transcript, "prompt": prompt}
            text = texts.get(self.look_in)
            text = last_turn(prompt) if text is None else text
            return pattern.search(normalized("NFC", text)) is not None

        return keeps

    def _pattern(self) -> re.Pattern[str]:
        """One pattern for all keywords. A word ends where letters, digits and `_` end.

        Languages written without spaces need `match = "substring"`.
        """
        parts = [re.escape(normalized("NFC", word)) for word in self.keywords]
        if self.match == "word":
            parts = [rf"(?<!\w)(?:{part})(?!\w)" for part in parts]
        return re.compile("|".join(parts), re.IGNORECASE if self.ignore_case else re.NOFLAG)


def last_turn(prompt: str) -> str:
    """The text of the last human turn of a prompt; the whole prompt if it has none."""
    try:
        turns = parse(as_transcript(prompt))
    except PromptError:
        return prompt
    return next((turn.text for turn in reversed(turns) if turn.speaker == HUMAN), prompt)
