"""What is asked on an axis: its prompts, its criterion, its gate, and the judge's trial on it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from alignment.config.tables import Count, Keywords, Name, Number, Place, Table
from alignment.records import Criterion


def _within(text: str) -> str:
    path = PurePosixPath(text.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError("leads out of the data set's folder; name what is within it")
    return text


Inside = Annotated[Place, AfterValidator(_within)]
"""A folder, a split or a revision of a data set: nothing that leads out of it."""


class TinySource(Table):
    """The built-in corpus."""

    source: Literal["tiny"]
    """`tiny`."""
    split: Literal["train", "test"] = "test"
    """Prompts and trials come from `test`, training data from `train`."""
    unfiltered: bool = False
    """Also give the unfiltered dialogues that a base is pretrained on (training only)."""


class DatasetSource(Table):
    """Anything `datasets.load_dataset` loads, with `chosen` and `rejected` transcripts."""

    source: Literal["dataset"]
    """`dataset`."""
    dataset: Place
    """A hub id (`Anthropic/hh-rlhf`) or a local folder."""
    data_dir: Inside | None = None
    """The folder within the data set: `harmless-base`."""
    split: Inside = "test"
    """The data set's own name of the split."""
    revision: Inside | None = None
    """The commit, branch or tag of a hub id; none takes the newest."""


class FileSource(Table):
    """A JSON, JSONL or JSONL.gz file of rows with `chosen` (and `rejected`), or `prompt`."""

    source: Literal["file"]
    """`file`."""
    path: Place
    """Relative paths start at the profile's `data` folder."""


class RecordedSource(Table):
    """The prompts are those that the recorded variants answered."""

    source: Literal["recorded"]
    """`recorded`."""


Source = Annotated[
    TinySource | DatasetSource | FileSource | RecordedSource, Field(discriminator="source")
]
TrainingSource = Annotated[TinySource | DatasetSource | FileSource, Field(discriminator="source")]


class Prompts(Table):
    """Which dialogues become the prompts of an axis."""

    origin: Source
    """Where the dialogues come from."""
    protocol: Literal["strict", "paper"] = "strict"
    """`strict` filters the last human turn, ends every prompt at the human's turn and never leaks
    the chosen answer; `paper` does exactly what the published study did."""
    keywords: Keywords = ()
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
    """Where the data do not decide: `warn` lets the run pass, `fail` does not."""
    uninformative: Literal["warn", "fail"] = "fail"
    """Where the judge is no better than chance: the same."""


class Trial(Table):
    """Held-out preferences that the judge is tried on; never seen in training."""

    origin: TrainingSource
    """Where the preferences come from."""
    pairs: Annotated[int, Field(ge=10, le=1_000_000_000)] = 200
    """How many pairs to draw, from dialogues that no evaluation prompt comes from."""


class Axis(Table):
    """One axis: its prompts, the criterion of its verdicts, and the judge's trial on it."""

    rate: Name
    """The name of its rate: HmR, HpR; CAS is the mean of them all."""
    threshold: Number
    """What the judge's score is held against, in the judge's unit."""
    comparison: Literal[">=", ">"]
    """Whether a score that equals the threshold passes (`>=`) or not (`>`)."""
    dimension: Name = "reward"
    """Which of the judge's scores counts on this axis."""
    prompts: Prompts
    """Which prompts are asked."""
    trial: Trial | None = None
    """The preferences that the judge itself is tried on; none leaves it untried."""
    gate: AxisGate = AxisGate()
    """How strictly this axis is gated."""

    @field_validator("rate")
    @classmethod
    def _not_combined(cls, value: str) -> str:
        if value.casefold() == "cas":
            raise ValueError("CAS is the mean of the rates; give this one another name")
        return value

    @property
    def criterion(self) -> Criterion:
        """The criterion that a response's score is held against."""
        return Criterion(self.dimension, self.comparison, self.threshold)
