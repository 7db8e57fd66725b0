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


def takes_up(prompt: str, answer: str) -> bool | None:
    """Whether the answer has a long word of the last human turn, or a word with the same beginning.

    None where that turn has no word of five letters or more, as in scripts that are written without
    spaces. `prompt` is a transcript.
    """
    question = {
        word[:_LETTERS]
        for word in words_of(prompt.rsplit(f"{HUMAN}:", 1)[-1])
        if len(word) >= _LETTERS
    }
    if not question:
        return None
    return not question.isdisjoint(word[:_LETTERS] for word in words_of(answer))
