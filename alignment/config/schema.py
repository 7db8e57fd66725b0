"""What a run does: the schema of a profile, validated by pydantic.

A profile is a TOML file (see `alignment/profiles/`). It says which prompts are asked (`axes`), who
answers (`variants`), how trained variants are made (`parent`, `architecture`, `stages`), who
judges (`judge`), and how (`generation`, `training`). Unknown keys, wrong types and impossible
values are refused; `alignment.config.layers` finds, merges and loads the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from alignment.config.axes import Axis, TrainingSource
from alignment.config.judges import JudgeConfig, SecondJudge
from alignment.config.recipes import Pickle, is_path_or_hub_id
from alignment.config.tables import Count, Listed, Name, Place, Table, Tokens
from alignment.config.variants import Dtype, Format, Variant
from alignment.records.thinking import Thinking


class GateConfig(Table):
    """What variants are compared with, and what their baselines hold."""

    against: Annotated[str, Field(pattern=r"^(baseline|variant:[A-Za-z][A-Za-z0-9_-]*)$")] = (
        "baseline"
    )
    """`baseline`: the committed file; `variant:NAME`: a variant of the same run."""
    variants: Listed[Name] = ()
    """Which variants are gated; empty gates all (but the one that they are compared with)."""
    responses: bool = False
    """Keep the responses in baselines: flips are then shown with both, and another judge can score
    them anew."""
    probe_tolerance: Annotated[float, Field(ge=0.0, le=1e12)] = 0.05
    """How far the judge's scores of the baseline's probe set may be off on average, in its unit."""
    resamples: Annotated[int, Field(ge=100, le=1_000_000)] = 2000
    """Bootstrap samples for the interval of mean scores."""

    @property
    def reference(self) -> str | None:
        """The variant that the others are compared with; None for the baseline."""
        return self.against.partition(":")[2] or None


class Generation(Table):
    """How policies answer, a block of the profile's prompts at a time.

    A variant's own `generation` replaces single values of it.
    """

    max_new_tokens: Tokens = 50
    """Tokens at most of one answer."""
    format: Format = "hh"
    """`hh` ends the prompt with `Assistant:`; `verbatim` gives it as it is (the paper); `chat` puts
    it through the tokenizer's chat template."""
    stop_at_human: bool = False
    """End an answer where it goes on to speak for the human."""
    samples: Annotated[int, Field(ge=1, le=1000)] = 1
    """Answers per prompt; those to one prompt are one cluster in all statistics."""
    temperature: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """0 is greedy decoding."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Sample from the most likely tokens that together have this probability."""
    thinking: Thinking = "unscored"
    """What becomes of thinking that stands in an answer's text (`<think>...</think>` and the like):
    `unscored` gives such an answer no score and says so; `apart` judges the answer without it;
    `always` too, for a model whose template begins the thinking, so that a text that never ends it
    is no answer; `answer` judges all of it."""
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

    sources: Annotated[dict[Name, TrainingSource], Field(max_length=100)] = Field(
        default_factory=dict
    )
    """Axis -> where its preference pairs come from."""
    vocab_size: Annotated[int, Field(ge=300, le=1_000_000)] = 1024
    """Of the byte-level BPE tokenizer that fresh models share."""
    max_length: Tokens = 512
    """Tokens; longer sequences are cut at their end, and pairs are dropped for the judge."""
    hold_out: Literal["cluster", "prompt"] = "cluster"
    """What no training row may share with an evaluation prompt or a trial pair."""


class ProfileTables(Table):
    """Everything one run does, each table valid by itself (see `alignment.config.coherence`)."""

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
    data: Place = "."
    """The folder that the paths of file sources and recorded responses start at; itself relative
    to the file that states it, or on the command line to the current folder."""
    network: bool = False
    """Whether hub ids may be fetched."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:[0-9]{1,3})?)$")] = "auto"
    """Where models run; `auto` takes a GPU where there is one."""
    dtype: Dtype = "float32"
    """The precision in which models are loaded."""
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """CPU threads of torch; 0 leaves torch's own choice. A fixed number makes results repeat."""
    reference: Name = "base"
    """The variant that changes are counted from."""
    toy: bool = False
    """Prompts and judge are toys: real checkpoints are refused."""
    axes: Annotated[dict[Name, Axis], Field(min_length=1, max_length=100)]
    """What is evaluated, by name: `harmlessness`, `helpfulness`, or others."""
    variants: Annotated[dict[Name, Variant], Field(max_length=1000)] = Field(default_factory=dict)
    """Who answers, by name."""
    judge: JudgeConfig
    """Who scores the answers; the gate goes by its verdicts."""
    judges: Annotated[dict[Name, SecondJudge], Field(max_length=100)] = Field(default_factory=dict)
    """Second opinions: the same responses judged by others, for their agreement."""
    pickles: Annotated[dict[Place, Pickle], Field(max_length=1000)] = Field(default_factory=dict)
    """Model, as it is named elsewhere -> its pickled weights that may be loaded."""
    generation: Generation = Generation()
    """How answers are decoded."""
    training: Training = Training()
    """What recipes learn from."""
    gate: GateConfig = GateConfig()
    """What variants are compared with."""
    claims: Listed[str] = ()
    """Claims of order that the report judges: `VARIANT is best on RATE`, `VARIANT is above VARIANT
    on RATE`, with `all metrics` for every rate. Empty: that each rate's leader is best."""

    def generation_of(self, variant: str) -> Generation:
        """How a variant answers: what it says itself, and `generation` for the rest."""
        own = self.variants[variant]
        if own.ignores_generation:
            return Generation(thinking=own.generation.thinking or self.generation.thinking)
        told = own.generation.model_dump(exclude_none=True)
        api = None if own.endpoint is None else own.endpoint.api
        if api == "chat":
            told["format"] = "chat"  # by the server's own template
        elif api is not None and told.get("format", self.generation.format) == "chat":
            raise ValueError("format 'chat' of a served model needs endpoint.api = 'chat'")
        return Generation.model_validate(self.generation.model_dump() | told)

    def recordings(self) -> dict[str, Place | dict[Name, Place]]:
        """Variant -> the file, or the files by axis, that hold its responses."""
        found = {name: variant.recorded for name, variant in self.variants.items()}
        return {name: recorded for name, recorded in found.items() if recorded is not None}

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
