"""The start and the end of a stage: its model, fresh or from a checkpoint; and saving it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from alignment.checkpoints import Checkpoint
from alignment.checkpoints.adapters import merged_in
from alignment.checkpoints.loading import load_causal, load_classifier, load_tokenizer
from alignment.config.profile import Profile
from alignment.config.recipes import Recipe, Stage
from alignment.errors import TrainingError
from alignment.runtime.hardware import first_line
from alignment.training.data import TrainingData
from alignment.training.tokenizer import train_tokenizer


def start(
    recipe: Recipe,
    before: Checkpoint | None,
    stage: Stage,
    data: TrainingData,
    profile: Profile,
    *,
    seed: int,
) -> tuple[Any, Any]:
    """The (model, tokenizer) that a stage trains: loaded from `before`, or fresh if it is None.

    No model object is passed on between stages, as trainers leave a wrapped `forward` behind.
    Raises TrainingError for an impossible architecture, ModelError if `before` cannot be loaded.
    """
    import torch  # noqa: PLC0415

    with torch.random.fork_rng():
        torch.manual_seed(seed)  # fresh weights, and the fresh head of a reward model
        if before is not None:
            tokenizer = load_tokenizer(before)
            if stage.trainer == "reward":
                return _reward_model(before, profile, tokenizer), tokenizer
            return load_causal(before, profile.dtype), tokenizer
        tokenizer = train_tokenizer(data.texts(), profile.training.vocab_size)
        return _fresh_model(recipe.architecture or {}, stage, tokenizer), tokenizer


def _fresh_model(architecture: dict[str, Any], stage: Stage, tokenizer: Any) -> Any:
    from huggingface_hub.errors import StrictDataclassError  # noqa: PLC0415
    from transformers import (  # noqa: PLC0415
        AutoConfig,
        AutoModelForCausalLM,
        AutoModelForSequenceClassification,
    )

    fields = dict(architecture)
    model_type = fields.pop("model_type")
    reward = stage.trainer == "reward"
    try:
        config = AutoConfig.for_model(
            model_type,
            vocab_size=len(tokenizer),
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            **({"num_labels": 1} if reward else {}),
            **fields,
        )
        loader = AutoModelForSequenceClassification if reward else AutoModelForCausalLM
        return loader.from_config(config)
    except (StrictDataclassError, ValueError, TypeError, KeyError, RuntimeError) as error:
        cause = error.__cause__ or error
        raise TrainingError(f"architecture {model_type!r}: {first_line(cause)}") from error


def _reward_model(before: Checkpoint, profile: Profile, tokenizer: Any) -> Any:
    """A sequence classifier with one fresh output on a checkpoint's body."""
    if before.adapters:
        raise TrainingError("a reward model starts from a full model, not from an adapter")
    model = load_classifier(before, profile.dtype, fresh=1)
    model.config.pad_token_id = tokenizer.pad_token_id
    return model


def save(
    model: Any, tokenizer: Any, folder: Path, weights: dict[str, Any] | None, *, merge: bool
) -> None:
    """Write a model and its tokenizer as safetensors; an adapter alone unless `merge` is true.

    `weights` is the whole state dict if this process holds only a share of the model. Raises
    OSError if the disk is full, TrainingError if such a model has an adapter to merge.
    """
    from safetensors import SafetensorError  # noqa: PLC0415 - loads numpy

    if merge and weights is not None:
        raise TrainingError(
            "an adapter is merged between stages, which FSDP and DeepSpeed do not allow; train "
            "this recipe with one process or with DDP"
        )
    if merge:
        model = merged_in(model)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        model.save_pretrained(folder, **({} if weights is None else {"state_dict": weights}))
    except SafetensorError as error:  # raised for a full disk
        raise OSError(first_line(error)) from error
    tokenizer.save_pretrained(folder)
    if (folder / "adapter_config.json").is_file():
        _sort_config(folder / "adapter_config.json")
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty model card


def _sort_config(path: Path) -> None:
    """Sort the lists that PEFT makes of sets, so that equal adapters have equal hashes."""
    config = json.loads(path.read_text(encoding="utf-8"))
    for name in ("target_modules", "exclude_modules", "modules_to_save"):
        if isinstance(config.get(name), list):
            config[name].sort()
    text = json.dumps(config, indent=2, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")
