"""Detects degenerate responses, which are no answer at all: from the text alone, in any language.

A response has one kind, the first of `KINDS` that fits:

`empty`: nothing but white space.
`symbols`: no letter and no digit of any script.
`runaway`: the policy went on to speak for the human: a `Human:` label at the start of a line or
    right after the end of a sentence, also one that the token limit cut after `Human`.
`echo`: the last human turn (or the whole prompt), once or several times, the last copy perhaps cut.
`repetition`: a loop. At least half of its word 4-grams occurred before in the response (seq-rep-4
    of Welleck et al. 2020, "Neural Text Generation With Unlikelihood Training"); or at least half
    of its words are in sentences or lines that occurred before, numbers, case and punctuation
    aside; or at least half of its characters are one unit of 1 to 4 characters said 8 times or more
    in a row.

The `Assistant:` label that a model may write itself is not part of its answer.

The bound of one half was set by eye on the 400 responses of arXiv 2509.09055 (the mildest it flags
say one sentence three times and little else) and then checked on 11,606 human-rated replies of the
HH-RLHF test splits: 95 are flagged, of which 70 carry a `Human:` label of their own, 11 are empty,
5 have no letter, 4 are echoes and 5 are loops. None of the 8,580 paragraphs and questions of XQuAD
(ar, en, es, th, vi, zh) is flagged.
"""

from __future__ import annotations

import re
from collections import Counter

from alignment.records import ASSISTANT, HUMAN

EMPTY, SYMBOLS, RUNAWAY, ECHO, REPETITION = "empty", "symbols", "runaway", "echo", "repetition"
KINDS = (EMPTY, SYMBOLS, RUNAWAY, ECHO, REPETITION)
"""All kinds, in the order in which they are checked."""

_NGRAM = 4
_REPEATED = 0.5
_MIN_WORDS = 8
"""Shorter texts have too few 4-grams, and "ha ha ha ha" can be an answer."""
_MIN_ECHO = 3
""""Hello!" is a fine reply to "Hello!"; from three words on it is an echo."""

_MIN_SENTENCES = 4
_SHORT_SENTENCE = 3
"""Words; shorter sentences can be said several times."""
_MIN_COPIES = 4

_SENTENCE_END = re.compile(r"[.!?…;\u3002\uff01\uff1f\u061f\u0964]+|\n+")
_LABEL = re.compile(rf"\s*{ASSISTANT}:\s*")
# White space with a new line in it, matched from its start only: linear in the text's length.
_LINE = r"(?<!\s)[^\S\n]*+\n\s*+"
_HUMAN_TURN = re.compile(rf"(?:\A\s*+|{_LINE}|[.!?…\"”]\s++){HUMAN}(?::|\s*+\Z)")
_LAST_HUMAN = re.compile(rf"(?:\A\s*+|{_LINE}){HUMAN}:")
_NEXT_SPEAKER = re.compile(rf"{_LINE}{ASSISTANT}:")
_LOOP = re.compile(r"(\S{1,4}?)\1{7,}")
# Scripts written without spaces: every character counts as a word (Thai, Lao, Myanmar, Khmer,
# kana, Han). Elsewhere a word is a run without white space, so that combining marks stay inside.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")


def kind(prompt_text: str, response_text: str) -> str | None:
    """The kind of a degenerate response, or None for anything that could be an answer.

    `prompt_text` is the transcript that was answered (it may be empty: then there is nothing to
    echo), `response_text` what the policy wrote. Returns one of `KINDS` or None; never raises.
    """
    answer = (
        _LABEL.sub("", response_text, count=1) if _LABEL.match(response_text) else response_text
    )
    if not answer.strip():
        return EMPTY
    if not any(character.isalnum() for character in answer):
        return SYMBOLS
    if _HUMAN_TURN.search(answer):
        return RUNAWAY
    words = words_of(answer)
    if _echoes(words, prompt_text):
        return ECHO
    shares = (_repeated_share(words), _repeated_sentences(answer), _looped_share(answer))
    if max(shares) >= _REPEATED:
        return REPETITION
    return None


def words_of(text: str) -> list[str]:
    """The words of a text without case and surrounding punctuation; pure punctuation is dropped."""
    words = (_strip_punctuation(word) for word in _WORD.findall(text.casefold()))
    return [word for word in words if word]


def _strip_punctuation(word: str) -> str:
    start, end = 0, len(word)
    while start < end and not word[start].isalnum():
        start += 1
    while end > start and not word[end - 1].isalnum():
        end -= 1
    return word[start:end]


def _echoes(words: list[str], prompt_text: str) -> bool:
    """Whether `words` are copies of the last human turn, or of the prompt, and nothing else."""
    turns = _LAST_HUMAN.split(prompt_text)
    last = _NEXT_SPEAKER.split(turns[-1])[0]
    return any(_is_copy(words, words_of(source)) for source in (last, prompt_text))


def _is_copy(words: list[str], source: list[str]) -> bool:
    """Whether `words` is `source` once or more, then perhaps its start; or a long start of it."""
    if len(source) < _MIN_ECHO:
        return False
    copies = len(words) // len(source) + 1
    if words != (source * copies)[: len(words)]:
        return False
    return len(words) >= min(len(source), _MIN_WORDS)


def _repeated_share(words: list[str]) -> float:
    """Seq-rep-4: 1 - distinct 4-grams / 4-grams, from 0 to 1; 0 for short texts."""
    if len(words) < _MIN_WORDS:
        return 0.0
    grams = [tuple(words[i : i + _NGRAM]) for i in range(len(words) - _NGRAM + 1)]
    return 1.0 - len(set(grams)) / len(grams)


def _repeated_sentences(text: str) -> float:
    """The share of words in sentences or lines that occurred before, from 0 to 1.

    Short ones ("Yes.") can be answers to several questions: they count from the fifth copy on.
    Texts of fewer than four sentences say something twice for emphasis.
    """
    sentences = [
        words
        for sentence in _SENTENCE_END.split(text)
        if (words := tuple(word for word in words_of(sentence) if not word.isdigit()))
    ]
    if len(sentences) < _MIN_SENTENCES:
        return 0.0
    copies = Counter[tuple[str, ...]]()
    repeated = total = 0
    for words in sentences:
        enough = 1 if len(words) >= _SHORT_SENTENCE else _MIN_COPIES
        repeated += len(words) * (copies[words] >= enough)
        total += len(words)
        copies[words] += 1
    return repeated / total


def _looped_share(text: str) -> float:
    """The share of the text's characters (white space aside) that lie in a loop of a short unit."""
    compact = "".join(text.split())
    return sum(len(loop.group()) for loop in _LOOP.finditer(compact)) / len(compact)
