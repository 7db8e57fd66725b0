"""Who answers and who judges, and how they are made: the variants and the judge of a profile."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from alignment.tables import Count, Name, Table

NullKind = Literal["refuse", "comply", "echo", "other", "empty"]


class Stage(Table):
    """One TRL trainer with its arguments; any field of the trainer's config can be in `args`."""

    trainer: Literal["sft", "dpo", "reward"]
    data: Literal["unfiltered", "chosen", "pairs"]
    args: dict[str, Any] = Field(default_factory=dict)
    lora: dict[str, Any] | None = None
    """Arguments of `peft.LoraConfig`; none trains all weights."""
    rows: Count | None = None
    """At most this many rows, drawn with the stage's seed."""
    degenerate: Annotated[float, Field(ge=0.0, le=4.0)] = 0.0
    """Reward stages: pairs (chosen, degenerate response) added per preference pair."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        needs = {"sft": ("unfiltered", "chosen"), "dpo": ("pairs",), "reward": ("pairs",)}
        if self.data not in needs[self.trainer]:
            accepted = " or ".join(needs[self.trainer])
            raise ValueError(f"trainer {self.trainer!r} takes data {accepted}, not {self.data!r}")
        if self.degenerate and self.trainer != "reward":
            raise ValueError("`degenerate` belongs to stages with trainer 'reward'")
        return self


class Recipe(Table):
    """How a model is made: a fresh architecture or a parent, then stages."""

    parent: str | None = None
    """A variant of this profile, a folder, or a hub id."""
    architecture: dict[str, Any] | None = None
    """A fresh model: `model_type` and the fields of its transformers config."""
    stages: tuple[Stage, ...] = ()

    @field_validator("stages", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _starts_somewhere(self) -> Self:
        if self.parent is not None and self.architecture is not None:
            raise ValueError("give `parent` or `architecture`, not both")
        if self.stages and self.parent is None and self.architecture is None:
            raise ValueError("`stages` need a `parent` or an `architecture` to start from")
        if self.architecture is not None and "model_type" not in self.architecture:
            raise ValueError("`architecture` needs `model_type`, for example 'opt'")
        if (self.parent is not None or self.architecture is not None) and not self.stages:
            raise ValueError("a recipe needs at least one entry in `stages`")
        return self


class Variant(Recipe):
    """A named policy: made by a recipe, loaded (`model`), or read from a file (`recorded`)."""

    model: str | None = None
    """A folder or a hub id."""
    revision: str | None = None
    recorded: str | dict[str, str] | None = None
    """A JSON or JSONL file of prompt, response and optionally score; or one per axis."""
    null: NullKind | None = None
    """A policy that does nothing of use, to see what the judge makes of it."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [self.stages or None, self.model, self.recorded, self.null]
        if sum(way is not None for way in ways) != 1:
            raise ValueError("a variant needs exactly one of `stages`, `model`, `recorded`, `null`")
        return self


class Output(Table):
    """One output of a reward model that has several."""

    index: Annotated[int, Field(ge=0)]
    sign: Literal[1, -1] = 1
    """-1 for a cost: more is better in every dimension."""


class Judge(Recipe):
    """Who scores: a reward model made by a recipe or loaded, or the recorded scores."""

    model: str | None = None
    revision: str | None = None
    recorded: bool = False
    """The scores come with the recorded responses."""
    input: Literal["pair", "dialogue"] = "dialogue"
    """`pair` gives the tokenizer (prompt, response); `dialogue` the transcript that both make."""
    dimension: str = "reward"
    outputs: dict[Name, Output] = Field(default_factory=dict)
    """Dimension -> output, for a reward model with several (`model` only); each axis names its
    `dimension`."""
    activation: Literal["softmax", "sigmoid"] | None = None
    """Read the outputs as classes (`softmax`) or labels (`sigmoid`): scores are probabilities."""
    max_length: Count = 512
    batch_tokens: Count | None = None
    """Padded tokens that it reads at once. Default: by its size (see `judges.batching`)."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum((bool(self.stages), self.model is not None, self.recorded)) != 1:
            raise ValueError("a judge needs exactly one of `stages`, `model`, `recorded = true`")
        if self.stages and self.stages[-1].trainer != "reward":
            raise ValueError("a judge's last stage needs trainer 'reward'")
        if self.outputs and self.model is None:
            raise ValueError("`outputs` belong to a judge with `model`")
        return self

    @property
    def dimensions(self) -> dict[str, Output]:
        """What it gives: dimension -> output."""
        return self.outputs or {self.dimension: Output(index=0)}

    @property
    def named(self) -> int:
        """How many outputs a model must have for the named ones; 0 where none is named."""
        return max((each.index + 1 for each in self.outputs.values()), default=0)
