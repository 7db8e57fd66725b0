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
"""Told (steps done, steps in all) as training goes on."""

_REFUSALS = (ValueError, TypeError, RuntimeError, LookupError, ArithmeticError, ImportError)
"""What trainers raise over an argument or over the data; anything else is a crash."""

STATED: dict[str, Any] = {
    # TRL 1.16 turns bf16 and gradient checkpointing on even on a CPU: nothing is inherited.
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
    """Train `model` on `rows`; gives the trained model (a PeftModel with `lora`) and its log.

    Between them the weights, where the model itself holds only a share of them: several processes
    under FSDP or DeepSpeed; whole in the first process. Else None.

    Raises TrainingError when TRL refuses the arguments or the data, or when the loss, or a
    weight, is not finite.
    """
    from datasets import Dataset, disable_progress_bars  # noqa: PLC0415

    disable_progress_bars()
    with (
        tempfile.TemporaryDirectory(prefix="alignment-") as scratch,
        _own_randomness(seed),
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
            warnings.simplefilter("ignore")  # of the libraries, about each other
            trainer = _trainer(stage, settings, model, tokenizer, Dataset.from_list(rows))
            trainer.add_callback(_callback(report))
            trainer.train()
            weights = _gathered(trainer)
        except _REFUSALS as error:
            raise TrainingError(f"{stage.trainer} stage: {first_line(error)}") from error
        _check_losses(stage, trainer.state.log_history)
        _check_weights(stage, trainer.model.state_dict() if weights is None else weights)
        log = [entry for entry in trainer.state.log_history if "loss" in entry]
        return trainer.accelerator.unwrap_model(trainer.model), weights, log


def _gathered(trainer: Any) -> dict[str, Any] | None:
    """The whole weights, where each process holds a share; all of them have to ask."""
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
    """Every logged loss, and the mean over all steps, which ends the history."""
    for entry in history:
        loss = float(entry.get("loss", entry.get("train_loss", 0.0)))
        if not math.isfinite(loss):
            raise TrainingError(
                f"{stage.trainer} stage: the loss is {loss} at epoch {entry.get('epoch', 0):.2f}; "
                f"lower args.learning_rate"
            )


def _check_weights(stage: Stage, weights: dict[str, Any]) -> None:
    """A last step can spoil weights whose loss nobody computes any more."""
    wrong = damaged(weights)
    if wrong:
        raise TrainingError(
            f"{stage.trainer} stage: NaN or infinity stands in {len(wrong)} of {len(weights)} "
            f"trained tensors ({wrong[0]}); lower args.learning_rate"
        )


@contextlib.contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """Trainers seed the global generators; the caller's are given back as they were."""
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415

    plain, array = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(plain)
            np.random.set_state(array)  # noqa: NPY002
