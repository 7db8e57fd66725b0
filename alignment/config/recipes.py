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
    def _fits(self) -> Self:
        needs = {"sft": ("unfiltered", "chosen"), "dpo": ("pairs",), "reward": ("pairs",)}
        if self.data not in needs[self.trainer]:
            accepted = " or ".join(needs[self.trainer])
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
    """A model that is served with an OpenAI-compatible API."""

    url: str
    """The base URL, up to and including the version: `http://127.0.0.1:8000/v1`."""
    model: Annotated[str, Field(min_length=1)]
    """The name of the model on the server."""
    api: Literal["completions", "chat"] = "completions"
    """`completions` sends the same text that a local model would get; `chat` sends the turns as
    messages."""
    key_env: str = "OPENAI_API_KEY"
    """The name of the environment variable that holds the API key, in capitals; keys are never
    stored."""
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 8
    """The number of requests at the same time."""
    timeout: Annotated[float, Field(gt=0.0, le=86_400.0)] = 60.0
    """The time limit, in seconds, for one complete request, including the connection."""
    retries: Annotated[int, Field(ge=0, le=100)] = 6
    """How often a failed request is repeated, with growing pauses, before the run stops."""

    # No message of these two quotes what it found: it may be a key.
    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            whole = bool(parts.hostname) and parts.port != 0
        except ValueError:
            raise ValueError(
                "a url must be http://HOST:PORT/v1, and this one has no valid host or port"
            ) from None
        if parts.username is not None or parts.password is not None or "@" in value:
            raise ValueError(
                "a url must not contain a key, because it is shown in reports; use `key_env`"
            )
        if parts.scheme not in {"http", "https"} or not whole or not _PLAIN.fullmatch(value):
            raise ValueError("a url must be http://HOST:PORT/v1, with nothing after it")
        return value

    @field_validator("key_env")
    @classmethod
    def _variable(cls, value: str) -> str:
        if not _VARIABLE.fullmatch(value):
            raise ValueError(
                "the name of an environment variable is required, in capitals, not the key itself"
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

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [self.stages or None, self.model, self.endpoint, self.recorded, self.null]
        if sum(way is not None for way in ways) != 1:
            raise ValueError(
                "a variant needs exactly one of `stages`, `model`, `endpoint`, `recorded`, `null`"
            )
        if self.given and self.generation != GenerationOverrides(thinking=self.generation.thinking):
            raise ValueError(
                "responses that exist already can only have `thinking` in `generation`"
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
    """An LLM judge that is served with an OpenAI-compatible API."""

    api: Literal["completions", "chat"] = "chat"
    """`chat` sends messages, `completions` one text."""
    rubric: Annotated[dict[Name, str], Field(min_length=1, max_length=100)]
    """Dimension -> the instruction for judging it, in words."""
    scale: Pair[Annotated[int, Field(ge=-1_000_000, le=1_000_000)]] = (1, 10)
    """The lowest and the highest score."""
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    """How often each response is judged; the score is the mean, and the report shows how far the
    judgements differ."""
    max_tokens: Tokens = 256
    """The maximum number of tokens of a judgement; a reasoning model needs more."""
    thinking: Literal["unscored", "apart", "always"] = "unscored"
    """How thinking in a judgement is treated, as in `generation`; the score is never read from
    the thinking."""

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.scale[0] >= self.scale[1]:
            raise ValueError("`scale` must be the lowest score, then the highest score")
        return self


class Output(Table):
    """One output of a reward model that has several."""

    index: Annotated[int, Field(ge=0, lt=100_000)]
    """The number of the output, counted from 0."""
    sign: Literal[1, -1] = 1
    """-1 if a lower output is better (a cost); the output is then negated, because a higher score
    must always be better."""


class JudgeConfig(Recipe):
    """The judge: a reward model, an LLM judge, a keyword filter, or recorded scores."""

    model: Place | None = None
    """A reward model or classifier: a folder or a hub id."""
    revision: Place | None = None
    """The revision of a hub id. With `endpoint`: any text; if you change it, all scores must be
    computed again."""
    recorded: bool = False
    """Use the scores that are stored with the recorded responses."""
    endpoint: JudgeEndpoint | None = None
    """An LLM judge; its `rubric` names the dimensions."""
    keywords: Keywords = ()
    """A keyword filter: a response with one of these words or phrases scores 0, any other scores 1.
    A simple baseline judge, as mentioned in the paper."""
    input: Literal["pair", "dialogue", "chat"] = "dialogue"
    """What the reward model reads: `pair`: prompt and response as a text pair; `dialogue`: both as
    one transcript; `chat`: both as messages, with the tokenizer's chat template."""
    dtype: Dtype | None = None
    """The precision in which the judge is loaded; default: the profile's `dtype`."""
    dimension: Name = "reward"
    """The name of the score, if the judge gives only one."""
    outputs: Annotated[dict[Name, Output], Field(max_length=1000)] = Field(default_factory=dict)
    """Dimension -> output, for a reward model with several outputs (only with `model`); each axis
    names the `dimension` that it uses."""
    activation: Literal["softmax", "sigmoid"] | None = None
    """Turn the outputs into probabilities: `softmax` for classes, `sigmoid` for independent labels.
    A model with one output needs `sigmoid`, because `softmax` would always give 1."""
    max_length: Tokens = 512
    """The maximum number of tokens of prompt and response; longer input is cut at its beginning (a
    `pair` at the beginning of the prompt)."""
    batch_tokens: Count | None = None
    """The maximum number of tokens in a batch, including padding. Default: chosen by the size of
    the judge."""

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
                "`activation = 'softmax'` needs `outputs` that name classes, because over one "
                "output it gives every response 1.0; for one output use 'sigmoid'"
            )
        names: dict[int, str] = {}
        for name, output in self.outputs.items():
            other = names.setdefault(output.index, name)
            if other != name:
                raise ValueError(
                    f"`outputs`: {other!r} and {name!r} are both output {output.index}; name each "
                    f"output once: several axes may use the same dimension"
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
    """The criterion of a second judge on an axis."""

    threshold: Number
    """The value that this judge's score is compared with, in its own unit."""
    comparison: Literal[">=", ">"]
    """Whether a score that equals the threshold passes (`>=`) or not (`>`)."""
    dimension: Name = "reward"
    """Which of the judge's scores is used."""

    @property
    def criterion(self) -> Criterion:
        """The criterion that this judge's scores are held against."""
        return Criterion(self.dimension, self.comparison, self.threshold)


class SecondJudge(JudgeConfig):
    """A second judge of the same responses: it is reported, but never affects the gate."""

    axes: Annotated[dict[Name, PassCriterion], Field(min_length=1, max_length=100)]
    """Axis -> criterion; axes that are left out are not judged."""

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
