"""Held-out dialogues: those of evaluation prompts and trial pairs, which training must not see.

`alignment.prompts.leakage` checks the result with independent code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeVar

from alignment.prompts.transcripts import as_transcript, cluster_id, folded, parse, render
from alignment.records import PreferencePair, Prompt

PromptsByAxis = Mapping[str, Sequence[Prompt]]
T = TypeVar("T")
PairsByAxis = Mapping[str, Sequence[PreferencePair]]


class HoldOut:
    """The held-out dialogues of all axes.

    A transcript is held out if its first turns, or all of them, are an evaluation prompt or the
    prompt of a trial pair; with `mode` "cluster" also if it shares its first human turn with one.
    Case, white space and Unicode compatibility forms make no difference. Prompts without a text
    (known by their id only) hold out nothing.
    """

    def __init__(
        self,
        prompts: PromptsByAxis,
        trials: PairsByAxis,
        mode: Literal["cluster", "prompt"] = "cluster",
    ) -> None:
        texts = {prompt.text for prompt in _flatten(prompts) if prompt.text}
        texts |= {pair.prompt for pair in _flatten(trials)}
        self._whole_digests = {list(_prefix_digests(text))[-1] for text in texts}
        self._clusters = {cluster_id(text) for text in texts if mode == "cluster"}

    def holds(self, transcript: str) -> bool:
        """Whether `transcript` is held out."""
        if cluster_id(transcript) in self._clusters:
            return True
        return any(digest in self._whole_digests for digest in _prefix_digests(transcript))


def _flatten(by_axis: Mapping[str, Sequence[T]]) -> list[T]:
    return [item for items in by_axis.values() for item in items]


def _prefix_digests(transcript: str) -> Iterator[bytes]:
    """A digest of the transcript up to each of its turns; the last one is of the whole."""
    running = hashlib.sha256()
    for turn in parse(as_transcript(transcript)):
        running.update(f"{folded(render([turn]))} ".encode("utf-8", "surrogatepass"))
        yield running.digest()
