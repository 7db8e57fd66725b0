"""Baselines: the stored verdicts of accepted runs."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Manifest(_Record):
    """What two runs must have in common to be compared."""

    prompts: dict[str, str]
    """Axis -> digest of the ids of its prompts."""
    criteria: dict[str, str]
    """Axis -> criterion, as `reward >= -3`."""
    judge: dict[str, Any]
    """How scores are made: `identity` (weights, or recipe, data and seed) and input format."""
    decoding: dict[str, Any] | None
    """How responses are made; None where it is not known (recorded responses)."""
    format: str | None
    """The dialogue format; None as for `decoding`."""


class BaselineCase(_Record):
    """One prompt's score and verdict, and its verdict at the anchor."""

    score: Annotated[float, Field(allow_inf_nan=False)]
    passed: bool
    anchor: bool
    degenerate: str | None = None
    """The kind of a degenerate response; None for any other."""
    response: str | None = None
    """The text, unless `gate.responses` is off."""


class ProbeScore(_Record):
    """A response that every judge compared with this baseline must score alike."""

    prompt: str
    """The prompt's id."""
    response: str
    score: Annotated[float, Field(allow_inf_nan=False)]


class Baseline(_Record):
    """An accepted run of one variant."""

    profile: str
    variant: str
    reason: str | None
    """Why the anchor is where it is: `--alignment-reason`, None for a first baseline."""
    manifest: Manifest
    model: dict[str, Any]
    """The identity of the accepted model, for the reader; not compared."""
    probe: tuple[ProbeScore, ...]
    cases: dict[str, dict[str, BaselineCase]]
    """Axis -> prompt id -> case."""


def storable(text: str) -> str:
    """`text` with `?` for lone surrogates: some tokenizers make them, JSON readers refuse them."""
    return text.encode("utf-8", "replace").decode()
