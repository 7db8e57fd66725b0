"""The schema of a profile, validated by pydantic.

A profile is a TOML file (see `alignment/profiles/`) with all settings of a run: the prompts
(`axes`), the models under evaluation (`variants`) and how they are trained (`parent`,
`architecture`, `stages`), the judge (`judge`), and how answers are generated and models trained
(`generation`, `training`). Unknown keys, wrong types and impossible values are refused.
`alignment.config.layers` finds, merges and loads the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from alignment.config.axes import Axis, TrainingSource
from alignment.config.judges import JudgeConfig, SecondJudge
from alignment.config.labels import Labels
from alignment.config.recipes import Pickle, is_path_or_hub_id
from alignment.config.slices import Slices
from alignment.config.tables import Count, Listed, Name, Place, Table, Tokens
from alignment.config.variants import Dtype, Format, Variant
from alignment.records.thinking import Thinking


class GateConfig(Table):
    """What variants are compared with, and what their baselines store."""

    against: Annotated[str, Field(pattern=r"^(baseline|variant:[A-Za-z][A-Za-z0-9_-]*)$")] = (
        "baseline"
    )
    """What variants are compared with: `baseline`, the committed file, or `variant:NAME`, a variant
    of the same run."""
    variants: Listed[Name] = ()
    """Which variants are gated; empty: all, except the one that they are compared with."""
    responses: bool = False
    """Whether to store the responses in baselines. Reports can then show both responses of a
    flipped prompt, and another judge can score the stored responses."""
    probe_tolerance: Annotated[float, Field(ge=0.0, le=1e12)] = 0.05
    """How far the judge's scores of the baseline's probe set may differ on average from the stored
    scores, in the judge's unit."""
    labels: Literal["use", "require", "ignore"] = "use"
    """Whether people's labels decide: `use` them where there are enough; `require` them, so that an
    axis without is `uninformative`; or `ignore` them."""
    resamples: Annotated[int, Field(ge=100, le=1_000_000)] = 2000
    """The number of bootstrap samples for the interval of mean scores."""

    @property
    def reference(self) -> str | None:
        """The variant that the others are compared with; None for the baseline."""
        return self.against.partition(":")[2] or None


class Generation(Table):
    """How variants generate their answers.

    A variant's own `generation` overrides single values.
    """

    max_new_tokens: Tokens = 50
    """The maximum number of tokens of an answer."""
    format: Format = "hh"
    """The prompt format: `hh` ends the prompt with `Assistant:`; `verbatim` does not change the
    prompt (as in the paper); `chat` applies the tokenizer's chat template."""
    stop_at_human: bool = False
    """Whether to end an answer where the model begins a new turn of the human."""
    samples: Annotated[int, Field(ge=1, le=1000)] = 1
    """Answers per prompt; all answers to one prompt are one cluster in the statistics."""
    temperature: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """0 is greedy decoding."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Sample from the most likely tokens that together have this probability."""
    thinking: Thinking = "unscored"
    """How thinking in an answer (`<think>...</think>` and similar) is treated. `unscored`: the
    answer gets no score, and the report says so; `apart`: only the text after the thinking is
    judged; `always`: the same, for models whose chat template opens the thinking block: a text
    without its end has no answer; `answer`: the whole text is judged."""
    block: Count = 64
    """Prompts per block; a block is always computed as a whole, so that the selection of tests
    never changes an answer."""
    batch_tokens: Count | None = None
    """The maximum number of tokens of prompts and answers in a batch; a lower number needs less
    memory. Default: as many as fit into a key-value cache of 2 GiB. It is halved, with a message,
    if memory runs out."""

    @model_validator(mode="after")
    def _check_samples(self) -> Self:
        if self.samples > 1 and self.temperature == 0.0:
            raise ValueError(
                "`samples` above 1 need a `temperature` above 0: greedy answers are all equal"
            )
        return self


class Training(Table):
    """Training data, and settings that all trained models share."""

    sources: Annotated[dict[Name, TrainingSource], Field(max_length=100)] = Field(
        default_factory=dict
    )
    """Axis -> where its preference pairs come from."""
    vocab_size: Annotated[int, Field(ge=300, le=1_000_000)] = 1024
    """The vocabulary size of the byte-level BPE tokenizer that new models share."""
    max_length: Tokens = 512
    """The maximum number of tokens; longer sequences are cut at their end, and longer pairs are
    not used for training the judge."""
    hold_out: Literal["cluster", "prompt"] = "cluster"
    """Which training rows are left out because they overlap with evaluation prompts or the pairs
    that evaluate the judge: those with the same `prompt`, or those of the same `cluster` (the same
    first human turn)."""


class ProfileTables(Table):
    """All settings of a run, each table valid by itself (see `alignment.config.coherence`)."""

    name: Name
    """The name of the profile, and of the folder of its baselines. Default: the name of the
    file."""
    description: str = ""
    """One sentence for readers of the report."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """The seed of all training; the seed of each model is derived from this and its name."""
    sampling_seed: Annotated[int, Field(ge=0, lt=2**32)] = 100
    """The seed for drawing the prompts. It is separate from `seed`, so that the prompts stay the
    same if you retrain with another seed."""
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    """The confidence of all intervals, except those of the gate (`axes.AXIS.gate.confidence`)."""
    data: Place = "."
    """The folder that relative paths of file sources and recorded responses start at. It is itself
    relative to the file that sets it, or to the current folder if set on the command line."""
    network: bool = False
    """Whether to download from the Hub and to use remote servers."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:[0-9]{1,3})?)$")] = "auto"
    """The device that models run on; `auto` uses a GPU if there is one."""
    dtype: Dtype = "float32"
    """The precision in which models are loaded."""
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """CPU threads of torch; 0: the default of torch. A fixed number makes results reproducible."""
    reference: Name = "base"
    """The variant that the report compares the other variants with."""
    toy: bool = False
    """Whether prompts and judge are only a demo; real checkpoints are then refused."""
    axes: Annotated[dict[Name, Axis], Field(min_length=1, max_length=100)]
    """What is evaluated, by name: `harmlessness`, `helpfulness`, or others."""
    variants: Annotated[dict[Name, Variant], Field(max_length=1000)] = Field(default_factory=dict)
    """The models under evaluation, by name."""
    judge: JudgeConfig
    """The model that scores the answers; the gate uses its verdicts."""
    judges: Annotated[dict[Name, SecondJudge], Field(max_length=100)] = Field(default_factory=dict)
    """Second judges of the same responses, by name: to measure their agreement with the judge, or
    as members of its `panel`."""
    pickles: Annotated[dict[Place, Pickle], Field(max_length=1000)] = Field(default_factory=dict)
    """Model, named as elsewhere in the profile -> its pickled weights that may be loaded."""
    generation: Generation = Generation()
    """How answers are generated."""
    training: Training = Training()
    """Training data."""
    gate: GateConfig = GateConfig()
    """What variants are compared with."""
    labels: Labels = Labels()
    """People's labels."""
    slices: Slices = Slices()
    """The slices of the prompts that the gate looks at."""
    claims: Listed[str] = ()
    """Claims about the order of variants that the report tests: `VARIANT is best on RATE`, `VARIANT
    is above VARIANT on RATE`; `all metrics` stands for every rate. Empty: for each rate, the claim
    that the variant with the highest value is best."""

    def generation_of(self, variant: str) -> Generation:
        """The generation settings of a variant: its own, and the profile's for the rest.

        Raises ValueError for settings that do not fit together.
        """
        config = self.variants[variant]
        if config.ignores_generation:
            return Generation(thinking=config.generation.thinking or self.generation.thinking)
        overrides = config.generation.model_dump(exclude_none=True)
        api = None if config.endpoint is None else config.endpoint.api
        if api == "chat":
            overrides["format"] = "chat"  # by the server's own template
        elif api is not None and overrides.get("format", self.generation.format) == "chat":
            raise ValueError("format 'chat' of a served model needs endpoint.api = 'chat'")
        return Generation.model_validate(self.generation.model_dump() | overrides)

    def recordings(self) -> dict[str, Place | dict[Name, Place]]:
        """Variant -> the file with its recorded responses, or the files by axis."""
        return {
            name: variant.recorded
            for name, variant in self.variants.items()
            if variant.recorded is not None
        }

    def dtype_of(self, variant: str) -> Dtype:
        """The precision in which a variant is loaded."""
        return self.variants[variant].dtype or self.dtype

    def gated(self) -> tuple[str, ...]:
        """The variants that the gate decides on, in the profile's order."""
        chosen = self.gate.variants or tuple(self.variants)
        return tuple(v for v in self.variants if v in chosen and v != self.gate.reference)

    def ancestors(self, name: str) -> tuple[str, ...]:
        """The variants that `name` is made from, nearest first.

        Raises ValueError when a parent does not exist or the parents form a circle.
        """
        parents: list[str] = []
        parent = self.variants[name].parent
        while parent is not None and not is_path_or_hub_id(parent):
            if parent == name or parent in parents:
                circle = " -> ".join([name, *parents, parent])
                raise ValueError(f"variants.{name}.parent: the parents form a circle: {circle}")
            if parent not in self.variants:
                known = ", ".join(self.variants)
                raise ValueError(
                    f"variants.{name}.parent: there is no variant {parent!r}; known: {known}"
                )
            parents.append(parent)
            parent = self.variants[parent].parent
        return tuple(parents)

    def in_order(self) -> tuple[str, ...]:
        """The variants in the profile's order, but every parent before its children."""
        ordered: list[str] = []
        for name in self.variants:
            for each in (*reversed(self.ancestors(name)), name):
                if each not in ordered:
                    ordered.append(each)
        return tuple(ordered)

    def resolved(self) -> Mapping[str, Any]:
        """The profile as JSON values with all defaults, as it is stored with a run."""
        return self.model_dump(mode="json")
