"""PEFT's adapters: applied whole or not at all, and merged without changing what they say.

PEFT drops what it finds no place for and leaves at its beginning what a file does not hold; an
adapter whose names are those of another model is then no adapter, and its answers are the base's.
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
"""What PEFT calls an adapter that nobody named."""
_PREFIX = "base_model.model."
_SAVED = "modules_to_save"

_SAME = {"float32": 1e-3, "float64": 1e-6}
"""How far merging may move logits, as a share of the largest. In less than float32 merging rounds,
and no bound would tell that from a fault."""

_MISSHAPEN = re.compile(
    r"size mismatch for (\S+): copying a param with shape torch\.Size\((.*?)\).*?"
    r"current model is torch\.Size\((.*?)\)",
    re.DOTALL,
)
"""What torch says of the first tensor that does not fit."""

_BESIDE = frozenset(
    {
        *("PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "CPT"),
        *("ADAPTION_PROMPT", "CARTRIDGE", "XLORA", "POLY"),
    }
)
"""Kinds of adapter that work beside the weights, so that nothing of them can be merged."""

_OTHERS = frozenset({"TOKEN_CLS", "QUESTION_ANS", "FEATURE_EXTRACTION"})
_HEADS = _OTHERS | {"SEQ_CLS"}
_GENERATES = frozenset({"CAUSAL_LM", "SEQ_2_SEQ_LM"})
_TEXTS = _OTHERS | _GENERATES
"""Tasks of PEFT that are no language model's, and no sequence classifier's."""


def check_mergeable(adapter: Path, kind: object) -> None:
    """Refuse an adapter of a kind (PEFT's `peft_type`) that no weights can hold."""
    if str(kind) in _BESIDE:
        raise ModelError(
            f"model {adapter}: is a {kind} adapter, which cannot be merged into its base's "
            f"weights; a kind such as LORA is required: serve this one and name its `endpoint`"
        )


def check_task(adapter: Path, task: object, *, judge: bool) -> None:
    """Refuse an adapter that was trained below another kind of head (PEFT's `task_type`).

    Its tensors find their places all the same: bodies are called alike. `judge`: it is to lie below
    a sequence classifier's head that it does not bring. Raises ModelError.
    """
    others = _TEXTS if judge else _HEADS
    if isinstance(task, str) and task in others:
        what, own = ("sequence classifier", "SEQ_CLS") if judge else ("language model", "CAUSAL_LM")
        head = ", or a head of its own (score.weight)" if judge else ""
        raise ModelError(
            f"model {adapter}: adapter_config.json has task_type = {task}, and a {what}'s adapter "
            f"({own}) is required{head}; name another adapter, or correct task_type if it was "
            f"trained on a {what}"
        )


def head_of(adapters: Sequence[Path]) -> int | None:
    """The outputs of the classification head that the outermost of these adapters brings."""
    for adapter in reversed(adapters):
        weights = _weights(adapter)
        shapes = {name: Tensor("", tuple(weight.shape)) for name, weight in weights.items()}
        outputs = head_outputs(shapes)
        if outputs is not None:
            return outputs
    return None


def merged(model: Any, adapters: Sequence[Path]) -> tuple[Any, set[str]]:
    """A model with adapters merged into its weights, innermost first.

    With it the names of the tensors that the adapters have brought whole. Raises ModelError for an
    adapter that was applied in part, or that cannot be merged.
    """
    brought: set[str] = set()
    for adapter in adapters:
        with loading(adapter):
            above, names = _applied(model, adapter)
            brought |= names
            model = _merged(above, adapter)
    return model, brought


def placed(model: Any, adapters: Sequence[Path]) -> set[str] | None:
    """Hold adapters against a model on torch's `meta` device, which has names and no numbers.

    Gives the names of the tensors that they bring whole; None where that cannot be known without
    numbers, and is told where the adapters are loaded. Raises ModelError.
    """
    brought: set[str] = set()
    for adapter in adapters:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                above, names = _applied(model, adapter)
                model = above.merge_and_unload()
        except AlignmentError:
            raise
        except Exception:  # noqa: BLE001 - an adapter may compute anything before it is in its place
            return None
        brought |= names
    return brought


def _applied(model: Any, adapter: Path) -> tuple[Any, set[str]]:
    """The model under its adapter, and the tensors of the model that it replaced."""
    from peft import PeftConfig, PeftModel, get_peft_model_state_dict  # noqa: PLC0415 - 2.5 s
    from peft.utils.save_and_load import set_peft_model_state_dict  # noqa: PLC0415

    weights = _weights(adapter)
    try:
        config = PeftConfig.from_pretrained(str(adapter))
        if config.task_type in _GENERATES and not hasattr(model, "prepare_inputs_for_generation"):
            config.task_type = None  # a classifier's body, whose head another adapter brings
        above = PeftModel.from_pretrained(model, adapter, config=config, torch_device="cpu")
        # Once more, for what `from_pretrained` keeps to itself: what it made of the names.
        told = set_peft_model_state_dict(above, weights, adapter_name=_NAME)
    except KeyError as error:  # a module that is kept whole, and is not in the file
        raise ModelError(
            f"model {adapter}: adapter_model has no tensor {error.args[0]!r}, which "
            f"adapter_config.json asks for; save the adapter again"
        ) from error
    except RuntimeError as error:
        if (found := _MISSHAPEN.search(str(error))) is None:
            raise
        raise ModelError(
            f"model {adapter}: its {_plain(found[1])} is of shape {found[2]}, and by its "
            f"adapter_config.json and its base {found[3]} is required; see r and "
            f"base_model_name_or_path there, or save it again"
        ) from error
    state, left = above.state_dict(), set(told.missing_keys)
    saved = get_peft_model_state_dict(above, state, _NAME, save_embedding_layers=False)
    kept = {id(tensor) for tensor in saved.values()}
    missing = sorted(_plain(name) for name in left if id(state[name]) in kept)
    unknown = sorted(_plain(name) for name in told.unexpected_keys)
    if missing or unknown:
        raise ModelError(_partly(adapter, len(weights), missing, unknown))
    return above, {_below(name) for name in state.keys() - left}


def _partly(adapter: Path, tensors: int, missing: list[str], unknown: list[str]) -> str:
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


def _merged(above: Any, adapter: Path) -> Any:
    """The adapter merged in; held against the same adapter before it was."""
    above.eval()
    share = _SAME.get(str(above.dtype).removeprefix("torch."))
    before = None if share is None else _said(above)
    model = merged_in(above)
    if share is not None:
        _check_same(adapter, before, _said(model), share)
    return model


def merged_in(above: Any) -> Any:
    """The model below an adapter with it in its weights, tied only where it still is."""
    _untie(above)
    model = above.merge_and_unload()
    untie(model)
    return model


def _check_same(adapter: Path, before: Any, after: Any, share: float) -> None:
    """What is not finite is told where it is answered with: nothing can be held against it."""
    largest, off = float(before.abs().max()), float((after - before).abs().max())
    if off > share * largest:
        raise ModelError(
            f"model {adapter}: after merging into the weights of its base, the adapter gives other "
            f"results (logits of up to {largest:.2g} differ by {off:.2g}); merge it with the "
            f"library that it was trained with, and name the full model"
        )


def _said(model: Any) -> Any:
    """The logits for a few short rows of tokens from all over the vocabulary."""
    import torch  # noqa: PLC0415

    size = model.get_input_embeddings().weight.shape[0]
    tokens = [[(7919 * (8 * row + n + 1)) % size for n in range(8)] for row in range(4)]
    with torch.inference_mode():
        told = [model(input_ids=torch.tensor([row], device=model.device)) for row in tokens]
    return torch.stack([each.logits.float() for each in told])


def _untie(above: Any) -> None:
    """Give a layer under an adapter its own weights where another layer shares them.

    Merging writes into them: what was meant for the embeddings would change the output, too.
    """
    from collections import Counter  # noqa: PLC0415

    from peft.tuners.tuners_utils import BaseTunerLayer  # noqa: PLC0415
    from torch.nn import Parameter  # noqa: PLC0415

    owners = Counter(
        id(weight) for module in above.modules() for weight in module.parameters(recurse=False)
    )
    for layer in (module for module in above.modules() if isinstance(module, BaseTunerLayer)):
        base = layer.get_base_layer()
        for name, weight in list(base.named_parameters(recurse=False)):
            if owners[id(weight)] > 1:
                setattr(base, name, Parameter(weight.detach().clone(), requires_grad=False))


def _weights(adapter: Path) -> dict[str, Any]:
    """The tensors of an adapter's file."""
    from peft import load_peft_weights  # noqa: PLC0415

    with loading(adapter):
        return dict(load_peft_weights(str(adapter), device="cpu"))


def _plain(name: str) -> str:
    """A tensor's name as it stands in an adapter's file, without what the adapter is called."""
    return _without(name, {_NAME})


def _below(name: str) -> str:
    """A tensor's name in the model that an adapter lies over."""
    return _without(name, {_NAME, _SAVED}).removeprefix(_PREFIX)


def _without(name: str, parts: Iterable[str]) -> str:
    return ".".join(part for part in name.split(".") if part not in parts)
