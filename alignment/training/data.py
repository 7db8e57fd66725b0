"""What a stage learns from: rows in the columns that TRL's trainers take."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from alignment.config.recipes import Stage
from alignment.prompts.templates import continuation, dialogue, normalize_for_judge, opened
from alignment.records import PreferencePair
from alignment.store import content_key
from alignment.training.degenerate_examples import training_kinds

Rows = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """All that recipes may learn from: preference pairs, and dialogues that nobody filtered."""

    pairs: tuple[PreferencePair, ...]
    chosen: tuple[str, ...]
    """Whole chosen transcripts."""
    unfiltered: tuple[str, ...]

    def digest(self) -> str:
        """A hash of the content, part of the key of every model that learned from it."""
        rows = [(pair.prompt, pair.chosen, pair.rejected, pair.axis) for pair in self.pairs]
        return content_key(rows, self.chosen, self.unfiltered)

    def texts(self) -> list[str]:
        """Every text, for the tokenizer."""
        pairs = (
            dialogue(pair.prompt, text)
            for pair in self.pairs
            for text in (pair.chosen, pair.rejected)
        )
        return [*self.unfiltered, *pairs]


def rows_for(stage: Stage, data: TrainingData, seed: int) -> Rows:
    """The rows of a stage, shuffled and limited with its seed.

    `text` for sft, `prompt`, `chosen` and `rejected` for dpo and reward.
    """
    rng = random.Random(seed)
    if stage.data == "unfiltered":
        rows = [{"text": text} for text in data.unfiltered]
    elif stage.data == "chosen":
        rows = [{"text": text} for text in data.chosen]
    else:
        read = normalize_for_judge if stage.trainer == "reward" else str
        rows = [
            _columns(pair.prompt, read(pair.chosen), read(pair.rejected)) for pair in data.pairs
        ]
        rows += _degenerate(data.pairs, stage.degenerate, rng)
    rng.shuffle(rows)
    return rows[: stage.rows]


def _columns(prompt: str, chosen: str, rejected: str) -> dict[str, str]:
    return {
        "prompt": opened(prompt),
        "chosen": continuation(chosen),
        "rejected": continuation(rejected),
    }


def _degenerate(pairs: Sequence[PreferencePair], share: float, rng: random.Random) -> Rows:
    """`share` x len(pairs) pairs whose rejected side is degenerate, over kinds in turn.

    The better side is the chosen answer: with a rejected one there, poor answers would drift above
    the threshold.
    """
    rows: Rows = []
    for number in range(round(share * len(pairs))):
        pair = pairs[number % len(pairs)]
        other = rng.choice(pairs)
        kinds = training_kinds(pair.prompt, pair.chosen, (other.prompt, other.chosen), rng)
        worse = rng.choice(sorted(kinds.items()))[1]
        rows.append(
            _columns(pair.prompt, normalize_for_judge(pair.chosen), normalize_for_judge(worse))
        )
    return rows
