"""What a run does: the schema of a profile, validated by pydantic.

A profile is a TOML file (see `alignment/profiles/`). It says which prompts are asked (`axes`), who
answers (`variants`), how trained variants are made (`parent`, `architecture`, `stages`), who
judges (`judge`), and how (`generation`, `training`). Unknown keys, wrong types and impossible
values are refused; `alignment.layers` finds, merges and loads the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from alignment.decisions import ABOVE, BEST
from alignment.recipes import Dtype, Format, Judge, OtherJudge, Pickle, Variant
from alignment.records import Criterion
from alignment.tables import Count, Name, Table


class TinySource(Table):
    """The built-in corpus."""

    source: Literal["tiny"]
    """`tiny`."""
    split: Literal["train", "test"] = "test"
    """Prompts and trials come from `test`, lessons from `train`."""
    unfiltered: bool = False
    """Also give the unfiltered dialogues that a base is pretrained on (training only)."""


class DatasetSource(Table):
    """Anything `datasets.load_dataset` loads, with `chosen` and `rejected` transcripts."""

    source: Literal["dataset"]
    """`dataset`."""
    dataset: Annotated[str, Field(min_length=1)]
    """A hub id (`Anthropic/hh-rlhf`) or a local folder."""
    data_dir: str | None = None
    """The folder within the data set: `harmless-base`."""
    split: str = "test"
    """The data set's own name of the split."""
    revision: str | None = None
    """The commit, branch or tag of a hub id; none takes the newest."""


class FileSource(Table):
    """A JSON, JSONL or JSONL.gz file of rows with `chosen` (and `rejected`), or `prompt`."""

    source: Literal["file"]
    """`file`."""
    path: Annotated[str, Field(min_length=1)]
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
    keywords: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Keep dialogues that contain one of these; empty keeps all."""
    match: Literal["word", "substring"] | None = None
    """Default: `word` under strict, `substring` under paper."""
    look_in: Literal["last_turn", "prompt", "transcript"] | None = None
    """Default: `last_turn` under strict, `transcript` under paper."""
    ignore_case: bool | None = None
    """Default: true under strict, false under paper."""
    sample: Count | None = None
    """How many to draw; none keeps all that are left."""

    @field_validator("keywords", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


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


class Gate(Table):
    """What variants are compared with, and what their baselines hold."""

    against: Annotated[str, Field(pattern=r"^(baseline|variant:[A-Za-z][A-Za-z0-9_-]*)$")] = (
        "baseline"
    )
    """`baseline`: the committed file; `variant:NAME`: a variant of the same run."""
    variants: tuple[Name, ...] = ()
    """Which variants are gated; empty gates all (but the one that they are compared with)."""
    responses: bool = False
    """Keep the responses in baselines: flips are then shown with both, and another judge can score
    them anew."""
    probe_tolerance: Annotated[float, Field(ge=0.0)] = 0.05
    """How far the judge's scores of the baseline's probe set may be off on average, in its unit."""
    resamples: Annotated[int, Field(ge=100)] = 2000
    """Bootstrap samples for the interval of mean scores."""

    @field_validator("variants", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @property
    def reference(self) -> str | None:
        """The variant that the others are compared with; None for the baseline."""
        return self.against.partition(":")[2] or None


class Axis(Table):
    """One axis: its prompts, the criterion of its verdicts, and the judge's trial on it."""

    rate: Name
    """The name of its rate: HmR, HpR; CAS is the mean of them all."""
    threshold: float
    """What the judge's score is held against, in the judge's unit."""
    comparison: Literal[">=", ">"]
    """Whether a score that equals the threshold passes (`>=`) or not (`>`)."""
    dimension: str = "reward"
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
        if value == "CAS":
            raise ValueError("CAS is the mean of the rates; give this one another name")
        return value

    @property
    def criterion(self) -> Criterion:
        """The criterion that a response's score is held against."""
        return Criterion(self.dimension, self.comparison, self.threshold)


class Trial(Table):
    """Held-out preferences that the judge is tried on; never seen in training."""

    origin: TrainingSource
    """Where the preferences come from."""
    pairs: Annotated[int, Field(ge=10)] = 200
    """How many pairs to draw, from dialogues that no evaluation prompt comes from."""


class Generation(Table):
    """How policies answer, a block of the profile's prompts at a time.

    A variant's own `generation` replaces single values of it.
    """

    max_new_tokens: Count = 50
    """Tokens at most of one answer."""
    format: Format = "hh"
    """`hh` ends the prompt with `Assistant:`; `verbatim` gives it as it is (the paper); `chat` puts
    it through the tokenizer's chat template."""
    stop_at_human: bool = False
    """End an answer where it goes on to speak for the human."""
    samples: Count = 1
    """Answers per prompt; those to one prompt are one cluster in all statistics."""
    temperature: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """0 is greedy decoding."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Sample from the most likely tokens that together have this probability."""
    block: Count = 64
    """Prompts per block; a block is computed and committed whole, so that what else was selected
    never changes an answer."""
    batch_tokens: Count | None = None
    """Tokens of prompts and answers under way at once; fewer take less memory. Default: as many as
    have their keys and values in 2 GiB. Halved, with a word, when memory runs out."""

    @model_validator(mode="after")
    def _sampled(self) -> Self:
        if self.samples > 1 and self.temperature == 0.0:
            raise ValueError(
                "`samples` above 1 need a `temperature` above 0: greedy ones are equal"
            )
        return self


class Training(Table):
    """What recipes learn from, and what is the same for all of them."""

    sources: dict[str, TrainingSource] = Field(default_factory=dict)
    """Axis -> where its preference pairs come from."""
    vocab_size: Annotated[int, Field(ge=300)] = 1024
    """Of the byte-level BPE tokenizer that fresh models share."""
    max_length: Count = 512
    """Tokens; longer sequences are cut at their end, and pairs are dropped for the judge."""
    hold_out: Literal["cluster", "prompt"] = "cluster"
    """What no training row may share with an evaluation prompt or a trial pair."""


class Profile(Table):
    """Everything one run does."""

    name: Name
    """Names the run, and the folder of its baselines. Default: the name of the file."""
    description: str = ""
    """One sentence for readers of the report."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Of all training; every recipe's own seed is made of this and its name."""
    sampling_seed: Annotated[int, Field(ge=0, lt=2**32)] = 100
    """Draws the prompts; apart from `seed`, so that retraining never moves the questions."""
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    """Of all intervals but the gate's own, which `axes.AXIS.gate` states."""
    data: str = "."
    """The folder that the paths of file sources and recorded responses start at; itself relative
    to the file that states it, or on the command line to the current folder."""
    network: bool = False
    """Whether hub ids may be fetched."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    """Where models run; `auto` takes a GPU where there is one."""
    dtype: Dtype = "float32"
    """The precision in which models are loaded."""
    threads: Annotated[int, Field(ge=0)] = 0
    """CPU threads of torch; 0 leaves torch's own choice. A fixed number makes results repeat."""
    reference: Name = "base"
    """The variant that changes are counted from."""
    toy: bool = False
    """Prompts and judge are toys: real checkpoints are refused."""
    axes: Annotated[dict[Name, Axis], Field(min_length=1)]
    """What is evaluated, by name: `harmlessness`, `helpfulness`, or others."""
    variants: dict[Name, Variant] = Field(default_factory=dict)
    """Who answers, by name."""
    judge: Judge
    """Who scores the answers; the gate goes by its verdicts."""
    judges: dict[Name, OtherJudge] = Field(default_factory=dict)
    """Second opinions: the same responses judged by others, for their agreement."""
    pickles: dict[str, Pickle] = Field(default_factory=dict)
    """Model, as it is named elsewhere -> its pickled weights that may be loaded."""
    generation: Generation = Generation()
    """How answers are decoded."""
    training: Training = Training()
    """What recipes learn from."""
    gate: Gate = Gate()
    """What variants are compared with."""
    claims: tuple[str, ...] = ()
    """Claims of order that the report judges: `VARIANT is best on RATE`, `VARIANT is above VARIANT
    on RATE`, with `all metrics` for every rate. Empty: that each rate's leader is best."""

    @field_validator("claims", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _claimed(self) -> Self:
        rates = (*(axis.rate for axis in self.axes.values()), "CAS", "all metrics")
        for claim in self.claims:
            found = BEST.fullmatch(claim) or ABOVE.fullmatch(claim)
            if found is None:
                raise ValueError(
                    f"claims: {claim!r} is no claim; write `VARIANT is best on RATE` or "
                    f"`VARIANT is above VARIANT on RATE`"
                )
            named = [value for key, value in found.groupdict().items() if key != "rate"]
            for name in named:
                if name not in self.variants:
                    known = ", ".join(self.variants)
                    raise ValueError(f"claims: {claim!r}: no variant {name!r}; known: {known}")
            if found["rate"] not in rates:
                raise ValueError(f"claims: {claim!r}: the rates are {', '.join(rates)}")
        return self

    @model_validator(mode="after")
    def _parents(self) -> Self:
        for name in self.variants:
            self.ancestors(name)
        return self

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        rates = [axis.rate for axis in self.axes.values()]
        for name, axis in self.axes.items():
            if rates.count(axis.rate) > 1:
                raise ValueError(f"axes.{name}.rate: {axis.rate!r} is another axis's rate too")
        return self

    @model_validator(mode="after")
    def _gated(self) -> Self:
        known = ", ".join(self.variants)
        if self.gate.reference is not None and self.gate.reference not in self.variants:
            raise ValueError(
                f"gate.against: there is no variant {self.gate.reference!r}; known: {known}"
            )
        for name in self.gate.variants:
            if name not in self.variants:
                raise ValueError(f"gate.variants: there is no variant {name!r}; known: {known}")
        if self.variants and not self.gated():
            raise ValueError(
                f"gate.against: nothing is left to be compared with {self.gate.reference!r}; name "
                f"another variant"
            )
        return self

    @model_validator(mode="after")
    def _decoded(self) -> Self:
        for name in self.variants:
            try:
                self.generation_of(name)
            except ValidationError as error:
                text = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise ValueError(f"variants.{name}.generation: {text}") from None
            except ValueError as error:
                raise ValueError(f"variants.{name}.generation: {error}") from None
        for name, judge in self.judges.items():
            for axis in judge.axes:
                if axis not in self.axes:
                    raise ValueError(f"judges.{name}.axes: there is no axis {axis!r}")
        return self

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        for name, pin in self.pickles.items():
            if is_hub_id(name) and pin.revision is None:
                raise ValueError(f'pickles."{name}": a hub id needs `revision`, the commit')
        loaded: dict[str, Variant | Judge] = {**self.variants, "judge": self.judge, **self.judges}
        for name, recipe in loaded.items():
            known = self.pickles.get(recipe.model or "")
            if known is not None and recipe.revision not in (None, known.revision):
                raise ValueError(
                    f"{name}.revision: {recipe.revision!r} is not that of its pickled weights, "
                    f'pickles."{recipe.model}".revision = {known.revision!r}'
                )
        return self

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        served = {f"variants.{name}": each.endpoint for name, each in self.variants.items()}
        served["judge"] = self.judge.endpoint
        served |= {f"judges.{name}": each.endpoint for name, each in self.judges.items()}
        for name, endpoint in served.items():
            if endpoint is not None and not endpoint.local and not self.network:
                raise ValueError(
                    f"{name}.endpoint.url: {endpoint.url} is not on this machine; set "
                    f"`network = true` to allow asking it"
                )
        return self

    def generation_of(self, variant: str) -> Generation:
        """How a variant answers: what it says itself, and `generation` for the rest."""
        own = self.variants[variant]
        if own.given:
            return Generation()
        told = own.generation.model_dump(exclude_none=True)
        api = None if own.endpoint is None else own.endpoint.api
        if api == "chat":
            told["format"] = "chat"  # by the server's own template
        elif api is not None and told.get("format", self.generation.format) == "chat":
            raise ValueError("format 'chat' of a served model needs endpoint.api = 'chat'")
        return Generation.model_validate(self.generation.model_dump() | told)

    def dtype_of(self, variant: str) -> Dtype:
        """The precision that a variant answers in."""
        return self.variants[variant].dtype or self.dtype

    def gated(self) -> tuple[str, ...]:
        """The variants that the gate decides on, in the profile's order."""
        chosen = self.gate.variants or tuple(self.variants)
        return tuple(v for v in self.variants if v in chosen and v != self.gate.reference)

    def ancestors(self, name: str) -> tuple[str, ...]:
        """The variants that `name` is made from, nearest first.

        Raises ValueError when a parent does not exist or the parents form a circle.
        """
        line: list[str] = []
        parent = self.variants[name].parent
        while parent is not None and not is_path_or_hub_id(parent):
            if parent == name or parent in line:
                circle = " -> ".join([name, *line, parent])
                raise ValueError(f"variants.{name}.parent: the parents form a circle: {circle}")
            if parent not in self.variants:
                known = ", ".join(self.variants)
                raise ValueError(
                    f"variants.{name}.parent: there is no variant {parent!r}; known: {known}"
                )
            line.append(parent)
            parent = self.variants[parent].parent
        return tuple(line)

    def in_order(self) -> tuple[str, ...]:
        """The variants, every parent before its children, else as the profile lists them."""
        ordered: list[str] = []
        for name in self.variants:
            for step in (*reversed(self.ancestors(name)), name):
                if step not in ordered:
                    ordered.append(step)
        return tuple(ordered)

    def resolved(self) -> Mapping[str, Any]:
        """The profile as plain values, defaults filled in: what is stored with a run."""
        return self.model_dump(mode="json")


def is_path_or_hub_id(name: str) -> bool:
    """Whether a parent or model is a folder or hub id rather than a variant's name."""
    return "/" in name or "\\" in name or name.startswith(".")


def is_hub_id(name: str) -> bool:
    """Whether a model's name is `owner/name` rather than a folder's path; a folder comes first."""
    return not name.startswith((".", "/", "~")) and name.count("/") == 1


Axis.model_rebuild()
