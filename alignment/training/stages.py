"""The stages of a recipe, carried out one after the other: rows, model, training, files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignment.checkpoints import Checkpoint, examine, over
from alignment.config.recipes import Recipe, Stage
from alignment.runtime.hardware import configure_torch, device_of
from alignment.training.context import ModelContext
from alignment.training.data import rows_for
from alignment.training.team import divided

LIBRARIES = ("torch", "transformers", "trl", "peft", "tokenizers", "accelerate")
"""Libraries whose versions are part of a recipe's key."""


@dataclass(frozen=True, slots=True)
class Job:
    """A recipe to carry out: the checkpoint that it starts from, and the folder for its model."""

    name: str
    recipe: Recipe
    start: Checkpoint | None
    max_length: int
    seed_of: Callable[[str], int]
    folder: Path


def carry_out(
    context: ModelContext, job: Job, scratch: Path
) -> tuple[Checkpoint, list[dict[str, Any]]]:
    """Train all stages. Returns the model and a log per stage, as plain values.

    Models between stages are written to `scratch`. Raises TrainingError.
    """
    configure_torch(device_of(context.profile.device), context.profile.threads)
    state, logs = job.start, []
    for number, stage in enumerate(job.recipe.stages):
        last = number == len(job.recipe.stages) - 1
        out = job.folder if last else scratch / str(number)
        # Only the adapter is saved if it is directly on the parent, which has its own checkpoint.
        adapter = stage.lora is not None and state is not None and number == 0
        logs.append(_run(context, job, number, state, out, merge=not adapter))
        state = _read_saved(context, out, state if adapter else None, stage)
    assert state is not None  # noqa: S101 - a recipe has at least one stage
    return state, logs


def _read_saved(
    context: ModelContext, out: Path, before: Checkpoint | None, stage: Stage
) -> Checkpoint:
    """The checkpoint that a stage wrote: an adapter over `before`, or a full model."""
    hasher, reward = context.hasher, stage.trainer == "reward"
    if before is not None:
        return context.team.lead(lambda: over(before, out, hasher))
    return context.team.lead(lambda: examine(out, judge=reward, network=False, hasher=hasher))


def _run(
    context: ModelContext,
    job: Job,
    number: int,
    start: Checkpoint | None,
    out: Path,
    *,
    merge: bool,
) -> dict[str, Any]:
    """One stage: rows, model, training, files. Returns its log for the manifest."""
    from alignment.training import start as starting  # noqa: PLC0415 - imports torch
    from alignment.training.trainers import run_stage  # noqa: PLC0415 - imports trl

    profile, recipe, name = context.profile, job.recipe, job.name
    stage, seed = recipe.stages[number], job.seed_of(f"{name}/{number}")
    args = divided(stage.args, context.team.size)
    data = context.data.training_data()
    rows = rows_for(stage, data, seed)
    model, tokenizer = starting.start(recipe, start, stage, data, profile, seed=seed)
    position = f" {number + 1}/{len(recipe.stages)}" if len(recipe.stages) > 1 else ""
    with context.progress.stage(f"train {name}{position} ({stage.trainer})", 1, "step") as advance:
        model, weights, log = run_stage(
            stage.model_copy(update={"args": args}),
            model,
            tokenizer,
            rows,
            seed=seed,
            device=device_of(profile.device),
            max_length=job.max_length,
            report=advance,
        )
    merge = merge and stage.lora is not None
    context.team.lead(lambda: starting.save(model, tokenizer, out, weights, merge=merge))
    return {"rows": len(rows), "log": log}
