"""PEFT adapters: applied completely or refused, and merged without changing the model's outputs.

PEFT silently drops tensors that have no place in the base model, and leaves tensors that are
missing from the file at their initial values. An adapter whose tensor names are those of another
model would then have no effect, and its answers would be those of the base model.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from alignment.checkpoints.names import counted, some
from alignment.checkpoints.tensors import Tensor, head_outputs
from alignment.checkpoints.tied import untie
from alignment.errors import AlignmentError, ModelError
from alignment.runtime.hardware import loading

_NAME = "default"
"""The name that PEFT gives an adapter by default."""
_PREFIX = "base_model.model."
_SAVED = "modules_to_save"

_TOLERANCE = {"float32": 1e-3, "float64": 1e-6}
"""How far merging may change logits, as a share of the largest logit. Lower precisions are not
checked: there, rounding errors are as large as those of a faulty merge could be."""

_SIZE_MISMATCH = re.compile(
    r"size mismatch for (\S+): copying a param with shape torch\.Size\((.*?)\).*?"
    r"current model is torch\.Size\((.*?)\)",
    re.DOTALL,
)
"""How torch reports the first tensor of a wrong shape."""

_UNMERGEABLE = frozenset(
    {
        *("PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "CPT"),
        *("ADAPTION_PROMPT", "CARTRIDGE", "XLORA", "POLY"),
    }
)
"""Values of `peft_type` whose adapters change no weight matrices, so that they cannot be merged."""

_OTHER_TASKS = frozenset({"TOKEN_CLS", "QUESTION_ANS", "FEATURE_EXTRACTION"})
_GENERATIVE_TASKS = frozenset({"CAUSAL_LM", "SEQ_2_SEQ_LM"})
_NOT_FOR_POLICIES = _OTHER_TASKS | {"SEQ_CLS"}
"""Values of `task_type` that do not fit a language model."""
_NOT_FOR_JUDGES = _OTHER_TASKS | _GENERATIVE_TASKS
"""Values of `task_type` that do not fit a sequence classifier."""


def check_mergeable(adapter: Path, kind: object) -> None:
    """Refuse an adapter whose kind (PEFT's `peft_type`) cannot be merged. Raises ModelError."""
    if str(kind) in _UNMERGEABLE:
        raise ModelError(
            f"model {adapter}: is a {kind} adapter, which cannot be merged into its base's "
            f"weights; a kind such as LORA is required: serve this one and name its `endpoint`"
        )


def check_task(adapter: Path, task: object, *, judge: bool) -> None:
    """Refuse an adapter that was trained for another task (PEFT's `task_type`).

    PEFT would apply it without an error, because the tensors of the body have the same names for
    every task. `judge`: the adapter, which has no head of its own, is for a sequence classifier.
    Raises ModelError.
    """
    refused = _NOT_FOR_JUDGES if judge else _NOT_FOR_POLICIES
    if isinstance(task, str) and task in refused:
        kind, expected = (
            ("sequence classifier", "SEQ_CLS") if judge else ("language model", "CAUSAL_LM")
        )
        head = ", or a head of its own (score.weight)" if judge else ""
        raise ModelError(
            f"model {adapter}: adapter_config.json has task_type = {task}, and a {kind}'s adapter "
            f"({expected}) is required{head}; name another adapter, or correct task_type if it was "
            f"trained on a {kind}"
        )


def head_of(adapters: Sequence[Path]) -> int | None:
    """How many outputs the classification head of the outermost adapter has.

    Adapters without a head are passed over; None if no adapter has one.
    """
    for adapter in reversed(adapters):
        weights = _read_weights(adapter)
        shapes = {name: Tensor("", tuple(weight.shape)) for name, weight in weights.items()}
        outputs = head_outputs(shapes)
        if outputs is not None:
            return outputs
    return None


def merged(model: Any, adapters: Sequence[Path]) -> tuple[Any, set[str]]:
    """A model with adapters merged into its weights, innermost first.

    Returns the model and the names of the tensors that the adapters replace completely, such as a
    new head. Raises ModelError for an adapter that can be applied only partly or not be merged.
    """
    replaced: set[str] = set()
    for adapter in adapters:
        with loading(adapter):
            peft_model, names = _apply(model, adapter)
            replaced |= names
            model = _merge(peft_model, adapter)
    return model, replaced


def placed(model: Any, adapters: Sequence[Path]) -> set[str] | None:
    """Check adapters against a model on torch's `meta` device, which has shapes but no values.

    Returns the names of the tensors that the adapters replace completely. None means that this
    cannot be found out without values; errors are then reported when the adapters are loaded.
    Raises ModelError.
    """
    replaced: set[str] = set()
    for adapter in adapters:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                peft_model, names = _apply(model, adapter)
                model = peft_model.merge_and_unload()
        except AlignmentError:
            raise
        except Exception:  # noqa: BLE001 - an adapter may compute with values, which do not exist here
            return None
        replaced |= names
    return replaced


def _apply(model: Any, adapter: Path) -> tuple[Any, set[str]]:
    """The PEFT model, and the names of the base model's tensors that the adapter replaces."""
    from peft import PeftConfig, PeftModel, get_peft_model_state_dict  # noqa: PLC0415 - 2.5 s
    from peft.utils.save_and_load import set_peft_model_state_dict  # noqa: PLC0415

    weights = _read_weights(adapter)
    generates = hasattr(model, "prepare_inputs_for_generation")
    try:
        config = PeftConfig.from_pretrained(str(adapter))
        if config.task_type in _GENERATIVE_TASKS and not generates:
            config.task_type = None  # a classifier's body, whose head is in another adapter
        peft_model = PeftModel.from_pretrained(model, adapter, config=config, torch_device="cpu")
        # Loaded once more, because `from_pretrained` does not return which keys did not match.
        result = set_peft_model_state_dict(peft_model, weights, adapter_name=_NAME)
    except KeyError as error:  # a module of `modules_to_save` that is not in the file
        raise ModelError(
            f"model {adapter}: adapter_model has no tensor {error.args[0]!r}, which "
            f"adapter_config.json asks for; save the adapter again"
        ) from error
    except RuntimeError as error:
        if (mismatch := _SIZE_MISMATCH.search(str(error))) is None:
            raise
        raise ModelError(
            f"model {adapter}: its {_name_in_file(mismatch[1])} is of shape {mismatch[2]}, and by "
            f"its adapter_config.json and its base {mismatch[3]} is required; see r and "
            f"base_model_name_or_path there, or save it again"
        ) from error
    state, missing_keys = peft_model.state_dict(), set(result.missing_keys)
    saved = get_peft_model_state_dict(peft_model, state, _NAME, save_embedding_layers=False)
    saved_ids = {id(tensor) for tensor in saved.values()}
    missing = sorted(_name_in_file(name) for name in missing_keys if id(state[name]) in saved_ids)
    unknown = sorted(_name_in_file(name) for name in result.unexpected_keys)
    if missing or unknown:
        raise ModelError(_partial_message(adapter, len(weights), missing, unknown))
    return peft_model, {_name_in_base(name) for name in state.keys() - missing_keys}


def _partial_message(adapter: Path, tensors: int, missing: list[str], unknown: list[str]) -> str:
    reasons = []
    if unknown:
        of = counted(tensors, "tensor")
        reasons.append(
            f"{len(unknown)} of its {of} without a place in its base ({some(unknown, 1)})"
        )
    if missing:
        reasons.append(f"{len(missing)} missing from its file ({some(missing, 1)})")
    return (
        f"model {adapter}: the adapter would be applied only partly: {'; '.join(reasons)}; see "
        f"target_modules and base_model_name_or_path in adapter_config.json, or save it again "
        f"from the model that it was trained on"
    )


def _merge(peft_model: Any, adapter: Path) -> Any:
    """Merge the adapter, and compare the logits from before and after. Raises ModelError."""
    peft_model.eval()
    tolerance = _TOLERANCE.get(str(peft_model.dtype).removeprefix("torch."))
    before = None if tolerance is None else _sample_logits(peft_model)
    model = merged_in(peft_model)
    if tolerance is not None:
        _check_logits(adapter, before, _sample_logits(model), tolerance)
    return model


def merged_in(above: Any) -> Any:
    """The base model of a PEFT model (`above`), with the adapter merged into its weights.

    Weights that merging made different from each other are no longer tied, nor declared so.
    """
    _untie(above)
    model = above.merge_and_unload()
    untie(model)
    return model


def _check_logits(adapter: Path, before: Any, after: Any, tolerance: float) -> None:
    """Logits that are not finite pass here; they are reported when the model answers."""
    largest, off = float(before.abs().max()), float((after - before).abs().max())
    if off > tolerance * largest:
        raise ModelError(
            f"model {adapter}: after merging into the weights of its base, the adapter gives other "
            f"results (logits of up to {largest:.2g} differ by {off:.2g}); merge it with the "
            f"library that it was trained with, and name the full model"
        )


def _sample_logits(model: Any) -> Any:
    """The logits (4 rows, 8 positions, vocabulary) for tokens from all over the vocabulary."""
    import torch  # noqa: PLC0415

    size = model.get_input_embeddings().weight.shape[0]
    tokens = [[(7919 * (8 * row + n + 1)) % size for n in range(8)] for row in range(4)]
    with torch.inference_mode():
        outputs = [model(input_ids=torch.tensor([row], device=model.device)) for row in tokens]
    return torch.stack([output.logits.float() for output in outputs])


def _untie(peft_model: Any) -> None:
    """Copy the weights of adapted layers that share them with another layer.

    Merging changes weights in place: an adapter for the embeddings would change the output layer,
    too.
    """
    from collections import Counter  # noqa: PLC0415

    from peft.tuners.tuners_utils import BaseTunerLayer  # noqa: PLC0415
    from torch.nn import Parameter  # noqa: PLC0415

    owners = Counter(
        id(weight) for module in peft_model.modules() for weight in module.parameters(recurse=False)
    )
    for layer in (module for module in peft_model.modules() if isinstance(module, BaseTunerLayer)):
        base = layer.get_base_layer()
        for name, weight in list(base.named_parameters(recurse=False)):
            if owners[id(weight)] > 1:
                setattr(base, name, Parameter(weight.detach().clone(), requires_grad=False))


def _read_weights(adapter: Path) -> dict[str, Any]:
    """The tensors of an adapter's file."""
    from peft import load_peft_weights  # noqa: PLC0415

    with loading(adapter):
        return dict(load_peft_weights(str(adapter), device="cpu"))


def _name_in_file(name: str) -> str:
    """A tensor's name as it stands in an adapter's file, without the name of the adapter."""
    return _drop_parts(name, {_NAME})


def _name_in_base(name: str) -> str:
    """A tensor's name in the adapter's base model."""
    return _drop_parts(name, {_NAME, _SAVED}).removeprefix(_PREFIX)


def _drop_parts(name: str, parts: Iterable[str]) -> str:
    return ".".join(part for part in name.split(".") if part not in parts)
