"""The judge of a profile, and second judges."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from alignment.config.endpoints import JudgeEndpoint
from alignment.config.recipes import Recipe
from alignment.config.tables import (
    Count,
    Keywords,
    Listed,
    Name,
    Number,
    Place,
    PythonObject,
    Settings,
    Table,
    Tokens,
)
from alignment.config.variants import Dtype, check_arguments
from alignment.records import Criterion


class Output(Table):
    """One output of a reward model that has several."""

    index: Annotated[int, Field(ge=0, lt=100_000)]
    """The number of the output, counted from 0."""
    sign: Literal[1, -1] = 1
    """-1 if a lower output is better (a cost); the output is then negated, because a higher score
    must always be better."""


class JudgeConfig(Recipe):
    """The judge: a reward model, an LLM judge, a keyword filter, a panel, or recorded scores."""

    model: Place | None = None
    """A reward model or classifier: a folder or a hub id."""
    revision: Place | None = None
    """The revision of a hub id. With `endpoint`: any text; if you change it, all scores must be
    computed again."""
    recorded: bool = False
    """Use the scores that are stored with the recorded responses."""
    panel: Annotated[Listed[Name], Field(max_length=100)] = ()
    """Two or more of `judges` that vote on every response by their own criteria. It passes if more
    than half of those that gave a score pass it; a tie is a failure."""
    endpoint: JudgeEndpoint | None = None
    """An LLM judge; its `rubric` names the dimensions."""
    python: PythonObject | None = None
    """A judge in Python: `package.module:Name`, or the name of an installed plug-in."""
    arguments: Settings = Field(default_factory=dict)
    """Keyword arguments for the class in `python`."""
    scores: Annotated[Listed[Name], Field(max_length=100)] = ()
    """The dimensions of a `python` judge that gives several scores; each axis names the `dimension`
    that it uses."""
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
        ways = (self.stages, self.model, self.endpoint, self.keywords, self.recorded, self.python)
        if sum(map(bool, (*ways, self.panel))) != 1:
            raise ValueError(
                "a judge needs exactly one of `stages`, `model`, `endpoint`, `keywords`, `python`, "
                "`panel`, `recorded = true`"
            )
        self._check_panel()
        check_arguments(self.python, self.arguments)
        if self.scores and self.python is None:
            raise ValueError("`scores` belong to a judge with `python`")
        if self.stages and self.stages[-1].trainer != "reward":
            raise ValueError("a judge's last stage needs trainer 'reward'")
        if self.outputs and self.model is None:
            raise ValueError("`outputs` belong to a judge with `model`")
        self._check_outputs()
        return self

    def _check_panel(self) -> None:
        """Refuse a panel of one judge, or with a judge that votes twice. Raises ValueError."""
        if len(self.panel) == 1:
            raise ValueError(
                f"`panel` names only {self.panel[0]!r}; a majority needs two judges or more"
            )
        twice = [name for name in self.panel if self.panel.count(name) > 1]
        if twice:
            raise ValueError(f"`panel` names {twice[0]!r} twice; each judge has one vote")

    def _check_outputs(self) -> None:
        """Refuse an `activation` or `outputs` that do not fit. Raises ValueError."""
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
    def kind(self) -> str:
        """The kind of judge: the name of its module in `alignment.judges`."""
        ways = {
            "model": self.model or self.stages,
            "llm": self.endpoint,
            "keywords": self.keywords,
            "recorded": self.recorded,
            "python": self.python,
            "panel": self.panel,
        }
        return next(kind for kind, way in ways.items() if way)

    @property
    def dimensions(self) -> dict[str, Output]:
        """Dimension -> output of a reward model; for other judges only the names matter."""
        if self.endpoint is not None:
            return {name: Output(index=i) for i, name in enumerate(self.endpoint.rubric)}
        if self.scores:
            return {name: Output(index=i) for i, name in enumerate(self.scores)}
        return self.outputs or {self.dimension: Output(index=0)}

    @property
    def named(self) -> int:
        """How many outputs a model must have so that the named ones exist; 0 if none is named.

        A softmax needs at least two: it is over all classes, even if only one is named.
        """
        classes = 2 if self.activation == "softmax" else 0
        return max((classes, *(each.index + 1 for each in self.outputs.values())))

    def span(self, dimension: str) -> tuple[float, float] | None:
        """The lowest and the highest possible score of a dimension; None without bounds."""
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
        """The criterion that this judge's scores must meet."""
        return Criterion(self.dimension, self.comparison, self.threshold)


class SecondJudge(JudgeConfig):
    """A second judge of the same responses.

    It is reported, and affects the gate only by its vote in the judge's `panel`.
    """

    axes: Annotated[dict[Name, PassCriterion], Field(min_length=1, max_length=100)]
    """Axis -> criterion; axes that are left out are not judged."""

    @model_validator(mode="after")
    def _check_axes(self) -> Self:
        if self.recorded:
            raise ValueError("a second judge needs `stages`, `model`, `endpoint` or `keywords`")
        if self.panel:
            raise ValueError("a second judge is no panel; only `judge` can have a `panel`")
        for name, axis in self.axes.items():
            if axis.dimension not in self.dimensions:
                raise ValueError(
                    f"axes.{name}.dimension: the judge gives {', '.join(self.dimensions)}, "
                    f"not {axis.dimension!r}"
                )
        return self
