"""The variants of a profile: the models under evaluation."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from alignment.config.endpoints import Endpoint
from alignment.config.recipes import Recipe
from alignment.config.tables import Name, Place, PythonObject, Settings, Table, Tokens
from alignment.records.thinking import Thinking

NullKind = Literal["refuse", "comply", "echo", "other", "empty"]
Dtype = Literal["float32", "bfloat16", "float16"]
Format = Literal["hh", "verbatim", "chat"]


class GenerationOverrides(Table):
    """Settings of `generation` that differ for one variant; all others are as in the profile."""

    max_new_tokens: Tokens | None = None
    """The maximum number of tokens of an answer."""
    format: Format | None = None
    """The prompt format: `hh`, `verbatim` or `chat`."""
    stop_at_human: bool | None = None
    """Whether to end an answer where the model begins a new turn of the human."""
    samples: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Answers per prompt."""
    temperature: Annotated[float, Field(ge=0.0, le=10.0)] | None = None
    """0 is greedy decoding."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Sample from the most likely tokens that together have this probability."""
    thinking: Thinking | None = None
    """How thinking in an answer is treated; this applies to recorded responses too."""


class Variant(Recipe):
    """A model under evaluation: trained, loaded, served, recorded or a null policy."""

    model: Place | None = None
    """A model to load: a folder or a hub id."""
    revision: Place | None = None
    """The revision of a hub id. With `endpoint`: any text; if you change it, all answers must be
    computed again."""
    dtype: Dtype | None = None
    """The precision in which this model is loaded; default: the profile's `dtype`."""
    quantization: Settings | None = None
    """The arguments of a quantization config of transformers, including `quant_method`."""
    endpoint: Endpoint | None = None
    """A served model."""
    generation: GenerationOverrides = GenerationOverrides()
    """Settings of `generation` that differ for this variant."""
    recorded: Place | dict[Name, Place] | None = None
    """A JSON or JSONL file with prompt, response and optionally score; or one file per axis."""
    null: NullKind | None = None
    """A useless policy (null policy), to see whether the judge accepts its answers."""
    python: PythonObject | None = None
    """A policy in Python: `package.module:name`, or the name of an installed plug-in."""
    arguments: Settings = Field(default_factory=dict)
    """Keyword arguments for the class in `python`."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [self.stages or None, self.model, self.endpoint, self.recorded, self.null]
        if sum(way is not None for way in (*ways, self.python)) != 1:
            raise ValueError(
                "a variant needs exactly one of `stages`, `model`, `endpoint`, `recorded`, `null`, "
                "`python`"
            )
        check_arguments(self.python, self.arguments)
        if self.ignores_generation and self.generation != GenerationOverrides(
            thinking=self.generation.thinking
        ):
            raise ValueError(
                "responses that exist already, or that Python code makes, can only have "
                "`thinking` in `generation`"
            )
        if self.quantization is not None and self.model is None:
            raise ValueError("`quantization` belongs to a variant with `model`")
        if self.quantization is not None and "quant_method" not in self.quantization:
            raise ValueError("`quantization` needs `quant_method`, for example 'bitsandbytes'")
        return self

    @property
    def kind(self) -> str:
        """The kind of policy: the name of its module in `alignment.policies`."""
        ways = {
            "model": self.model or self.stages or None,
            "endpoint": self.endpoint,
            "recorded": self.recorded,
            "null": self.null,
            "python": self.python,
        }
        return next(kind for kind, way in ways.items() if way is not None)

    @property
    def ignores_generation(self) -> bool:
        """Whether `generation` has no effect on its responses, except for `thinking`."""
        return self.kind in {"recorded", "null", "python"}

    @property
    def recorded_files(self) -> tuple[str, ...]:
        """The files with its recorded responses; empty for other kinds of variants."""
        if self.recorded is None:
            return ()
        return (
            tuple(self.recorded.values()) if isinstance(self.recorded, dict) else (self.recorded,)
        )


def check_arguments(python: str | None, arguments: Settings) -> None:
    """Refuse `arguments` without `python`. Raises ValueError."""
    if arguments and python is None:
        raise ValueError("`arguments` belong to `python`")
