"""One stage of a recipe, carried out by TRL: the only module that imports trl."""

from __future__ import annotations

import contextlib
import math
import random
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from alignment.config.recipes import Stage
from alignment.errors import TrainingError
from alignment.runtime.finite import damaged
from alignment.runtime.hardware import first_line, quieten
from alignment.training.data import Rows

Report = Callable[[int, int], None]
"""Called with (steps done, total steps) after every step."""

_REFUSALS = (ValueError, TypeError, RuntimeError, LookupError, ArithmeticError, ImportError)
"""What trainers raise about arguments or data; any other exception is a crash."""

STATED: dict[str, Any] = {
    # Explicit, because TRL 1.16 turns bf16 and gradient checkpointing on even on a CPU.
    "bf16": False,
    "fp16": False,
    "gradient_checkpointing": False,
    "report_to": "none",
    "save_strategy": "no",
    "disable_tqdm": True,
    "dataloader_num_workers": 0,
    "dataloader_pin_memory": False,
    "logging_strategy": "steps",
    "logging_steps": 10,
    "logging_nan_inf_filter": False,  # it would log the last finite loss in place of NaN
    "remove_unused_columns": True,
}


def run_stage(
    stage: Stage,
    model: Any,
    tokenizer: Any,
    rows: Rows,
    *,
    seed: int,
    device: str,
    max_length: int,
    report: Report,
) -> tuple[Any, dict[str, Any] | None, list[dict[str, float]]]:
    """Train `model` on `rows`; returns (trained model, weights, log of losses).

    The model is a PeftModel if the stage has `lora`. `weights` is the whole state dict if the model
    itself holds only a share of it (FSDP or DeepSpeed; complete in the first process), else None.

    Raises TrainingError if TRL refuses the arguments or the data, or if the loss or a weight is not
    finite.
    """
    from datasets import Dataset, disable_progress_bars  # noqa: PLC0415

    disable_progress_bars()
    with (
        tempfile.TemporaryDirectory(prefix="alignment-") as scratch,
        _seeded(seed),
        warnings.catch_warnings(),
    ):
        settings = {
            **STATED,
            "output_dir": scratch,
            "seed": seed,
            "data_seed": seed,
            "use_cpu": device == "cpu",
            "max_length": max_length,
            **stage.args,
        }
        try:
            warnings.simplefilter("ignore")  # of the libraries about each other
            trainer = _trainer(stage, settings, model, tokenizer, Dataset.from_list(rows))
            trainer.add_callback(_callback(report))
            trainer.train()
            weights = _gather_weights(trainer)
        except _REFUSALS as error:
            raise TrainingError(f"{stage.trainer} stage: {first_line(error)}") from error
        _check_losses(stage, trainer.state.log_history)
        _check_weights(stage, trainer.model.state_dict() if weights is None else weights)
        log = [entry for entry in trainer.state.log_history if "loss" in entry]
        return trainer.accelerator.unwrap_model(trainer.model), weights, log


def _gather_weights(trainer: Any) -> dict[str, Any] | None:
    """The whole state dict if each process holds a share, else None; called by all processes."""
    if not (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled):
        return None
    weights: dict[str, Any] = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    return weights


def _trainer(stage: Stage, settings: dict[str, Any], model: Any, tokenizer: Any, data: Any) -> Any:
    import trl  # noqa: PLC0415
    from transformers import PrinterCallback  # noqa: PLC0415

    quieten()
    kinds = {
        "sft": (trl.SFTTrainer, trl.SFTConfig),
        "dpo": (trl.DPOTrainer, trl.DPOConfig),
        "reward": (trl.RewardTrainer, trl.RewardConfig),
    }
    trainer_class, config_class = kinds[stage.trainer]
    args = config_class(**settings)
    args._n_gpu = min(1, args.n_gpu)  # noqa: SLF001 - DataParallel would multiply the recipe's batch
    trainer = trainer_class(
        model=model,
        args=args,
        train_dataset=data,
        processing_class=tokenizer,
        peft_config=_lora(stage),
    )
    if len(trainer.train_dataset) == 0:
        raise TrainingError(
            f"{stage.trainer} stage: no row is left of {len(data)}: all are longer than "
            f"{settings['max_length']} tokens; raise training.max_length"
        )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _lora(stage: Stage) -> Any:
    if stage.lora is None:
        return None
    from peft import LoraConfig  # noqa: PLC0415

    kind = "SEQ_CLS" if stage.trainer == "reward" else "CAUSAL_LM"
    return LoraConfig(**{"task_type": kind, **stage.lora})


def _callback(report: Report) -> Any:
    from transformers import TrainerCallback  # noqa: PLC0415

    class Steps(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            report(state.global_step, state.max_steps)

    return Steps()


def _check_losses(stage: Stage, history: list[dict[str, float]]) -> None:
    """Check every logged loss, and the mean over all steps at the end of the history."""
    for entry in history:
        loss = float(entry.get("loss", entry.get("train_loss", 0.0)))
        if not math.isfinite(loss):
            raise TrainingError(
                f"{stage.trainer} stage: the loss is {loss} at epoch {entry.get('epoch', 0):.2f}; "
                f"lower args.learning_rate"
            )


def _check_weights(stage: Stage, weights: dict[str, Any]) -> None:
    """Check the weights too: the last step's update affects no logged loss."""
    spoilt = damaged(weights)
    if spoilt:
        raise TrainingError(
            f"{stage.trainer} stage: NaN or infinity stands in {len(spoilt)} of {len(weights)} "
            f"trained tensors ({spoilt[0]}); lower args.learning_rate"
        )


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch inside; restore all global generators, which trainers seed, afterwards."""
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415

    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002
