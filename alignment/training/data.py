"""The training data of a stage, as rows with the columns that TRL's trainers take."""

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
    """All training data of a profile: preference pairs, chosen and unfiltered transcripts."""

    pairs: tuple[PreferencePair, ...]
    chosen: tuple[str, ...]
    """Whole transcripts that end with a chosen answer."""
    unfiltered: tuple[str, ...]

    def digest(self) -> str:
        """A hash of the content, part of the recipe key of every trained model."""
        rows = [(pair.prompt, pair.chosen, pair.rejected, pair.axis) for pair in self.pairs]
        return content_key(rows, self.chosen, self.unfiltered)

    def texts(self) -> list[str]:
        """Every text, to train a tokenizer on."""
        pairs = (
            dialogue(pair.prompt, text)
            for pair in self.pairs
            for text in (pair.chosen, pair.rejected)
        )
        return [*self.unfiltered, *pairs]


def rows_for(stage: Stage, data: TrainingData, seed: int) -> Rows:
    """The rows of a stage, shuffled with `seed`, at most `stage.rows` of them.

    Columns: `text` for sft; `prompt`, `chosen` and `rejected` for dpo and reward.
    """
    rng = random.Random(seed)
    if stage.data == "unfiltered":
        rows = [{"text": text} for text in data.unfiltered]
    elif stage.data == "chosen":
        rows = [{"text": text} for text in data.chosen]
    else:
        normalize = normalize_for_judge if stage.trainer == "reward" else str
        rows = [
            _columns(pair.prompt, normalize(pair.chosen), normalize(pair.rejected))
            for pair in data.pairs
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
    """`share` x len(pairs) pairs whose rejected side is degenerate, of random kinds.

    The better side is always a chosen answer: with rejected answers there, the judge would learn to
    score poor answers above the threshold.
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
