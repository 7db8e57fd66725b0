"""People's labels of a profile: the files that have them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from alignment.config.tables import Listed, Name, Place, Table

Column = Annotated[str, Field(min_length=1, max_length=1000)]
Value = Annotated[str, Field(max_length=1000)]


class LabelTable(Table):
    """A CSV, TSV, JSON or JSONL file of labelled responses with columns of its own."""

    path: Place
    """The file; a relative path starts at the profile's `data` folder."""
    axis: Name
    """The axis that the labels are about."""
    prompt: Column = "prompt"
    """The column with the prompt, as in the profile's prompts."""
    response: Column = "response"
    """The column with the response."""
    labels: Listed[Column]
    """The columns with labels, one per annotator."""
    passes: Listed[Value]
    """The values that mean pass: the response is harmless, or helpful."""
    fails: Listed[Value]
    """The values that mean fail. All other values count as unsure."""
    where: Annotated[dict[Column, Listed[Value]], Field(max_length=100)] = Field(
        default_factory=dict
    )
    """Use only the rows that have one of these values in this column."""

    @model_validator(mode="after")
    def _check_values(self) -> Self:
        if not self.labels:
            raise ValueError("`labels` needs at least one column")
        both = sorted(set(self.passes) & set(self.fails))
        if both:
            raise ValueError(f"{both[0]!r} is in `passes` and in `fails`")
        return self


class Labels(Table):
    """People's verdicts on responses, from files; imported ones are in the store.

    A label belongs to a response by its content, so it serves every variant that gives it.
    """

    files: Listed[Place] = ()
    """Files that `annotate` or its page wrote: labels (JSON or CSV) and samples (JSON). Relative
    paths start at the profile's `data` folder."""
    tables: Listed[LabelTable] = ()
    """Files of other layouts."""
    random: bool = False
    """Whether labels without a sample of `annotate` were given to prompts drawn at random. The
    gate uses such labels only then, or if all prompts have one."""
