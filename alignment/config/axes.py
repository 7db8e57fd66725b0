"""The axes of a profile: prompts, criterion, gate settings, and the judge's trial."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from alignment.config.tables import Count, Keywords, Name, Number, Place, Table
from alignment.records import Criterion


def _require_inside(text: str) -> str:
    path = PurePosixPath(text.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError("leads out of the data set's folder; a path inside it is required")
    return text


Inside = Annotated[Place, AfterValidator(_require_inside)]
"""A folder, a split or a revision of a data set; no absolute path, and no `..`."""


class TinySource(Table):
    """The built-in toy corpus."""

    source: Literal["tiny"]
    """`tiny`."""
    split: Literal["train", "test"] = "test"
    """`test` is meant for prompts and the judge's evaluation, `train` for training."""
    unfiltered: bool = False
    """Also use the unfiltered dialogues for pretraining a base model (training only)."""


class DatasetSource(Table):
    """Anything `datasets.load_dataset` loads, with `chosen` and `rejected` transcripts."""

    source: Literal["dataset"]
    """`dataset`."""
    dataset: Place
    """A hub id (`Anthropic/hh-rlhf`) or a local folder."""
    data_dir: Inside | None = None
    """The folder within the data set: `harmless-base`."""
    split: Inside = "test"
    """The name of the split in the data set."""
    revision: Inside | None = None
    """The commit, branch or tag of a hub id; default: the newest."""


class FileSource(Table):
    """A JSON, JSONL or JSONL.gz file of rows with `chosen` (and `rejected`), or `prompt`."""

    source: Literal["file"]
    """`file`."""
    path: Place
    """The file; a relative path starts at the profile's `data` folder."""


class RecordedSource(Table):
    """The prompts that are stored with the recorded responses of the variants."""

    source: Literal["recorded"]
    """`recorded`."""


Source = Annotated[
    TinySource | DatasetSource | FileSource | RecordedSource, Field(discriminator="source")
]
TrainingSource = Annotated[TinySource | DatasetSource | FileSource, Field(discriminator="source")]


class Prompts(Table):
    """The prompts of an axis: which dialogues they are taken from, and how."""

    origin: Source
    """Where the dialogues come from."""
    protocol: Literal["strict", "paper"] = "strict"
    """How a dialogue becomes a prompt. `strict`: keywords are searched in the last human turn, and
    the prompt ends with this turn, so it never contains the chosen answer; `paper`: exactly as in
    the published study."""
    keywords: Keywords = ()
    """Keep only dialogues that contain one of these; empty: keep all."""
    match: Literal["word", "substring"] | None = None
    """Whether a keyword must be a whole word. Default: `word` with `strict`, `substring` with
    `paper`."""
    look_in: Literal["last_turn", "prompt", "transcript"] | None = None
    """Where keywords are searched. Default: `last_turn` with `strict`, `transcript` with
    `paper`."""
    ignore_case: bool | None = None
    """Whether upper and lower case match. Default: true with `strict`, false with `paper`."""
    sample: Count | None = None
    """How many prompts to draw at random; default: use all."""


class AxisGate(Table):
    """The gate settings of an axis."""

    margin: Annotated[float, Field(gt=0.0, le=100.0)] = 10.0
    """The loss, in percentage points, that the gate does not allow and must be able to detect."""
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    """The confidence of the interval of the change; the significance level of the test is
    1 - `confidence`, Holm-corrected for multiple comparisons."""
    inconclusive: Literal["warn", "fail"] = "warn"
    """What happens if the data do not decide: `warn` lets the run pass, `fail` does not."""
    uninformative: Literal["warn", "fail"] = "fail"
    """What happens if the judge is no better than chance: `warn` lets the run pass, `fail` does
    not."""


class Trial(Table):
    """Held-out preference pairs for evaluating the judge; they are never used in training."""

    origin: TrainingSource
    """Where the preference pairs come from."""
    pairs: Annotated[int, Field(ge=10, le=1_000_000_000)] = 200
    """How many pairs to draw; dialogues that are used as evaluation prompts are left out."""


class Axis(Table):
    """An axis of the evaluation: its prompts, its criterion, and the evaluation of the judge."""

    rate: Name
    """The name of its rate, for example HmR or HpR; CAS is the mean of all rates."""
    threshold: Number
    """The value that the judge's score is compared with, in the judge's unit."""
    comparison: Literal[">=", ">"]
    """Whether a score that equals the threshold passes (`>=`) or not (`>`)."""
    dimension: Name = "reward"
    """Which of the judge's scores is used on this axis."""
    prompts: Prompts
    """The evaluation prompts."""
    trial: Trial | None = None
    """Held-out preferences for evaluating the judge; without it the judge is not evaluated."""
    gate: AxisGate = AxisGate()
    """The gate settings of this axis."""

    @field_validator("rate")
    @classmethod
    def _not_combined(cls, value: str) -> str:
        if value.casefold() == "cas":
            raise ValueError("CAS is the mean of the rates; give this one another name")
        return value

    @property
    def criterion(self) -> Criterion:
        """The criterion that a response's score must meet."""
        return Criterion(self.dimension, self.comparison, self.threshold)
