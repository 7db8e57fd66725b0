"""What a run must share with another to be compared with it."""

from __future__ import annotations

from typing import Any

from alignment import opening
from alignment.baseline import Manifest, digest_of
from alignment.pipeline import Study
from alignment.training import models

SIDES = ("the baseline", "this run")
"""How the two sides of a comparison are called."""


def manifest(study: Study, variant: str) -> Manifest:
    """What a run must share with another to be compared, for one variant."""
    profile = study.profile
    known = variant not in study.recorded and variant not in study.nulls
    generation = profile.generation_of(variant)
    return Manifest(
        prompts={a: digest_of([p.id for p in ps]) for a, ps in study.asked(variant).items()},
        criteria={name: str(axis.criterion) for name, axis in profile.axes.items()},
        judge=_judge(study),
        decoding=_decoding(study, variant) if known else None,
        format=generation.format if known else None,
    )


def _decoding(study: Study, variant: str) -> dict[str, Any]:
    """How responses are made; `begins_with` only where a special token opens every prompt."""
    told: dict[str, Any] = {"max_new_tokens": study.profile.generation_of(variant).max_new_tokens}
    token = opening.begins_with(study.shop, variant)
    return told if token is None else told | {"begins_with": token}


def _judge(study: Study) -> dict[str, Any]:
    """A judge made by a recipe is that recipe, its data and its seed; a loaded one its weights."""
    judge = study.profile.judge
    if judge.recorded:
        return {"identity": "recorded scores"}
    if judge.stages:
        identity = f"recipe {models.recipe_identity(study.shop, models.JUDGE)[:16]}"
    else:
        identity = f"weights {models.make(study.shop, models.JUDGE).identity[:16]}"
    told = {"identity": identity, "input": judge.input, "max_length": judge.max_length}
    several = judge.outputs or judge.activation
    return told | (judge.model_dump(include={"outputs", "activation"}) if several else {})
