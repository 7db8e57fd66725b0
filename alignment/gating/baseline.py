"""Baselines: what an accepted run leaves behind."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Manifest(_Record):
    """What two runs must share to be compared."""

    prompts: dict[str, str]
    """Axis -> digest of the ids of its prompts."""
    criteria: dict[str, str]
    """Axis -> criterion, as `reward >= -3`."""
    judge: dict[str, Any]
    """How scores are made: `identity` (weights, or recipe, data and seed), and what it reads."""
    decoding: dict[str, Any] | None
    """How responses are made; None where nobody knows: recorded responses."""
    format: str | None
    """The dialogue format; None as for `decoding`."""


class BaselineCase(_Record):
    """One prompt's score and verdict, and its verdict at the anchor."""

    score: Annotated[float, Field(allow_inf_nan=False)]
    passed: bool
    anchor: bool
    degenerate: str | None = None
    """The kind of a response that is no answer at all."""
    response: str | None = None


class ProbeScore(_Record):
    """A response that every judge of this baseline must score alike."""

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
    """What was accepted, for the reader; not compared."""
    probe: tuple[ProbeScore, ...]
    cases: dict[str, dict[str, BaselineCase]]
    """Axis -> prompt id -> case."""


def storable(text: str) -> str:
    """Without lone surrogates: some tokenizers decode to them, and JSON readers refuse them."""
    return text.encode("utf-8", "replace").decode()
