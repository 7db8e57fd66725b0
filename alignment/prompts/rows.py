"""One row of a source, validated: the transcripts of a preference, or a prompt only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alignment.errors import PromptError, quoted
from alignment.prompts.conversations import dialogue_field
from alignment.prompts.jsonfiles import text_field
from alignment.prompts.slicing import columns_of
from alignment.prompts.transcripts import as_transcript
from alignment.records import ASSISTANT, HUMAN


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a source.

    `chosen` and `rejected` are whole transcripts. A row that is only a prompt has neither; `prompt`
    is then its text, unchanged. `line` counts from 1 in `source`. `columns` has the row's values in
    the columns that were asked for.
    """

    line: int
    source: str
    prompt: str | None = None
    chosen: str | None = None
    rejected: str | None = None
    language: str = "en"
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The text that a prompt is made of: the chosen transcript, else the prompt."""
        return (self.chosen if self.chosen is not None else self.prompt) or ""


def make_row(
    value: Mapping[str, Any],
    *,
    line: int,
    source: str,
    place: str,
    columns: Sequence[str] = (),
) -> Row:
    """Validate one object and make a row of it.

    An object has `chosen` and usually `rejected`, or a `prompt`; `language` is optional, other keys
    than those in `columns` are ignored. If it has a `prompt` beside `chosen` or `rejected`, these
    are answers and are joined with it. Each may be a text or a conversation (see
    `alignment.prompts.conversations`). Raises PromptError, beginning with `place`, which names the
    source and the line.
    """
    prompt = dialogue_field(value, "prompt", place)
    chosen = dialogue_field(value, "chosen", place)
    rejected = dialogue_field(value, "rejected", place)
    if chosen is None and (prompt is None or rejected is not None):
        keys = ", ".join(sorted(map(quoted, list(value)[:20]))) or "none"
        missing = "`chosen`" if rejected is not None else "`chosen` or `prompt`"
        raise PromptError(f"{place}: {missing} is required; keys found: {keys}")
    if prompt is not None and chosen is not None:
        chosen = _transcript(prompt, chosen)
        rejected = None if rejected is None else _transcript(prompt, rejected)
        prompt = None
    language = text_field(value, "language", place)
    found = columns_of(value, columns, place)
    return Row(line, source, prompt, chosen, rejected, language or "en", found)


def _transcript(prompt: str, answer: str) -> str:
    """The transcript of a prompt and its answer; an answer that already is one is kept."""
    answer = answer.strip()
    if answer.startswith(f"{HUMAN}:"):
        return answer
    label = f"{ASSISTANT}:"
    dialogue = as_transcript(prompt).removesuffix(label).rstrip()
    return f"{dialogue}\n\n{label} {answer.removeprefix(label).strip()}"
