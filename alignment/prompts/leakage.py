"""An independent check that training saw nothing of the evaluation.

It compares content with code of its own (nothing of `holdout` or `transcripts`), so that a fault in
what leaves rows out cannot also hide it.
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
    """The ids of evaluation prompts and trial prompts that training shares content with.

    `training` is preference pairs and transcripts. Shared is: a prompt's text, where a training
    text is it or goes on from it; a trial pair's prompt or whole transcript, likewise; and, under
    `hold_out = "cluster"`, the first human turn. Case, white space and Unicode compatibility forms
    make no difference. Sorted; empty is good. Prompts without text are not compared.
    """
    wholes: dict[bytes, set[str]] = {}
    openings: dict[str, set[str]] = {}
    for name, text in _held_out(prompts, trials):
        turns = _turns(text)
        wholes.setdefault(list(_beginnings(turns))[-1], set()).add(name)
        if hold_out == "cluster":
            openings.setdefault(_opening(turns), set()).add(name)
    shared: set[str] = set()
    for text in _texts(training):
        turns = _turns(text)
        shared |= openings.get(_opening(turns), set())
        for told in _beginnings(turns):
            shared |= wholes.get(told, set())
    return sorted(shared)


def _held_out(
    prompts: Mapping[str, Sequence[Prompt]], trials: Mapping[str, Sequence[PreferencePair]]
) -> Iterable[tuple[str, str]]:
    for asked in prompts.values():
        yield from ((prompt.id, prompt.text) for prompt in asked if prompt.text)
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
    """Each turn with its label: a line after a blank one that begins with a speaker."""
    turns: list[list[str]] = []
    after_blank = True
    for line in re.split(r"\r\n|\r|\n", text.strip()):
        if (after_blank and line.startswith(_SPEAKERS)) or not turns:
            turns.append([])
        turns[-1].append(line)
        after_blank = not line.strip()
    return ["\n".join(lines) for lines in turns]


def _beginnings(turns: list[str]) -> Iterable[bytes]:
    """A digest of what was said up to each turn: the texts themselves take quadratic time."""
    told = hashlib.sha256()
    for turn in turns:
        told.update(f"{_plain(turn)}\0".encode("utf-8", "surrogatepass"))
        yield told.digest()


def _opening(turns: list[str]) -> str:
    """The words of the first human turn (so is an unlabelled start), or all where there is none."""
    for turn in turns:
        if not turn.startswith("Assistant:"):
            return _plain(turn.removeprefix("Human:"))
    return _plain(" ".join(turns))


def _plain(text: str) -> str:
    return " ".join(normalized("NFKC", text).casefold().split())
