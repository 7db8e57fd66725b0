"""An independent check that training data shares nothing with the evaluation.

It uses neither `holdout` nor `transcripts`, so that a fault in the code which leaves rows out
cannot hide itself here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from alignment.prompts.normal import normalized
from alignment.records import PreferencePair, Prompt

_SPEAKERS = ("Human:", "Assistant:")


def overlap(
    training: Iterable[PreferencePair | str],
    prompts: Mapping[str, Sequence[Prompt]],
    trials: Mapping[str, Sequence[PreferencePair]],
    *,
    hold_out: Literal["cluster", "prompt"] = "cluster",
) -> list[str]:
    """The sorted ids of evaluation prompts and trial prompts that training shares content with.

    `training` is preference pairs and transcripts. A training text shares content with a prompt, a
    trial pair's prompt or its whole transcripts if it equals or continues them; and, with
    `hold_out = "cluster"`, if the first human turns are equal. Case, white space and Unicode
    compatibility forms make no difference. Prompts without text are not compared.
    """
    ids_by_text: dict[bytes, set[str]] = {}
    ids_by_opening: dict[str, set[str]] = {}
    for name, text in _held_out(prompts, trials):
        turns = _turns(text)
        ids_by_text.setdefault(list(_prefix_digests(turns))[-1], set()).add(name)
        if hold_out == "cluster":
            ids_by_opening.setdefault(_opening(turns), set()).add(name)
    shared: set[str] = set()
    for text in _texts(training):
        turns = _turns(text)
        shared |= ids_by_opening.get(_opening(turns), set())
        for digest in _prefix_digests(turns):
            shared |= ids_by_text.get(digest, set())
    return sorted(shared)


def _held_out(
    prompts: Mapping[str, Sequence[Prompt]], trials: Mapping[str, Sequence[PreferencePair]]
) -> Iterable[tuple[str, str]]:
    """(id, text) of everything that training must not share."""
    for axis_prompts in prompts.values():
        yield from ((prompt.id, prompt.text) for prompt in axis_prompts if prompt.text)
    for pairs in trials.values():
        for pair in pairs:
            name = hashlib.sha256(pair.prompt.encode()).hexdigest()[:12]
            yield name, pair.prompt
            yield from ((name, text) for text in _texts([pair]))


def _texts(items: Iterable[PreferencePair | str]) -> Iterable[str]:
    for item in items:
        if isinstance(item, str):
            yield item
        else:
            yield from (f"{item.prompt}\n\nAssistant: {x}" for x in (item.chosen, item.rejected))


def _turns(text: str) -> list[str]:
    """Each turn with its label; one begins with a speaker's label after a blank line."""
    turns: list[list[str]] = []
    after_blank = True
    for line in re.split(r"\r\n|\r|\n", text.strip()):
        if (after_blank and line.startswith(_SPEAKERS)) or not turns:
            turns.append([])
        turns[-1].append(line)
        after_blank = not line.strip()
    return ["\n".join(lines) for lines in turns]


def _prefix_digests(turns: list[str]) -> Iterable[bytes]:
    """A digest of the dialogue up to each turn; comparing the texts would take quadratic time."""
    running = hashlib.sha256()
    for turn in turns:
        running.update(f"{_normalize(turn)}\0".encode("utf-8", "surrogatepass"))
        yield running.digest()


def _opening(turns: list[str]) -> str:
    """The words of the first turn that is the human's or unlabelled; all words if there is none."""
    for turn in turns:
        if not turn.startswith("Assistant:"):
            return _normalize(turn.removeprefix("Human:"))
    return _normalize(" ".join(turns))


def _normalize(text: str) -> str:
    return " ".join(normalized("NFKC", text).casefold().split())
