"""Samples: which prompts of a comparison were drawn to be labelled, and from which strata.

The gate needs the sample beside the labels: labels of prompts that were chosen in another way say
nothing certain about the other prompts.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alignment.errors import LabelsError
from alignment.store import content_key

FORMAT: Literal["alignment-label-sample"] = "alignment-label-sample"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ComparisonSample(_Record):
    """The sample of one comparison on one axis."""

    variant: str
    against: str
    axis: str
    strata: Annotated[dict[str, str], Field(max_length=10_000_000)]
    """Prompt id -> the stratum that it belongs to, for all prompts of the comparison."""
    drawn: dict[str, tuple[str, str]]
    """Prompt id -> the ids of the two labelled answers, before and after, for the drawn prompts."""


class LabelSample(_Record):
    """The samples of one labelling task."""

    format: Literal["alignment-label-sample"] = FORMAT
    version: Literal[1] = 1
    task: str
    seed: int
    comparisons: tuple[ComparisonSample, ...]


def dumps(sample: LabelSample) -> str:
    """The text of a sample's file: the same bytes for the same sample."""
    return json.dumps(sample.model_dump(mode="json"), indent=1, sort_keys=True) + "\n"


def sample_of(value: Any, name: str) -> LabelSample:
    """The sample in a parsed JSON file called `name`. Raises LabelsError, one line."""
    try:
        return LabelSample.model_validate_json(json.dumps(value))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise LabelsError(
            f"{name}: is no label sample that this version can read: {where}: {first['msg']}; "
            f"write it again with `annotate`"
        ) from None


def task_id(comparisons: tuple[ComparisonSample, ...], seed: int) -> str:
    """The id of the task: a hash of its sample."""
    return content_key("labels", seed, [each.model_dump() for each in comparisons])[:16]
