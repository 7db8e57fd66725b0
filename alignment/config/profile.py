"""A profile: all settings of a run, validated together."""

from __future__ import annotations

from typing import Any, Self

from pydantic import model_validator

from alignment.config import coherence
from alignment.config.panel import with_criteria
from alignment.config.schema import ProfileTables


class Profile(ProfileTables):
    """All settings of a run."""

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        return with_criteria(values)

    @model_validator(mode="after")
    def _check_coherence(self) -> Self:
        coherence.check(self)
        return self
