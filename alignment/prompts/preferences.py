"""Makes preference pairs of rows, and lists unusable rows with the reason."""

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
    """A row that makes no preference pair, and why (one of this module's constants)."""

    source: str
    line: int
    reason: str


def pairs(rows: Iterable[Row], axis: str) -> tuple[list[PreferencePair], list[Unusable]]:
    """(pairs, unusable rows): each row is in one of the two lists.

    A pair is two different, non-empty answers to one dialogue. The answer is the run of assistant
    turns at the end, mostly one; several are joined as paragraphs of one answer. A row whose
    transcripts differ before their last answers compares dialogues, not answers, and is unusable.
    """
    usable: list[PreferencePair] = []
    unusable: list[Unusable] = []
    for row in rows:
        result = _pair(row, axis)
        if isinstance(result, str):
            unusable.append(Unusable(row.source, row.line, result))
        else:
            usable.append(result)
    return usable, unusable


def _pair(row: Row, axis: str) -> PreferencePair | str:
    """The pair that a row makes, or the reason why it is unusable."""
    if row.chosen is None or row.rejected is None:
        return NO_ANSWERS
    try:
        before, better = split_reply(parse(row.chosen))
        before_rejected, worse = split_reply(parse(row.rejected))
    except PromptError:
        return NO_TRANSCRIPT
    reason = _reason_against(before, before_rejected, better, worse)
    if reason is not None:
        return reason
    prompt, cluster = render(before), cluster_id(render(before))
    return PreferencePair(prompt, _answer(better), _answer(worse), axis, cluster, row.source)


def _reason_against(
    before: Turns, before_rejected: Turns, better: Turns, worse: Turns
) -> str | None:
    """Why two dialogues and their answers make no pair; None if they do."""
    same = before == before_rejected
    human_asks = any(turn.speaker == HUMAN and turn.text for turn in before[-1:])
    checks = (
        (same and _answer(better) == _answer(worse), IDENTICAL),
        (not better or not worse, NO_REPLY),
        (not same, DIVERGES),
        (not human_asks, NO_QUESTION),
        (not _answer(better) or not _answer(worse), EMPTY),
        (_runs_on(better) or _runs_on(worse), RUNS_ON),
    )
    return next((reason for fails, reason in checks if fails), None)


def _answer(reply: Turns) -> str:
    return "\n\n".join(turn.text for turn in reply if turn.text)


def _runs_on(reply: Turns) -> bool:
    """Whether the joined answer would be parsed as several turns, by a `Human:` inside it."""
    return len(parse(f"{ASSISTANT}: {_answer(reply)}")) > 1
