"""Recipes: how a model is trained; and the pickled weights that may be loaded."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from alignment.config.tables import Architecture, Count, Listed, Place, Settings, Table

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=255)]


class Pickle(Table):
    """Permission to load the pickled weights of a model: exactly these files and no others.

    A pickle can run code when it is loaded. torch loads it as data only (`weights_only`), and only
    if the file has the SHA-256 stated here.
    """

    revision: Commit | None = None
    """The commit at which a hub id is loaded; leave it out for a folder."""
    sha256: Annotated[dict[FileName, Sha256], Field(min_length=1, max_length=1000)]
    """File name -> SHA-256 of the file; the hub shows it on the page of the file."""


class Stage(Table):
    """One training stage: a TRL trainer and its arguments."""

    trainer: Literal["sft", "dpo", "reward"]
    """TRL's `SFTTrainer`, `DPOTrainer` or `RewardTrainer`."""
    data: Literal["unfiltered", "chosen", "pairs"]
    """The training data: `unfiltered` or `chosen` transcripts (`sft`), or preference `pairs`
    (`dpo`, `reward`)."""
    args: Settings = Field(default_factory=dict)
    """Any fields of the trainer's config: `learning_rate`, `max_steps`, `beta`, ..."""
    lora: Settings | None = None
    """Arguments of `peft.LoraConfig`; default: no LoRA, all weights are trained."""
    rows: Count | None = None
    """Use at most this many rows, drawn with the seed of the stage; default: all."""
    degenerate: Annotated[float, Field(ge=0.0, le=4.0)] = 0.0
    """For `reward` stages: how many extra pairs (chosen, degenerate response) to add per preference
    pair."""

    @model_validator(mode="after")
    def _check_data(self) -> Self:
        kinds = {"sft": ("unfiltered", "chosen"), "dpo": ("pairs",), "reward": ("pairs",)}
        if self.data not in kinds[self.trainer]:
            accepted = " or ".join(kinds[self.trainer])
            raise ValueError(f"trainer {self.trainer!r} takes data {accepted}, not {self.data!r}")
        if self.degenerate and self.trainer != "reward":
            raise ValueError("`degenerate` belongs to stages with trainer 'reward'")
        return self


class Recipe(Table):
    """How a model is trained: a new architecture or a parent model, then training stages."""

    parent: Place | None = None
    """The model to start from: a variant of this profile, a folder, or a hub id."""
    architecture: Architecture | None = None
    """A new model with random weights: `model_type` and the fields of its transformers config."""
    stages: Listed[Stage] = ()
    """The training stages, in order."""

    @model_validator(mode="after")
    def _check_start(self) -> Self:
        if self.parent is not None and self.architecture is not None:
            raise ValueError("give `parent` or `architecture`, not both")
        if self.stages and self.parent is None and self.architecture is None:
            raise ValueError("`stages` need a `parent` or an `architecture` to start from")
        if self.architecture is not None and "model_type" not in self.architecture:
            raise ValueError("`architecture` needs `model_type`, for example 'opt'")
        if (self.parent is not None or self.architecture is not None) and not self.stages:
            raise ValueError("a recipe needs at least one entry in `stages`")
        return self


def is_path_or_hub_id(name: str) -> bool:
    """Whether a parent or model is a folder or hub id rather than a variant's name."""
    return "/" in name or "\\" in name or name.startswith(".")


def is_hub_id(name: str) -> bool:
    """Whether a model's name has the form `owner/name`; a folder of that name has precedence."""
    return not name.startswith((".", "/", "~")) and name.count("/") == 1
