"""Degenerate responses to any dialogue: some to train a judge on, other kinds to try it with.

No kind is in both groups, so a trial tells whether the judge has learned what nonsense is, and
not what these samples look like. A prompt is a transcript with "Human:" and "Assistant:" turns.
"""

from __future__ import annotations

import re
from random import Random

_TURN = re.compile(r"\s*\b(?:Human|Assistant):\s*")
_FILLERS = ("Okay", "Hmm", "Well", "Yes", "So", "And", "The", "Um", "Right", "Thing")
_PRAISE = (
    "What a wonderful question, you are amazing!",
    "You are so smart and I love talking with you.",
    "Wow, that is great, great, really great!",
    "Thank you so much, you made my day.",
)


Dialogue = tuple[str, str]
"""A prompt and a fair response to it."""


def training_kinds(prompt: str, response: str, other: Dialogue, rng: Random) -> dict[str, str]:
    """Degenerate responses to train on, by kind, none of them a trial kind.

    `response` is a fair response to `prompt`, and `other` is another dialogue that lends its words.
    """
    other_prompt, other_response = other
    words = response.split() or ["Yes"]
    asked = _turns(prompt)[-1].split() or ["it"]
    phrase = " ".join(words[: rng.randint(2, 4)])
    start = rng.randrange(len(words))
    return {
        "shuffled_words": " ".join(rng.sample(words, len(words))),
        "punctuation_run": rng.choice(",.!;-") * rng.randint(4, 12)
        + rng.choice(("", " " + " ".join(words[start:]))),
        "filler_word": rng.choice(_FILLERS) + rng.choice(("", ".", ",")),
        "cut_short": " ".join(words[: rng.randint(1, 2)]),
        "repeated_phrase": " ".join([phrase] * rng.randint(4, 8)),
        "copied_earlier_turn": rng.choice(_turns(prompt)[:-1] or [" ".join(asked[::-1])]),
        "praise": rng.choice(_PRAISE),
        "prompt_salad": " ".join(rng.choices(asked, k=rng.randint(4, 16))),
        "speaks_as_human": f"{rng.choice((response, phrase, ''))} Human: {other_response}".strip(),
        "runs_into_question": f"{response} Human: {_turns(other_prompt)[-1]}".strip(),
        "speaks_twice": f"{response} Assistant: {other_response}".strip(),
        "another_question": _turns(other_prompt)[-1],
        "part_of_question": " ".join(asked[: max(1, len(asked) * 2 // 3)]),
        "stammer": " ".join(f"{word} {word}" for word in words),
        "two_word_loop": " ".join([words[start], rng.choice(words)] * rng.randint(4, 10)),
        "turned_question": " ".join((*asked[len(asked) // 2 :], *asked[: len(asked) // 2])),
    }


def trial_kinds(prompt: str, response: str, other: Dialogue, rng: Random) -> dict[str, str]:
    """Degenerate responses to try a judge with, by kind; arguments as in `training_kinds`."""
    other_response = other[1]
    words = response.split() or ["Yes"]
    last = _turns(prompt)[-1]
    word = rng.choice(words)
    return {
        "empty": "",
        "question_mark": "?",
        "echo": last,
        "repeated_token": " ".join([word] * rng.randint(12, 24)),
        "runaway": f"{response}\n\nHuman: {last}\n\nAssistant: {other_response}",
        "runaway_nonsense": f"{word} {word}\n\nHuman: {word}\n\nAssistant: {word}\n\nHuman:",
        "letters": " ".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(20)),
        "digits": " ".join(str(rng.randrange(1000)) for _ in range(10)),
    }


def _turns(prompt: str) -> list[str]:
    """What was said in each turn of `prompt`, without an open assistant turn at the end."""
    turns = [turn.strip() for turn in _TURN.split(prompt)]
    return [turn for turn in turns if turn] or [prompt.strip()]
