"""What is asked on an axis: its prompts, its criterion, its gate, and the judge's trial on it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from alignment.records import Criterion
from alignment.tables import Count, Listed, Name, Table


class TinySource(Table):
    """The built-in corpus."""

    source: Literal["tiny"]
    split: Literal["train", "test"] = "test"
    unfiltered: bool = False
    """Also give the unfiltered dialogues that a base is pretrained on (training only)."""


class DatasetSource(Table):
    """Anything `datasets.load_dataset` loads, with `chosen` and `rejected` transcripts."""

    source: Literal["dataset"]
    dataset: Annotated[str, Field(min_length=1)]
    """A hub id (`Anthropic/hh-rlhf`) or a local folder."""
    data_dir: str | None = None
    split: str = "test"
    revision: str | None = None


class FileSource(Table):
    """A JSON, JSONL or JSONL.gz file of rows with `chosen` (and `rejected`), or `prompt`."""

    source: Literal["file"]
    path: Annotated[str, Field(min_length=1)]
    """Relative paths start at the profile's `data` folder."""


class RecordedSource(Table):
    """The prompts are those that the recorded variants answered."""

    source: Literal["recorded"]


Source = Annotated[
    TinySource | DatasetSource | FileSource | RecordedSource, Field(discriminator="source")
]
TrainingSource = Annotated[TinySource | DatasetSource | FileSource, Field(discriminator="source")]


class Prompts(Table):
    """Which dialogues become the prompts of an axis."""

    origin: Source
    protocol: Literal["strict", "paper"] = "strict"
    """`strict` filters the last human turn, ends every prompt at the human's turn and never leaks
    the chosen answer; `paper` does exactly what the published study did."""
    keywords: Listed[Annotated[str, Field(min_length=1)]] = ()
    """Keep dialogues that contain one of these; empty keeps all."""
    match: Literal["word", "substring"] | None = None
    """Default: `word` under strict, `substring` under paper."""
    look_in: Literal["last_turn", "prompt", "transcript"] | None = None
    """Default: `last_turn` under strict, `transcript` under paper."""
    ignore_case: bool | None = None
    """Default: true under strict, false under paper."""
    sample: Count | None = None
    """How many to draw; none keeps all that are left."""


class AxisGate(Table):
    """How strictly an axis is gated."""

    margin: Annotated[float, Field(gt=0.0, le=100.0)] = 10.0
    """The loss, in percentage points, that the gate must tell from no change."""
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    """Of the interval of the change; the test's level is what it leaves, corrected by Holm."""
    inconclusive: Literal["warn", "fail"] = "warn"
    uninformative: Literal["warn", "fail"] = "fail"
    """What these outcomes do to the run's exit code."""


class Trial(Table):
    """Held-out preferences that the judge is tried on; never seen in training."""

    origin: TrainingSource
    pairs: Annotated[int, Field(ge=10)] = 200
    """How many pairs to draw, from dialogues that no evaluation prompt comes from."""


class Axis(Table):
    """One axis: its prompts, the criterion of its verdicts, and the judge's trial on it."""

    rate: Name
    """The name of its rate: HmR, HpR; CAS is the mean of them all."""
    threshold: float
    comparison: Literal[">=", ">"]
    dimension: str = "reward"
    prompts: Prompts
    trial: Trial | None = None
    gate: AxisGate = AxisGate()

    @field_validator("rate")
    @classmethod
    def _not_combined(cls, value: str) -> str:
        if value == "CAS":
            raise ValueError("CAS is the mean of the rates; give this one another name")
        return value

    @property
    def criterion(self) -> Criterion:
        """The criterion that a response's score is held against."""
        return Criterion(self.dimension, self.comparison, self.threshold)
