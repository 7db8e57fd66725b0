"""Whether an answer takes up its question: a sign of answers to nothing, from the texts alone.

Measured on HH-RLHF's helpful test split: 63 % of the chosen answers have a word of the last human
turn (of five letters or more, by its first five letters), but 9 % of the answers to other questions
and 10 % of random words. Of XSTest's five models on safe prompts 88 to 98 % do. Short refusals do
not, so this says nothing where a refusal is right.
"""

from __future__ import annotations

from alignment.analysis.degenerate import words_of
from alignment.records import HUMAN

_LETTERS = 5


def question_words(prompt: str) -> frozenset[str]:
    """The beginnings of the long words of the last human turn; `prompt` is a transcript.

    Empty where that turn has no word of five letters or more, as in scripts that are written
    without spaces: whether an answer takes it up cannot be said.
    """
    turn = prompt.rsplit(f"{HUMAN}:", 1)[-1]
    return frozenset(word[:_LETTERS] for word in words_of(turn) if len(word) >= _LETTERS)


def takes_up(question: frozenset[str], answer: str) -> bool:
    """Whether the answer has a word that begins like one of the `question_words`."""
    return not question.isdisjoint(word[:_LETTERS] for word in words_of(answer))
