"""Loads models and tokenizers from their folders, and refuses models that are loaded incompletely.

Policies, judges and training all load weights here. transformers fills missing tensors with random
numbers and drops unknown ones, and only logs that. Here both are errors:

- no tensor of the loaded model may be missing, nor have another shape than the file's;
- a tensor that the loaded model does not know is an error, unless transformers itself ignores it by
  name, or it may be ignored (`alignment.checkpoints.leftovers`);
- no part of it may hold nothing but zeros (`alignment.checkpoints.blank`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignment.checkpoints.adapters import head_of, merged, placed
from alignment.checkpoints.blank import check_blank
from alignment.checkpoints.documents import read_json
from alignment.checkpoints.folders import Checkpoint
from alignment.checkpoints.leftovers import may_be_left
from alignment.checkpoints.names import some
from alignment.checkpoints.readable import readable
from alignment.checkpoints.tied import check_tied
from alignment.checkpoints.weights import safetensors_of
from alignment.errors import ModelError
from alignment.runtime.hardware import load_quietly, loading

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_TRIAL_TOKENS = 7
"""Tokens that a model reads as a trial, before its end token."""

_CONVERSION = "automatic conversion of the weights"
"""Part of transformers' error for tensors that do not fit together, which names none of them."""

_BITSANDBYTES = "bitsandbytes"
"""`quant_method` in files for 4 and 8 bits; transformers has a key for each."""


@dataclass(frozen=True, slots=True)
class Found:
    """The names of a folder's tensors that did not fit, as a loader reports them."""

    missing: tuple[str, ...]
    misshapen: tuple[str, ...]
    unknown: tuple[str, ...]
    left: tuple[str, ...] = ()
    """Unknown tensors that may be ignored; if others are missing, they may be misnamed ones."""

    def but_for(self, names: Iterable[str]) -> Found:
        """The same without these missing or misshapen tensors, which come from elsewhere."""
        excluded = set(names)
        missing = tuple(name for name in self.missing if name not in excluded)
        misshapen = tuple(name for name in self.misshapen if name not in excluded)
        return Found(missing, misshapen, self.unknown, self.left)


def load_tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    """The tokenizer of a checkpoint: the adapter's own where it has one, with a padding token."""
    from transformers import AutoTokenizer  # noqa: PLC0415

    # An absolute path: transformers may take a relative one for a hub id.
    tokenizer = load_quietly(AutoTokenizer.from_pretrained, checkpoint.tokenizer.absolute())
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def check_whole(checkpoint: Checkpoint, *, judge: bool, fresh: int | None = None) -> None:
    """Check that a checkpoint would be loaded completely, without reading its tensors' values.

    It is built on torch's `meta` device. `judge` and `fresh` as for `load_classifier`; without both
    it is a language model. Raises ModelError.
    """
    if _check_quantized(checkpoint.folder):  # its tensors are computed from others when loaded
        return
    if fresh and checkpoint.adapters:  # training refuses to start a reward model from an adapter
        return
    on_meta = {"device_map": {"": "meta"}}
    if judge or fresh:
        model, mismatches = _load_base_classifier(checkpoint, "auto", fresh, **on_meta)
    else:
        auto_class = _causal_auto_class(checkpoint.folder)
        model, mismatches = _load_base(auto_class, checkpoint, "auto", **on_meta)
    _refuse_all_but_heads(model, checkpoint, mismatches)
    replaced = placed(model, checkpoint.adapters)
    if replaced is not None:
        refuse(checkpoint.outermost, type(model).__name__, mismatches.but_for(replaced))


def load_causal(
    checkpoint: Checkpoint, dtype: str, *, device: str = "cpu", **settings: Any
) -> PreTrainedModel:
    """A checkpoint's language model on a device, its adapters merged in.

    `settings` go to `from_pretrained`; a `device_map` among them decides on the device. Raises
    ModelError where the model cannot be loaded completely.
    """
    auto_class = _causal_auto_class(checkpoint.folder)
    model, mismatches = _load_base(auto_class, checkpoint, dtype, **settings)
    # A quantized model has a `device_map`, and some of them cannot be moved.
    with loading(checkpoint.folder):
        model = model if "device_map" in settings else model.to(device)
    return _finish(model, checkpoint, mismatches)


def load_classifier(
    checkpoint: Checkpoint, dtype: str, *, device: str = "cpu", fresh: int | None = None
) -> PreTrainedModel:
    """A checkpoint's sequence classifier on a device, its adapters merged in.

    An adapter may have a head; it replaces that of the base model. `fresh` is for training: the
    number of outputs of a head that may start with random weights; the body may not. Raises
    ModelError where the model cannot be loaded completely.
    """
    model, mismatches = _load_base_classifier(checkpoint, dtype, fresh)
    with loading(checkpoint.folder):
        model = model.to(device)
    return _finish(model, checkpoint, mismatches, () if fresh else _output_tensors(model))


def _load_base_classifier(
    checkpoint: Checkpoint, dtype: str, fresh: int | None, **settings: Any
) -> tuple[PreTrainedModel, Found]:
    """The full model of a checkpoint as a sequence classifier, and the tensors that do not fit."""
    from transformers import AutoModelForSequenceClassification  # noqa: PLC0415

    outputs = fresh or head_of(checkpoint.adapters)
    if outputs is not None:
        settings |= {"num_labels": outputs}
    model, mismatches = _load_base(
        AutoModelForSequenceClassification, checkpoint, dtype, **settings
    )
    return model, mismatches if fresh is None else mismatches.but_for(_head_tensors(model))


def _causal_auto_class(folder: Path) -> Any:
    """The auto class of transformers that has a language model of this type. Raises ModelError."""
    from transformers import (  # noqa: PLC0415
        MODEL_FOR_CAUSAL_LM_MAPPING,
        AutoConfig,
        AutoModelForCausalLM,
        AutoModelForImageTextToText,
    )

    config = load_quietly(AutoConfig.from_pretrained, folder)
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(
            f"model {folder}: is an encoder and a decoder; a causal language model is required"
        )
    causal = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING
    return AutoModelForCausalLM if causal else AutoModelForImageTextToText


def _load_base(
    auto_class: Any, checkpoint: Checkpoint, dtype: str, **settings: Any
) -> tuple[PreTrainedModel, Found]:
    """The full model of a checkpoint, without adapters, and the tensors that do not fit."""
    _check_quantized(checkpoint.folder)
    model, loading_info = load_quietly(
        partial(_call_loader, auto_class.from_pretrained),
        checkpoint.folder,
        dtype=dtype,
        use_safetensors=checkpoint.safetensors,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # reported in the loading info, and refused here
        return_dict=True,  # whatever the configuration has; it changes no value
        **settings,
    )
    composite = isinstance(_read_config(checkpoint.folder).get("text_config"), dict)
    unread = {
        name
        for name, tensor in (*model.named_parameters(), *model.named_buffers())
        if tensor.is_meta and model.device.type != "meta"
    }
    unexpected = sorted(loading_info["unexpected_keys"])
    ignored = [name for name in unexpected if may_be_left(model, name, composite=composite)]
    mismatches = Found(
        tuple(sorted({*loading_info["missing_keys"], *unread})),
        tuple(sorted(name for name, *_ in loading_info["mismatched_keys"])),
        tuple(name for name in unexpected if name not in ignored),
        tuple(ignored),
    )
    return model, mismatches


def _call_loader(
    load: Callable[..., Any], folder: Path, **settings: Any
) -> tuple[Any, dict[str, Any]]:
    """A model, and the loading info of transformers.

    Raises ModelError where tensors that are stacked to one do not fit together: there, transformers
    names no tensor.
    """
    try:
        with readable(folder) as path:
            model, loading_info = load(path, **settings)
    except RuntimeError as error:
        if _CONVERSION not in str(error):
            raise
        raise ModelError(
            f"model {folder}: its weights hold tensors of which the model makes one (such as the "
            f"matrices of a layer's experts), and some are missing or of a shape that does not fit "
            f"the others'; save the model again with save_pretrained"
        ) from error
    model.name_or_path = model.config.name_or_path = str(folder)  # adapters name their base by it
    return model, loading_info


def _check_quantized(folder: Path) -> bool:
    """Whether a model's weights are quantized. Raises ModelError for an unknown `quant_method`.

    transformers ignores an unknown one, and reads the numbers without their scales.
    """
    from transformers.quantizers.auto import (  # noqa: PLC0415
        AUTO_QUANTIZATION_CONFIG_MAPPING as KINDS,
    )

    config = _read_config(folder).get("quantization_config")
    method = config
    if isinstance(config, dict):
        older = config.get("load_in_4bit") or config.get("load_in_8bit")
        method = _BITSANDBYTES if older else config.get("quant_method")
    known = {_BITSANDBYTES, *KINDS}
    if config is not None and (not isinstance(method, str) or method not in known):
        raise ModelError(
            f"model {folder}: config.json has a quantization_config with quant_method = "
            f"{str(method)[:40]}, which transformers does not support; save it in another format"
        )
    return config is not None


def _read_config(folder: Path) -> dict[str, Any]:
    return read_json(folder / "config.json")


def _head_tensors(model: Any) -> list[str]:
    """The names of a classifier's tensors that are not in its body."""
    prefix = f"{model.base_model_prefix}."
    return [name for name in model.state_dict() if not name.startswith(prefix)]


def _output_tensors(model: Any) -> list[str]:
    """The names of the tensors of a classifier's head that compute its outputs."""
    shapes = {name: tensor.shape for name, tensor in model.named_parameters()}
    outputs = (model.config.num_labels,)
    return [name for name in _head_tensors(model) if shapes.get(name, ())[:1] == outputs]


def _finish(
    model: Any, checkpoint: Checkpoint, mismatches: Found, head: Sequence[str] = ()
) -> PreTrainedModel:
    """The model with its adapters merged in, in evaluation mode.

    `head` names the tensors of a classifier's head. Raises ModelError if the model is incomplete.
    """
    _refuse_all_but_heads(model, checkpoint, mismatches)
    model, replaced = merged(model, checkpoint.adapters)
    refuse(checkpoint.outermost, type(model).__name__, mismatches.but_for(replaced))
    check_blank(checkpoint.outermost, model, head)
    with loading(checkpoint.outermost):
        _run_trial(model.eval())
    return model


def _run_trial(model: Any) -> None:
    """Read a few tokens: a model that cannot compute fails here, where its folder is known."""
    import torch  # noqa: PLC0415

    end = model.config.get_text_config().eos_token_id
    end = end[0] if isinstance(end, list) and end else end
    # The end token is last, because encoder-decoder classifiers are read at it. Several tokens,
    # because some models pool them.
    tokens = [*[0] * _TRIAL_TOKENS, end if isinstance(end, int) else 0]
    with torch.inference_mode():
        model(input_ids=torch.tensor([tokens], device=model.device))


def _refuse_all_but_heads(model: Any, checkpoint: Checkpoint, mismatches: Found) -> None:
    """Refuse an incomplete full model, before its adapters are applied. Raises ModelError.

    A head may be missing if there are adapters, because one of them may have it.
    """
    head = _head_tensors(model) if checkpoint.adapters else []
    refuse(checkpoint.folder, type(model).__name__, mismatches.but_for(head))
    if (
        getattr(model, "hf_quantizer", None) is None
    ):  # quantized matrices are not those of the files
        config = _read_config(checkpoint.folder)
        weights = safetensors_of(checkpoint.folder, config) if checkpoint.safetensors else None
        check_tied(checkpoint.folder, model, weights)


def refuse(folder: Path, kind: str, mismatches: Found) -> None:
    """Raise ModelError if any tensor is missing, misshapen or unknown.

    The message is one line; `kind` is the name of the model's class.
    """
    if not (mismatches.missing or mismatches.misshapen or mismatches.unknown):
        return
    kinds = (
        (mismatches.missing, "missing, which would be random"),
        (mismatches.misshapen, "of another shape"),
        (mismatches.unknown, "unknown, which would be dropped"),
        (mismatches.left if mismatches.missing else (), "beside them for something else"),
    )
    shown = 2 if len([names for names, _ in kinds if names]) == 1 else 1
    parts = [f"{len(names)} {fault} ({some(names, shown)})" for names, fault in kinds if names]
    raise ModelError(
        f"model {folder}: its weights are not those of the {kind} of its config.json: of its "
        f"tensors {'; '.join(parts)}{_prefix_hint(mismatches)}; save the model again with "
        f"save_pretrained"
    )


def _prefix_hint(mismatches: Found) -> str:
    """The likely reason, if unknown and missing tensors have the same names but for a prefix."""
    for longer, shorter, hint in (
        (mismatches.unknown, mismatches.missing, "the names in the file have the prefix"),
        (mismatches.missing, mismatches.unknown, "the names in the file lack the prefix"),
    ):
        names = set(shorter)
        prefixes = Counter(
            name[:at] for name in longer for at in _part_starts(name) if name[at:] in names
        )
        if prefixes:
            prefix, count = prefixes.most_common(1)[0]
            if 2 * count > len(shorter):
                return f"; {hint} {prefix!r}"
    return ""


def _part_starts(name: str) -> Iterable[int]:
    """The positions at which the parts of a dotted name begin, but for the first part."""
    at = name.find(".") + 1
    while at:
        yield at
        at = name.find(".", at) + 1
