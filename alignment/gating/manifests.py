"""What a run must share with another to be compared with it."""

from __future__ import annotations

from typing import Any

from alignment.config.profile import Generation
from alignment.config.recipes import Variant
from alignment.gating.baseline import Manifest
from alignment.gating.comparability import digest_of
from alignment.judges.llm import told_of
from alignment.serving import said
from alignment.store import content_key
from alignment.study import opening
from alignment.study.study import Study
from alignment.training import models


def manifest(study: Study, variant: str) -> Manifest:
    """What a run must share with another to be compared, for one variant."""
    profile = study.profile
    known = not profile.variants[variant].given
    generation = profile.generation_of(variant)
    return Manifest(
        prompts={a: digest_of([p.id for p in ps]) for a, ps in study.asked(variant).items()},
        criteria={name: str(axis.criterion) for name, axis in profile.axes.items()},
        judge=_judge(study),
        decoding=_decoding(study, variant) if known else _thinking(generation) or None,
        format=generation.format if known else None,
    )


def model_of(study: Study, variant: str) -> dict[str, Any]:
    """What a variant is, for the reader of its baseline; not compared."""
    recipe = models.recipe_of(study.profile, variant)
    if isinstance(recipe, Variant) and recipe.null:
        return {"null": recipe.null}
    if recipe.endpoint is not None:
        identity = opening.policy_identity(study.context, variant)
        return {"endpoint": recipe.endpoint.model, "served": said(study.store, identity)}
    if recipe.recorded:
        return {"recorded": True}
    model = {"weights": models.make(study.context, variant).identity}
    if recipe.stages:
        model["recipe"] = models.recipe_identity(study.context, variant)
    return model


def _decoding(study: Study, variant: str) -> dict[str, Any]:
    """How a variant's answers are decoded; what few use is said only where it is used.

    `begins_with` is the special token that opens every prompt, where one does.
    """
    generation = study.profile.generation_of(variant)
    settings: dict[str, Any] = {"max_new_tokens": generation.max_new_tokens} | _thinking(generation)
    if generation.stop_at_human:
        settings["stop_at_human"] = True
    if generation.temperature > 0:
        settings |= generation.model_dump(include={"samples", "temperature", "top_p"})
    token = opening.begins_with(study.context, variant)
    return settings if token is None else settings | {"begins_with": token}


def _thinking(generation: Generation) -> dict[str, Any]:
    """What becomes of thinking in an answer, where that is not what it always is."""
    thinking = generation.thinking
    return {} if thinking == "unscored" else {"thinking": thinking}


def _judge(study: Study) -> dict[str, Any]:
    """A judge made by a recipe is that recipe, its data and its seed; a loaded one its weights.

    One that is served is its name and what it is asked; where it is served may change.
    """
    judge = study.profile.judge
    if judge.recorded:
        return {"identity": "recorded scores"}
    if judge.endpoint is not None:
        asked = told_of(judge.endpoint, judge.revision)
        return {"identity": f"endpoint {content_key(asked)[:16]}", **asked}
    if judge.keywords:
        identity = opening.judge_identity(study.context, models.JUDGE)
        return {"identity": f"keywords {identity[:16]}", "keywords": sorted(judge.keywords)}
    if judge.stages:
        identity = f"recipe {models.recipe_identity(study.context, models.JUDGE)[:16]}"
    else:
        identity = f"weights {models.make(study.context, models.JUDGE).identity[:16]}"
    reading = {"identity": identity, "input": judge.input, "max_length": judge.max_length}
    if judge.input == "pair":
        reading["cut"] = (
            "prompt"  # what goes first where a pair is too long; once it was the longer
        )
    several = judge.outputs or judge.activation
    return reading | (judge.model_dump(include={"outputs", "activation"}) if several else {})
