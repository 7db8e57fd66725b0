"""Models and tokenizers loaded from their folders, and whether what was loaded is all of it.

The one way to weights for policies, judges and training. A loader fills what a file lacks with
random numbers and drops what it does not know; both are said there in a log. Here they are errors:

- no tensor of the loaded model may be missing, nor have another shape than the file's;
- a tensor that the loaded model does not know is an error, unless transformers itself ignores it by
  name, or it may be left (`alignment.checkpoints.leftovers`);
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

_FEW = 7
"""Tokens that a model reads on trial, before its end token."""

_CONVERSION = "automatic conversion of the weights"
"""In what transformers says where tensors do not fit together, and not which."""

_BOTH = "bitsandbytes"
"""What files say for both of its widths, which transformers knows under a name each."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a loader says of the tensors of a folder."""

    missing: tuple[str, ...]
    misshapen: tuple[str, ...]
    unknown: tuple[str, ...]
    left: tuple[str, ...] = ()
    """Those that may be left; where others are missing, they may be what was meant."""

    def but_for(self, names: Iterable[str]) -> Found:
        """The same without these missing or misshapen tensors, which something else brings."""
        brought = set(names)
        missing = tuple(name for name in self.missing if name not in brought)
        misshapen = tuple(name for name in self.misshapen if name not in brought)
        return Found(missing, misshapen, self.unknown, self.left)


def load_tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    """The tokenizer of a checkpoint: the adapter's own where it has one, with a padding token."""
    from transformers import AutoTokenizer  # noqa: PLC0415

    # By its whole path: transformers takes a relative one for a hub id, some of which it corrects.
    tokenizer = load_quietly(AutoTokenizer.from_pretrained, checkpoint.tokenizer.absolute())
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def check_whole(checkpoint: Checkpoint, *, judge: bool, fresh: int | None = None) -> None:
    """Find out whether a checkpoint would be loaded whole, without reading its numbers.

    `judge` and `fresh` say as what, as for `load_classifier`. Raises ModelError.
    """
    if _check_quantized(checkpoint.folder):  # its tensors are made of others as they are read
        return
    if fresh and checkpoint.adapters:  # no reward model starts there, and training says so
        return
    nowhere = {"device_map": {"": "meta"}}
    if judge or fresh:
        model, found = _classifier(checkpoint, "auto", fresh, **nowhere)
    else:
        kind = _language_model(checkpoint.folder)
        model, found = _from(kind, checkpoint, "auto", **nowhere)
    _refuse_all_but_heads(model, checkpoint, found)
    brought = placed(model, checkpoint.adapters)
    if brought is not None:
        refuse(checkpoint.outermost, type(model).__name__, found.but_for(brought))


def load_causal(
    checkpoint: Checkpoint, dtype: str, *, device: str = "cpu", **settings: Any
) -> PreTrainedModel:
    """A checkpoint's language model on a device, its adapters merged in.

    `settings` go to `from_pretrained`; with a `device_map` the model lies where that says. Raises
    ModelError where it cannot be loaded, or not whole.
    """
    model, found = _from(_language_model(checkpoint.folder), checkpoint, dtype, **settings)
    # What is quantized was put there, and some of it refuses to be moved.
    with loading(checkpoint.folder):
        model = model if "device_map" in settings else model.to(device)
    return _whole(model, checkpoint, found)


def load_classifier(
    checkpoint: Checkpoint, dtype: str, *, device: str = "cpu", fresh: int | None = None
) -> PreTrainedModel:
    """A checkpoint's sequence classifier on a device, its adapters merged in.

    Its head may come from an adapter, whose outputs then count, over a model that has none or
    another. `fresh` is for training: the outputs of a head that may begin at random, and nothing
    but the head. Raises ModelError where it cannot be loaded, or not whole.
    """
    model, found = _classifier(checkpoint, dtype, fresh)
    with loading(checkpoint.folder):
        model = model.to(device)
    return _whole(model, checkpoint, found, () if fresh else _outputs(model))


def _classifier(
    checkpoint: Checkpoint, dtype: str, fresh: int | None, **settings: Any
) -> tuple[PreTrainedModel, Found]:
    """The sequence classifier that a full model's folder makes, and what its loader says of it."""
    from transformers import AutoModelForSequenceClassification  # noqa: PLC0415

    outputs = fresh or head_of(checkpoint.adapters)
    more = settings if outputs is None else settings | {"num_labels": outputs}
    model, found = _from(AutoModelForSequenceClassification, checkpoint, dtype, **more)
    return model, found if fresh is None else found.but_for(_head(model))


def _language_model(folder: Path) -> Any:
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


def _from(
    kind: Any, checkpoint: Checkpoint, dtype: str, **settings: Any
) -> tuple[PreTrainedModel, Found]:
    """The full model of a checkpoint, and what its loader says of it."""
    _check_quantized(checkpoint.folder)
    model, told = load_quietly(
        partial(_read, kind.from_pretrained),
        checkpoint.folder,
        dtype=dtype,
        use_safetensors=checkpoint.safetensors,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # told as the rest is, and refused here
        return_dict=True,  # what a configuration says of it changes no number
        **settings,
    )
    composite = isinstance(_config(checkpoint.folder).get("text_config"), dict)
    unread = {
        name
        for name, tensor in (*model.named_parameters(), *model.named_buffers())
        if tensor.is_meta and model.device.type != "meta"
    }
    beyond = sorted(told["unexpected_keys"])
    left = [name for name in beyond if may_be_left(model, name, composite=composite)]
    found = Found(
        tuple(sorted({*told["missing_keys"], *unread})),
        tuple(sorted(name for name, *_ in told["mismatched_keys"])),
        tuple(name for name in beyond if name not in left),
        tuple(left),
    )
    return model, found


def _read(load: Callable[..., Any], folder: Path, **settings: Any) -> tuple[Any, dict[str, Any]]:
    """A model, and what its loader says of it.

    Raises ModelError where several tensors were to make one, of which a loader tells no names.
    """
    try:
        with readable(folder) as found:
            model, told = load(found, **settings)
    except RuntimeError as error:
        if _CONVERSION not in str(error):
            raise
        raise ModelError(
            f"model {folder}: its weights hold tensors of which the model makes one (such as the "
            f"matrices of a layer's experts), and some are missing or of a shape that does not fit "
            f"the others'; save the model again with save_pretrained"
        ) from error
    model.name_or_path = model.config.name_or_path = str(folder)  # adapters name their base by it
    return model, told


def _check_quantized(folder: Path) -> bool:
    """Whether a model's weights are quantized. Raises ModelError for a way nobody here knows.

    Transformers passes over such a way, and reads numbers without their scales.
    """
    from transformers.quantizers.auto import (  # noqa: PLC0415
        AUTO_QUANTIZATION_CONFIG_MAPPING as KINDS,
    )

    stated = _config(folder).get("quantization_config")
    method = stated
    if isinstance(stated, dict):
        older = stated.get("load_in_4bit") or stated.get("load_in_8bit")
        method = _BOTH if older else stated.get("quant_method")
    if stated is not None and (not isinstance(method, str) or method not in {_BOTH, *KINDS}):
        raise ModelError(
            f"model {folder}: config.json has a quantization_config with quant_method = "
            f"{str(method)[:40]}, which transformers does not support; save it in another format"
        )
    return stated is not None


def _config(folder: Path) -> dict[str, Any]:
    return read_json(folder / "config.json")


def _head(model: Any) -> list[str]:
    """The tensors of a classifier that are not its body's."""
    prefix = f"{model.base_model_prefix}."
    return [name for name in model.state_dict() if not name.startswith(prefix)]


def _outputs(model: Any) -> list[str]:
    """The tensors of a classifier's head that its outputs come from."""
    shapes = {name: tensor.shape for name, tensor in model.named_parameters()}
    return [name for name in _head(model) if shapes.get(name, ())[:1] == (model.config.num_labels,)]


def _whole(
    model: Any, checkpoint: Checkpoint, found: Found, head: Sequence[str] = ()
) -> PreTrainedModel:
    """The model with its adapters merged in, ready to read. Raises ModelError if it lacks any."""
    _refuse_all_but_heads(model, checkpoint, found)
    model, brought = merged(model, checkpoint.adapters)
    refuse(checkpoint.outermost, type(model).__name__, found.but_for(brought))
    check_blank(checkpoint.outermost, model, head)
    with loading(checkpoint.outermost):
        _try(model.eval())
    return model


def _try(model: Any) -> None:
    """Read a few tokens, so that what a model's files make impossible is told of its folder."""
    import torch  # noqa: PLC0415

    end = model.config.get_text_config().eos_token_id
    end = end[0] if isinstance(end, list) and end else end
    # The end token last: encoders with decoders are read at it. A few: some models pool them.
    tokens = [*[0] * _FEW, end if isinstance(end, int) else 0]
    with torch.inference_mode():
        model(input_ids=torch.tensor([tokens], device=model.device))


def _refuse_all_but_heads(model: Any, checkpoint: Checkpoint, found: Found) -> None:
    """What an adapter may bring is left to it; all else is refused before one is looked at."""
    owed = _head(model) if checkpoint.adapters else []
    refuse(checkpoint.folder, type(model).__name__, found.but_for(owed))
    if getattr(model, "hf_quantizer", None) is None:  # else matrices are made of others, one by one
        config = _config(checkpoint.folder)
        safe = safetensors_of(checkpoint.folder, config) if checkpoint.safetensors else None
        check_tied(checkpoint.folder, model, safe)


def refuse(folder: Path, kind: str, found: Found) -> None:
    """Say in one line what is missing and what is unknown. Raises ModelError if anything is."""
    if not (found.missing or found.misshapen or found.unknown):
        return
    kinds = (
        (found.missing, "missing, which would be random"),
        (found.misshapen, "of another shape"),
        (found.unknown, "unknown, which would be dropped"),
        (found.left if found.missing else (), "beside them for something else"),
    )
    most = 2 if len([names for names, _ in kinds if names]) == 1 else 1
    told = [f"{len(names)} {what} ({some(names, most)})" for names, what in kinds if names]
    raise ModelError(
        f"model {folder}: its weights are not those of the {kind} of its config.json: of its "
        f"tensors {'; '.join(told)}{_prefix(found)}; save the model again with save_pretrained"
    )


def _prefix(found: Found) -> str:
    """The likely reason where what is unknown is called as what is missing, but for a prefix."""
    for more, less, says in (
        (found.unknown, found.missing, "the names in the file have the prefix"),
        (found.missing, found.unknown, "the names in the file lack the prefix"),
    ):
        whole = set(less)
        cuts = ((name, name.find(".") + 1) for name in more)
        prefixes = Counter(
            name[:at] for name, first in cuts for at in _dots(name, first) if name[at:] in whole
        )
        if prefixes:
            prefix, count = prefixes.most_common(1)[0]
            if 2 * count > len(less):
                return f"; {says} {prefix!r}"
    return ""


def _dots(name: str, first: int) -> Iterable[int]:
    """Where the parts of a name after the first begin."""
    at = first
    while at:
        yield at
        at = name.find(".", at) + 1
