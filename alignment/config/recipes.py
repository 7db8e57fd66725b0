"""Who answers and who judges, and how they are made: the variants and the judge of a profile."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from alignment import redaction
from alignment.config.tables import (
    Architecture,
    Count,
    Keywords,
    Listed,
    Name,
    Number,
    Pair,
    Place,
    Settings,
    Table,
    Tokens,
)
from alignment.records import Criterion
from alignment.records.thinking import Thinking

NullKind = Literal["refuse", "comply", "echo", "other", "empty"]
Dtype = Literal["float32", "bfloat16", "float16"]
Format = Literal["hh", "verbatim", "chat"]


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=255)]

_PLAIN = re.compile(r"[^\s?#\\\x00-\x20\x7f]+")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


class Pickle(Table):
    """Leave to load a model's pickled weights: these very files and no others.

    A pickle can run code when it is loaded. torch loads it as data only (`weights_only`), and only
    if its bytes are the ones that were looked at.
    """

    revision: Commit | None = None
    """The commit of a hub id, which is then loaded at that commit; nothing for a folder."""
    sha256: Annotated[dict[FileName, Sha256], Field(min_length=1, max_length=1000)]
    """File -> SHA-256 of its bytes; the hub shows it on the file's page."""


class Stage(Table):
    """One TRL trainer with its arguments; any field of the trainer's config can be in `args`."""

    trainer: Literal["sft", "dpo", "reward"]
    """TRL's `SFTTrainer`, `DPOTrainer` or `RewardTrainer`."""
    data: Literal["unfiltered", "chosen", "pairs"]
    """`unfiltered` or `chosen` transcripts (`sft`), or preference `pairs` (`dpo`, `reward`)."""
    args: Settings = Field(default_factory=dict)
    """Fields of the trainer's config: `learning_rate`, `max_steps`, `beta`, ..."""
    lora: Settings | None = None
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

    parent: Place | None = None
    """A variant of this profile, a folder, or a hub id."""
    architecture: Architecture | None = None
    """A fresh model: `model_type` and the fields of its transformers config."""
    stages: Listed[Stage] = ()
    """What is trained, one after the other."""

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


class Endpoint(Table):
    """A model served anywhere with an OpenAI-compatible API."""

    url: str
    """Up to and including the version: `http://127.0.0.1:8000/v1`."""
    model: Annotated[str, Field(min_length=1)]
    """The name that the server knows it by."""
    api: Literal["completions", "chat"] = "completions"
    """`completions` gets the text that a local policy would get; `chat` the turns as messages."""
    key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the key, in capitals; keys stand nowhere else."""
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 8
    """Questions under way at once."""
    timeout: Annotated[float, Field(gt=0.0, le=86_400.0)] = 60.0
    """Seconds for one whole answer, from the name of the host to the last byte."""
    retries: Annotated[int, Field(ge=0, le=100)] = 6
    """How often one question is asked again, with growing pauses, before the run gives up."""

    # No message of these two quotes what it found: it may be a key.
    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            whole = bool(parts.hostname) and parts.port != 0
        except ValueError:
            raise ValueError(
                "a url is http://HOST:PORT/v1, and this one has no such host or port"
            ) from None
        if parts.username is not None or parts.password is not None or "@" in value:
            raise ValueError("a key does not stand in a url: reports have it; use `key_env`")
        if parts.scheme not in {"http", "https"} or not whole or not _PLAIN.fullmatch(value):
            raise ValueError("a url is http://HOST:PORT/v1, and nothing after that")
        return value

    @field_validator("key_env")
    @classmethod
    def _variable(cls, value: str) -> str:
        if not _VARIABLE.fullmatch(value):
            raise ValueError(
                "this is the name of an environment variable, in capitals, and not the key itself"
            )
        redaction.remember(os.environ.get(value))
        return value

    @property
    def local(self) -> bool:
        """Whether it is served on this machine: asking it needs no leave to use the network."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


class GenerationOverrides(Table):
    """What one variant does otherwise than `generation` says; what is None stays as it is there."""

    max_new_tokens: Tokens | None = None
    """Tokens at most of one answer."""
    format: Format | None = None
    """`hh`, `verbatim` or `chat`."""
    stop_at_human: bool | None = None
    """Whether an answer ends where it goes on to speak for the human."""
    samples: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Answers per prompt."""
    temperature: Annotated[float, Field(ge=0.0, le=10.0)] | None = None
    """0 is greedy decoding."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Sample from the most likely tokens that together have this probability."""
    thinking: Thinking | None = None
    """What becomes of thinking in an answer; also of responses that are recorded."""


class Variant(Recipe):
    """A named policy: made by a recipe, loaded (`model`), served or read from a file."""

    model: Place | None = None
    """A folder or a hub id."""
    revision: Place | None = None
    """Of a hub id. With `endpoint` a word of your own: another one asks everything anew."""
    dtype: Dtype | None = None
    """None: the profile's."""
    quantization: Settings | None = None
    """The arguments of a quantization config of transformers, `quant_method` among them."""
    endpoint: Endpoint | None = None
    """A served model."""
    generation: GenerationOverrides = GenerationOverrides()
    """How this variant answers, where that differs from the profile's `generation`."""
    recorded: Place | dict[Name, Place] | None = None
    """A JSON or JSONL file of prompt, response and optionally score; or one per axis."""
    null: NullKind | None = None
    """A policy that does nothing of use, to see what the judge makes of it."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [self.stages or None, self.model, self.endpoint, self.recorded, self.null]
        if sum(way is not None for way in ways) != 1:
            raise ValueError(
                "a variant needs exactly one of `stages`, `model`, `endpoint`, `recorded`, `null`"
            )
        if self.given and self.generation != GenerationOverrides(thinking=self.generation.thinking):
            raise ValueError(
                "of `generation` only `thinking` says something to responses that are there already"
            )
        if self.quantization is not None and self.model is None:
            raise ValueError("`quantization` belongs to a variant with `model`")
        if self.quantization is not None and "quant_method" not in self.quantization:
            raise ValueError("`quantization` needs `quant_method`, for example 'bitsandbytes'")
        return self

    @property
    def given(self) -> bool:
        """Whether nobody has to be asked: its responses are recorded or made up."""
        return self.recorded is not None or self.null is not None


class JudgeEndpoint(Endpoint):
    """An LLM judge behind an endpoint."""

    api: Literal["completions", "chat"] = "chat"
    """`chat` asks with messages, `completions` with one text."""
    rubric: Annotated[dict[Name, str], Field(min_length=1, max_length=100)]
    """Dimension -> what is asked of a response, in words."""
    scale: Pair[Annotated[int, Field(ge=-1_000_000, le=1_000_000)]] = (1, 10)
    """The lowest and the highest score."""
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    """How often each response is judged; the score is the mean, their disagreement is reported."""
    max_tokens: Tokens = 256
    """Of one answer; a model that thinks before it answers needs more."""
    thinking: Literal["unscored", "apart", "always"] = "unscored"
    """What becomes of thinking in the text of an answer, as in `generation`: a judgement is never
    read out of it."""

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.scale[0] >= self.scale[1]:
            raise ValueError("`scale` is the lowest and the highest score")
        return self


class Output(Table):
    """One output of a reward model that has several."""

    index: Annotated[int, Field(ge=0, lt=100_000)]
    """Which of the model's outputs, from 0."""
    sign: Literal[1, -1] = 1
    """-1 for a cost: more is better in every dimension."""


class JudgeConfig(Recipe):
    """Who scores: a reward model made by a recipe or loaded, or the recorded scores."""

    model: Place | None = None
    """A reward model or classifier: a folder or a hub id."""
    revision: Place | None = None
    """Of a hub id. With `endpoint` a word of your own: another asks for all scores anew."""
    recorded: bool = False
    """The scores come with the recorded responses."""
    endpoint: JudgeEndpoint | None = None
    """An LLM judge; its `rubric` names the dimensions."""
    keywords: Keywords = ()
    """A keyword filter: a response with one of these words (or phrases) scores 0, any other 1. The
    brittle reference that the paper names."""
    input: Literal["pair", "dialogue", "chat"] = "dialogue"
    """`pair` gives the tokenizer (prompt, response); `dialogue` the transcript that both make;
    `chat` the messages by the tokenizer's chat template."""
    dtype: Dtype | None = None
    """None: the profile's."""
    dimension: Name = "reward"
    """The name of its score, where it gives one only."""
    outputs: Annotated[dict[Name, Output], Field(max_length=1000)] = Field(default_factory=dict)
    """Dimension -> output, for a reward model with several (`model` only); each axis names its
    `dimension`."""
    activation: Literal["softmax", "sigmoid"] | None = None
    """Read the outputs as classes (`softmax`) or labels (`sigmoid`): scores are probabilities. One
    output takes `sigmoid`: `softmax` would make 1 of it, whatever is judged."""
    max_length: Tokens = 512
    """Tokens of prompt and response; longer ones lose their beginning, a pair its prompt's."""
    batch_tokens: Count | None = None
    """Padded tokens that it reads at once. Default: by its size (see `judges.batching`)."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = (self.stages, self.model, self.endpoint, self.keywords, self.recorded)
        if sum(map(bool, ways)) != 1:
            raise ValueError(
                "a judge needs exactly one of `stages`, `model`, `endpoint`, `keywords`, "
                "`recorded = true`"
            )
        if self.stages and self.stages[-1].trainer != "reward":
            raise ValueError("a judge's last stage needs trainer 'reward'")
        if self.outputs and self.model is None:
            raise ValueError("`outputs` belong to a judge with `model`")
        self._check_outputs()
        return self

    def _check_outputs(self) -> None:
        """Outputs that cannot be what was meant. Raises ValueError."""
        if self.activation is not None and not (self.model or self.stages):
            raise ValueError("`activation` belongs to a judge with `model` or `stages`")
        if self.activation == "softmax" and not self.outputs:
            raise ValueError(
                "`activation = 'softmax'` needs `outputs` that name classes; over one output it "
                "gives every response 1.0: 'sigmoid' is meant"
            )
        names: dict[int, str] = {}
        for name, output in self.outputs.items():
            other = names.setdefault(output.index, name)
            if other != name:
                raise ValueError(
                    f"`outputs`: {other!r} and {name!r} are both output {output.index}; name it "
                    f"once, several axes may share a dimension"
                )

    @property
    def dimensions(self) -> dict[str, Output]:
        """What it gives: dimension -> output (of a reward model; else only the names matter)."""
        if self.endpoint is not None:
            return {name: Output(index=i) for i, name in enumerate(self.endpoint.rubric)}
        return self.outputs or {self.dimension: Output(index=0)}

    @property
    def named(self) -> int:
        """How many outputs a model must have for the named ones; 0 where none is named.

        A softmax needs two: it is over all classes, however few are named.
        """
        classes = 2 if self.activation == "softmax" else 0
        return max((classes, *(each.index + 1 for each in self.outputs.values())))

    def span(self, dimension: str) -> tuple[float, float] | None:
        """The lowest and the highest score of a dimension; None where there are no bounds."""
        if self.keywords:
            return 0.0, 1.0
        if self.endpoint is not None:
            return float(self.endpoint.scale[0]), float(self.endpoint.scale[1])
        if self.activation is None:
            return None
        return (0.0, 1.0) if self.dimensions[dimension].sign == 1 else (-1.0, 0.0)


class PassCriterion(Table):
    """What another judge's score has to reach on an axis."""

    threshold: Number
    """What this judge's score is held against, in its own unit."""
    comparison: Literal[">=", ">"]
    """Whether a score that equals the threshold passes (`>=`) or not (`>`)."""
    dimension: Name = "reward"
    """Which of its scores counts."""

    @property
    def criterion(self) -> Criterion:
        """The criterion that this judge's scores are held against."""
        return Criterion(self.dimension, self.comparison, self.threshold)


class SecondJudge(JudgeConfig):
    """A second opinion on the same responses: reported beside the judge, never gated."""

    axes: Annotated[dict[Name, PassCriterion], Field(min_length=1, max_length=100)]
    """Axis -> what passes; axes that are left out are not judged."""

    @model_validator(mode="after")
    def _judges(self) -> Self:
        if self.recorded:
            raise ValueError("a second judge needs `stages`, `model`, `endpoint` or `keywords`")
        for name, bar in self.axes.items():
            if bar.dimension not in self.dimensions:
                raise ValueError(
                    f"axes.{name}.dimension: the judge gives {', '.join(self.dimensions)}, "
                    f"not {bar.dimension!r}"
                )
        return self


def is_path_or_hub_id(name: str) -> bool:
    """Whether a parent or model is a folder or hub id rather than a variant's name."""
    return "/" in name or "\\" in name or name.startswith(".")


def is_hub_id(name: str) -> bool:
    """Whether a model's name is `owner/name` rather than a folder's path; a folder comes first."""
    return not name.startswith((".", "/", "~")) and name.count("/") == 1
