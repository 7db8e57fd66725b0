"""What training must never see: the dialogues of the evaluation prompts and of the judge's trial.

`alignment.prompts.leakage` checks the result of this with code of its own.
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
    """The set of held-out dialogues, of all axes, and the question whether a transcript is in it.

    A transcript is held out when an evaluation prompt or a trial pair's prompt is it, or is what
    it begins with; under `cluster` also when the two have the first human turn in common. Case,
    white space and Unicode compatibility forms make no difference. Prompts known by their id alone
    hold out nothing: nobody knows their text.
    """

    def __init__(
        self,
        prompts: PromptsByAxis,
        trials: PairsByAxis,
        mode: Literal["cluster", "prompt"] = "cluster",
    ) -> None:
        texts = {prompt.text for prompt in _flat(prompts) if prompt.text}
        texts |= {pair.prompt for pair in _flat(trials)}
        self._wholes = {list(_beginnings(text))[-1] for text in texts}
        self._clusters = {cluster_id(text) for text in texts if mode == "cluster"}

    def holds(self, transcript: str) -> bool:
        """Whether `transcript` is held out."""
        if cluster_id(transcript) in self._clusters:
            return True
        return any(told in self._wholes for told in _beginnings(transcript))


def _flat(by_axis: Mapping[str, Sequence[T]]) -> list[T]:
    return [item for items in by_axis.values() for item in items]


def _beginnings(transcript: str) -> Iterator[bytes]:
    """A digest of the transcript up to each of its turns; the last one is that of the whole."""
    told = hashlib.sha256()
    for turn in parse(as_transcript(transcript)):
        told.update(f"{folded(render([turn]))} ".encode("utf-8", "surrogatepass"))
        yield told.digest()
