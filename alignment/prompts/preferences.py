"""Rows made into preference pairs, and every row that is none, with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from alignment.errors import PromptError
from alignment.prompts.rows import Row
from alignment.prompts.transcripts import cluster_id, parse, render, split_reply
from alignment.records import ASSISTANT, HUMAN, PreferencePair, Turn

NO_ANSWERS = "no `chosen` and `rejected`"
NO_TRANSCRIPT = "no transcript"
IDENTICAL = "chosen and rejected are the same"
NO_REPLY = "no final assistant turn"
EMPTY = "an answer is empty"
RUNS_ON = "an answer holds another turn"
DIVERGES = "diverges before the last turn"
NO_QUESTION = "nothing said by the human before the answer"


Turns = tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Unusable:
    """A row that is no preference pair, and why (one of this module's reasons)."""

    source: str
    line: int
    reason: str


def pairs(rows: Iterable[Row], axis: str) -> tuple[list[PreferencePair], list[Unusable]]:
    """Make each row a pair or list it as unusable: the two lists together account for all rows.

    A pair is two different, non-empty answers to one dialogue. The answer is the run of assistant
    turns at the end, mostly one; two in a row are joined as paragraphs of one answer. Where the
    transcripts part before that, the human went on to say different things, and the row compares
    dialogues rather than answers.
    """
    usable: list[PreferencePair] = []
    unusable: list[Unusable] = []
    for row in rows:
        made = _pair(row, axis)
        if isinstance(made, str):
            unusable.append(Unusable(row.source, row.line, made))
        else:
            usable.append(made)
    return usable, unusable


def _pair(row: Row, axis: str) -> PreferencePair | str:
    """The pair that a row makes, or the reason why it makes none."""
    if row.chosen is None or row.rejected is None:
        return NO_ANSWERS
    try:
        before, better = split_reply(parse(row.chosen))
        before_rejected, worse = split_reply(parse(row.rejected))
    except PromptError:
        return NO_TRANSCRIPT
    reason = _fault(before, before_rejected, better, worse)
    if reason is not None:
        return reason
    prompt, cluster = render(before), cluster_id(render(before))
    return PreferencePair(prompt, _answer(better), _answer(worse), axis, cluster, row.source)


def _fault(before: Turns, before_rejected: Turns, better: Turns, worse: Turns) -> str | None:
    same = before == before_rejected
    asked = any(turn.speaker == HUMAN and turn.text for turn in before[-1:])
    checks = (
        (same and _answer(better) == _answer(worse), IDENTICAL),
        (not better or not worse, NO_REPLY),
        (not same, DIVERGES),
        (not asked, NO_QUESTION),
        (not _answer(better) or not _answer(worse), EMPTY),
        (_runs_on(better) or _runs_on(worse), RUNS_ON),
    )
    return next((reason for fails, reason in checks if fails), None)


def _answer(reply: Turns) -> str:
    return "\n\n".join(turn.text for turn in reply if turn.text)


def _runs_on(reply: Turns) -> bool:
    """Whether the joined answer would be read as several turns: `Human:` inside the second one."""
    return len(parse(f"{ASSISTANT}: {_answer(reply)}")) > 1
