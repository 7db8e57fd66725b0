"""Model folders, checked without torch: whether they can be used, and an identity of their content.

A checkpoint is a folder in the Hugging Face layout, or a PEFT adapter over one. The checks read
only `config.json`, the tokenizer and the headers of the weights.

An identity is a hash of exactly what is loaded: every tensor's name, type, shape and bytes, in
whichever file it is (of pickles, which are never opened, the bytes of the files); the values in the
JSON files, not their formatting; chat templates; and the files that the tokenizer's class may read.
Other files of the folder are never read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alignment.checkpoints import code, sizes
from alignment.checkpoints.adapters import check_mergeable, check_task
from alignment.checkpoints.documents import is_there, read_json, shown
from alignment.checkpoints.ids import check_ids
from alignment.checkpoints.instead import file_instead, folder_instead
from alignment.checkpoints.native import has_class
from alignment.checkpoints.tensors import check_tensors, check_types, head_outputs
from alignment.checkpoints.vocabulary import (
    check_no_tokenizer,
    check_vocabulary,
    has_vocabulary,
    tokenizer_of,
)
from alignment.checkpoints.weights import Weights, adapter_weights, weights_of
from alignment.config.location import expand
from alignment.config.recipes import Pickle, is_hub_id
from alignment.errors import AlignmentError, ModelError, quoted
from alignment.store import Hasher, content_key

_GENERATION = "generation_config.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model ready to load: a full model's folder, and the adapters over it, innermost first.

    `identity` is a hash of weights, configuration and tokenizer: two folders with the same content
    are the same model, whatever their names. `body` is the hash without the tokenizer, which an
    adapter may replace; empty where it is not known. `safetensors`: whether the full model's
    weights are safetensors; otherwise they are pickles that the profile allows.
    """

    folder: Path
    identity: str
    adapters: tuple[Path, ...] = ()
    safetensors: bool = True
    body: str = ""

    @property
    def outermost(self) -> Path:
        """The folder that was asked for: the last adapter, or the model itself."""
        return self.adapters[-1] if self.adapters else self.folder

    @property
    def tokenizer(self) -> Path:
        """The folder of the tokenizer: the outermost adapter's own where it has one."""
        with_tokenizer = (path for path in reversed(self.adapters) if has_vocabulary(path))
        return next(with_tokenizer, self.folder)


@dataclass(frozen=True, slots=True)
class _Requirements:
    """What a model's folder must have, and what is allowed."""

    judge: bool
    network: bool
    hasher: Hasher
    outputs: int
    pickles: Mapping[str, Pickle]
    head: int | None = None
    """The number of outputs of a judge's head, if an adapter over this model has the head."""
    over: Path | None = None
    """The adapter that this model is the base of."""


def locate(spec: str, *, revision: str | None, network: bool, pin: Pickle | None = None) -> Path:
    """The folder of a local path or a hub id (from the hub's cache; fetched only with `network`).

    `pin` allows pickled weights: they are fetched too, at the revision of `pin`. Raises ModelError
    when there is no such folder.
    """
    try:
        path = expand(spec)
    except AlignmentError as error:
        raise ModelError(f"model {error}") from None
    if path.is_dir():
        return path
    if path.exists():
        raise ModelError(f"model {spec}: {file_instead(path)}")
    if not is_hub_id(spec):
        url = "://" in spec
        known = "; models are folders or ids of the hub (owner/name)" if url else ""
        raise ModelError(f"model {spec}: no such folder{known}")
    pickles = [] if pin is None else [*pin.sha256, "*.bin.index.json"]
    commit = revision if pin is None else pin.revision
    return _find_snapshot(spec, commit, pickles, network=network)


def _find_snapshot(spec: str, revision: str | None, pickles: list[str], *, network: bool) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only hub ids pay for it

    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    kinds = ("json", "safetensors", "txt", "model", "jinja", "spm")
    patterns = [*(f"*.{kind}" for kind in kinds), *pickles]
    try:
        folder = snapshot_download(
            spec, revision=revision, local_files_only=not network, allow_patterns=patterns
        )
    except (OSError, ValueError) as error:  # every error of the hub's client is one of these
        at = f" at revision {revision}" if revision else ""
        if network:
            reason = " ".join(str(error).split())[:300]
            raise ModelError(
                f"model {spec}{at}: cannot be downloaded from the hub: {reason}"
            ) from error
        raise ModelError(
            f"model {spec}: neither a folder nor in the hub's cache{at}; "
            f"download it first or set `network = true`"
        ) from error
    return Path(folder)


def examine(
    folder: Path,
    *,
    judge: bool,
    network: bool,
    hasher: Hasher,
    outputs: int = 0,
    spec: str | None = None,
    pickles: Mapping[str, Pickle] | None = None,
) -> Checkpoint:
    """Check that a folder holds a usable policy or judge, and hash its content.

    `outputs` is how many outputs the profile needs of a judge; 0 means that it names none, and the
    judge must have exactly one. `spec` is the model's name in the profile, `pickles` the pickled
    weights that the profile allows, by such names. Raises ModelError with one line: the folder,
    what was found, what is required.
    """
    requirements = _Requirements(judge, network, hasher, outputs, pickles or {})
    try:
        return _examine(folder, spec or str(folder), requirements, above=())
    except RecursionError as error:
        raise ModelError(f"model {folder}: too many adapters on top of each other") from error


def _examine(
    folder: Path, spec: str, requirements: _Requirements, above: tuple[Path, ...]
) -> Checkpoint:
    """Examine one folder; `above` are the adapters whose base it is, to notice circles."""
    if folder.resolve() in above:
        raise ModelError(
            f"model {folder}: the adapter names itself as its base; see base_model_name_or_path"
        )
    if is_there(folder / "adapter_config.json"):
        return _examine_adapter(folder, spec, requirements, (*above, folder.resolve()))
    if not is_there(folder / "config.json"):
        raise ModelError(f"model {folder}: {folder_instead(folder)}")
    config = read_json(folder / "config.json")
    _check_kind(folder, config, requirements)
    generation = {} if requirements.judge else _read_generation_config(folder)
    weights = weights_of(folder, config, spec, requirements.pickles.get(spec), requirements.hasher)
    sizes.check_sizes(folder, "config.json", config, weights.tensors)
    outputs = _count_outputs(config) if requirements.judge and requirements.head is None else None
    check_tensors(folder, config, weights.tensors, judge=requirements.judge, outputs=outputs)
    tokenizer = tokenizer_of(folder)
    check_vocabulary(tokenizer, config, weights.embedding_rows, folder)
    check_ids(folder, config, generation, weights.embedding_rows, judge=requirements.judge)
    # Quantized weights may need their metadata to be read; no other weights do.
    metadata = dict(weights.metadata) if config.get("quantization_config") else {}
    body = content_key(config, generation, weights.hashes(requirements.hasher), metadata)
    identity = content_key(body, tokenizer.identity(requirements.hasher))
    return Checkpoint(folder, identity, safetensors=weights.safetensors, body=body)


def _examine_adapter(
    folder: Path, spec: str, requirements: _Requirements, above: tuple[Path, ...]
) -> Checkpoint:
    config = _read_adapter_config(folder)
    check_mergeable(folder, config.get("peft_type"))
    weights = adapter_weights(folder, spec, requirements.pickles.get(spec), requirements.hasher)
    sizes.check_sizes(folder, "adapter_config.json", config, weights.tensors)
    check_types(folder, config, weights.tensors)
    if requirements.judge and requirements.head is None:
        requirements = replace(requirements, head=head_outputs(weights.tensors))
        if requirements.head is not None:
            check_outputs(f"model {folder}", requirements.head, requirements.outputs)
    if requirements.head is None:
        check_task(folder, config.get("task_type"), judge=requirements.judge)
    parent, revision = config.get("base_model_name_or_path"), config.get("revision")
    if not isinstance(parent, str) or not parent:
        raise ModelError(f"model {folder}: adapter_config.json names no base_model_name_or_path")
    if revision is not None and not isinstance(revision, str):
        raise ModelError(
            f"model {folder}: adapter_config.json has revision = {quoted(revision)}; a text "
            f"is required"
        )
    try:
        below = locate(
            parent,
            revision=revision,
            network=requirements.network,
            pin=requirements.pickles.get(parent),
        )
    except (ModelError, OSError, ValueError) as error:
        raise ModelError(
            f"model {folder}: the base that its adapter_config.json names is not there: "
            f"{shown(str(error).removeprefix('model '), 200)}; correct base_model_name_or_path"
        ) from error
    base = _examine(below, parent, replace(requirements, over=folder), above)
    return over(base, folder, requirements.hasher, weights)


def over(
    below: Checkpoint, adapter: Path, hasher: Hasher, weights: Weights | None = None
) -> Checkpoint:
    """The checkpoint of an adapter's folder over the checkpoint of its base (`below`).

    `weights` are the adapter's; by default those of `adapter_model.safetensors`. Raises ModelError.
    """
    config = _read_adapter_config(adapter)
    # The path of the base does not count, only its identity.
    settings = {k: v for k, v in config.items() if k != "base_model_name_or_path"}
    weights = weights or Weights((adapter / "adapter_model.safetensors",))
    body = content_key(below.body or below.identity, settings, weights.hashes(hasher))
    adapters = (*below.adapters, adapter)
    if has_vocabulary(adapter):
        tokenizer = tokenizer_of(adapter).identity(hasher)
    else:
        check_no_tokenizer(adapter)
        tokenizer = below.identity
    identity = content_key(body, tokenizer)
    return Checkpoint(below.folder, identity, adapters, below.safetensors, body)


def _read_adapter_config(folder: Path) -> dict[str, Any]:
    config = read_json(folder / "adapter_config.json")
    code.check_adapter_config(folder, config)
    return config


def _read_generation_config(folder: Path) -> dict[str, Any]:
    """`generation_config.json`, which names the tokens that end an answer; {} without one."""
    if not is_there(folder / _GENERATION):
        return {}
    config = read_json(folder / _GENERATION)
    code.check_config(folder, _GENERATION, config)
    sizes.check_ends(folder, _GENERATION, config)
    return config


def _check_kind(folder: Path, config: dict[str, Any], requirements: _Requirements) -> None:
    model_type = config.get("model_type")
    native = has_class(model_type, judge=requirements.judge) if "auto_map" in config else False
    code.check_config(folder, "config.json", config, native=native)
    sizes.check_dtype(folder, config)
    sizes.check_ends(folder, "config.json", config)
    architectures = config.get("architectures")
    names = [str(name) for name in architectures] if isinstance(architectures, list) else []
    if names and not any(_fits(name, config, requirements) for name in names):
        raise ModelError(_wrong_kind_message(folder, names[0], requirements))
    if not isinstance(model_type, str) or not model_type:
        raise ModelError(f"model {folder}: config.json has no model_type")
    if requirements.judge and requirements.head is None:
        check_outputs(f"model {folder}", _count_outputs(config), requirements.outputs)


def _wrong_kind_message(folder: Path, architecture: str, requirements: _Requirements) -> str:
    required = "a sequence classifier" if requirements.judge else "a causal language model"
    if requirements.over is None:
        return f"model {folder}: is a {shown(architecture)}; {required} is required"
    headless = " under an adapter that brings no head (score.weight)" if requirements.judge else ""
    return (
        f"model {requirements.over}: its base {folder} is a {shown(architecture)}; {required} is "
        f"required{headless}; name another adapter, or correct base_model_name_or_path in "
        f"adapter_config.json"
    )


def _fits(architecture: str, config: dict[str, Any], requirements: _Requirements) -> bool:
    """Whether a class of transformers, by its name, can be loaded as what is required.

    A language model may be the body of a judge whose head is in an adapter. A model that also reads
    images may be a policy: it is given text alone.
    """
    classifier = architecture.endswith("ForSequenceClassification")
    if requirements.judge and requirements.head is None:
        return classifier
    causal = architecture.endswith(("ForCausalLM", "LMHeadModel"))
    if requirements.judge:
        return causal or classifier
    conditional = architecture.endswith("ForConditionalGeneration")
    multimodal = conditional and not config.get("is_encoder_decoder")
    return causal or (multimodal and has_class(config.get("model_type"), judge=False))


def check_outputs(where: str, outputs: int, named: int) -> None:
    """Compare a judge's number of outputs with the number that the profile needs.

    `where` begins the message; `named` is 0 where the profile names no outputs. Raises ModelError.
    """
    if named == 0 and outputs != 1:
        raise ModelError(
            f"{where}: has {outputs} outputs; a reward model with one is required, or "
            f"judge.outputs that name them"
        )
    if named > outputs == 1:
        raise ModelError(
            f"{where}: has one output, judge.outputs and judge.activation need {named}; for a "
            f"softmax over one, which is always 1, activation = 'sigmoid' is meant"
        )
    if named > outputs:
        raise ModelError(f"{where}: has {outputs} outputs; judge.outputs names number {named - 1}")


def _count_outputs(config: dict[str, Any]) -> int:
    """How many outputs a sequence classifier has; the default of transformers is two."""
    labels = config.get("id2label")
    return len(labels) if isinstance(labels, dict) else config.get("num_labels", 2)
