"""Model folders, looked at without torch: what is in them, whether it fits, what its content is.

A checkpoint is a folder in the Hugging Face layout, or a PEFT adapter over one. Everything here
reads `config.json`, the tokenizer and the headers of the weights only.

An identity is made of what is loaded and of nothing else: the tensors, by name, type, shape and
bytes, wherever they lie (of pickles, which are never opened, the bytes of the files); what the JSON
files say, not how they are set; templates; and of a tokenizer the files that its class may read.
Whatever else lies in a folder is never read.
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
    are the same model, whatever they are called. `body` is the same without the tokenizer, which an
    adapter may replace; nothing where it is not known apart. `safetensors` says whether the full
    model's weights are; else they are pickles that the profile allows.
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
        own = (path for path in reversed(self.adapters) if has_vocabulary(path))
        return next(own, self.folder)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What is required of a model's folder, and what is allowed."""

    judge: bool
    network: bool
    hasher: Hasher
    outputs: int
    pickles: Mapping[str, Pickle]
    head: int | None = None
    """The outputs of a judge's head that an adapter above brings."""
    over: Path | None = None
    """The adapter that this is the base of."""


def locate(spec: str, *, revision: str | None, network: bool, pin: Pickle | None = None) -> Path:
    """The folder of a local path or a hub id (from the hub's cache; fetched only with `network`).

    `pin` allows pickled weights: they are fetched too, and its revision is taken. Raises ModelError
    when there is none.
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
    wanted = revision if pin is None else pin.revision
    return _from_hub(spec, wanted, pickles, network=network)


def _from_hub(spec: str, revision: str | None, pickles: list[str], *, network: bool) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only hub ids pay for it

    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    kinds = ("json", "safetensors", "txt", "model", "jinja", "spm")
    patterns = [*(f"*.{kind}" for kind in kinds), *pickles]
    try:
        found = snapshot_download(
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
    return Path(found)


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

    `outputs` is how many outputs of a judge are named; 0 requires that it has one. `spec` is what
    the profile calls the model, `pickles` what it allows under such names. Raises ModelError with
    one line: the folder, what was found, what is required.
    """
    terms = _Terms(judge, network, hasher, outputs, pickles or {})
    try:
        return _examine(folder, spec or str(folder), terms, above=())
    except RecursionError as error:
        raise ModelError(f"model {folder}: too many adapters on top of each other") from error


def _examine(folder: Path, spec: str, terms: _Terms, above: tuple[Path, ...]) -> Checkpoint:
    """`above` are the adapters that led here."""
    if folder.resolve() in above:
        raise ModelError(
            f"model {folder}: the adapter names itself as its base; see base_model_name_or_path"
        )
    if is_there(folder / "adapter_config.json"):
        return _examine_adapter(folder, spec, terms, (*above, folder.resolve()))
    if not is_there(folder / "config.json"):
        raise ModelError(f"model {folder}: {folder_instead(folder)}")
    config = read_json(folder / "config.json")
    _check_kind(folder, config, terms)
    answering = {} if terms.judge else _generation(folder)
    weights = weights_of(folder, config, spec, terms.pickles.get(spec), terms.hasher)
    sizes.check_sizes(folder, "config.json", config, weights.tensors)
    outputs = _outputs(config) if terms.judge and terms.head is None else None
    check_tensors(folder, config, weights.tensors, judge=terms.judge, outputs=outputs)
    tokenizer = tokenizer_of(folder)
    check_vocabulary(tokenizer, config, weights.embedding_rows, folder)
    check_ids(folder, config, answering, weights.embedding_rows, judge=terms.judge)
    # A quantization may keep there how its tensors are read; elsewhere nothing reads it.
    told = dict(weights.metadata) if config.get("quantization_config") else {}
    body = content_key(config, answering, weights.hashes(terms.hasher), told)
    identity = content_key(body, tokenizer.identity(terms.hasher))
    return Checkpoint(folder, identity, safetensors=weights.safetensors, body=body)


def _examine_adapter(folder: Path, spec: str, terms: _Terms, above: tuple[Path, ...]) -> Checkpoint:
    config = _adapter_config(folder)
    check_mergeable(folder, config.get("peft_type"))
    weights = adapter_weights(folder, spec, terms.pickles.get(spec), terms.hasher)
    sizes.check_sizes(folder, "adapter_config.json", config, weights.tensors)
    check_types(folder, config, weights.tensors)
    if terms.judge and terms.head is None:
        terms = replace(terms, head=head_outputs(weights.tensors))
        if terms.head is not None:
            check_outputs(f"model {folder}", terms.head, terms.outputs)
    if terms.head is None:
        check_task(folder, config.get("task_type"), judge=terms.judge)
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
            parent, revision=revision, network=terms.network, pin=terms.pickles.get(parent)
        )
    except (ModelError, OSError, ValueError) as error:
        raise ModelError(
            f"model {folder}: the base that its adapter_config.json names is not there: "
            f"{shown(str(error).removeprefix('model '), 200)}; correct base_model_name_or_path"
        ) from error
    base = _examine(below, parent, replace(terms, over=folder), above)
    return over(base, folder, terms.hasher, weights)


def over(
    below: Checkpoint, adapter: Path, hasher: Hasher, weights: Weights | None = None
) -> Checkpoint:
    """The checkpoint that an adapter's folder makes of the one below it.

    `weights` are the adapter's, safetensors unless told.
    """
    config = _adapter_config(adapter)
    # Where the base lies says nothing of what it is: its identity stands for it.
    settings = {k: v for k, v in config.items() if k != "base_model_name_or_path"}
    own = weights or Weights((adapter / "adapter_model.safetensors",))
    body = content_key(below.body or below.identity, settings, own.hashes(hasher))
    adapters = (*below.adapters, adapter)
    if has_vocabulary(adapter):
        tokens = tokenizer_of(adapter).identity(hasher)
    else:
        check_no_tokenizer(adapter)
        tokens = below.identity
    identity = content_key(body, tokens)
    return Checkpoint(below.folder, identity, adapters, below.safetensors, body)


def _adapter_config(folder: Path) -> dict[str, Any]:
    config = read_json(folder / "adapter_config.json")
    code.check_adapter_config(folder, config)
    return config


def _generation(folder: Path) -> dict[str, Any]:
    """What says which tokens end an answer; judges do not read it."""
    if not is_there(folder / _GENERATION):
        return {}
    config = read_json(folder / _GENERATION)
    code.check_config(folder, _GENERATION, config)
    sizes.check_ends(folder, _GENERATION, config)
    return config


def _check_kind(folder: Path, config: dict[str, Any], terms: _Terms) -> None:
    kind = config.get("model_type")
    native = has_class(kind, judge=terms.judge) if "auto_map" in config else False
    code.check_config(folder, "config.json", config, native=native)
    sizes.check_dtype(folder, config)
    sizes.check_ends(folder, "config.json", config)
    stated = config.get("architectures")
    kinds = [str(kind) for kind in stated] if isinstance(stated, list) else []
    if kinds and not any(_fits(kind, config, terms) for kind in kinds):
        raise ModelError(_another_kind(folder, kinds[0], terms))
    if not isinstance(kind, str) or not kind:
        raise ModelError(f"model {folder}: config.json has no model_type")
    if terms.judge and terms.head is None:
        check_outputs(f"model {folder}", _outputs(config), terms.outputs)


def _another_kind(folder: Path, kind: str, terms: _Terms) -> str:
    required = "a sequence classifier" if terms.judge else "a causal language model"
    if terms.over is None:
        return f"model {folder}: is a {shown(kind)}; {required} is required"
    bare = " under an adapter that brings no head (score.weight)" if terms.judge else ""
    return (
        f"model {terms.over}: its base {folder} is a {shown(kind)}; {required} is required{bare}; "
        f"name another adapter, or correct base_model_name_or_path in adapter_config.json"
    )


def _fits(kind: str, config: dict[str, Any], terms: _Terms) -> bool:
    """Whether a class can be loaded as what is required.

    A language model may be a judge's body where an adapter brings the head, and a model that reads
    images too can be asked with text alone.
    """
    if terms.judge and terms.head is None:
        return kind.endswith("ForSequenceClassification")
    language = kind.endswith(("ForCausalLM", "LMHeadModel"))
    if terms.judge:
        return language or kind.endswith("ForSequenceClassification")
    more = kind.endswith("ForConditionalGeneration") and not config.get("is_encoder_decoder")
    return language or (more and has_class(config.get("model_type"), judge=False))


def check_outputs(what: str, there: int, named: int) -> None:
    """Hold a judge's outputs against those that are named (0: none). Raises ModelError."""
    if named == 0 and there != 1:
        raise ModelError(
            f"{what}: has {there} outputs; a reward model with one is required, or judge.outputs "
            f"that name them"
        )
    if named > there == 1:
        raise ModelError(
            f"{what}: has one output, judge.outputs and judge.activation need {named}; for a "
            f"softmax over one, which is always 1, activation = 'sigmoid' is meant"
        )
    if named > there:
        raise ModelError(f"{what}: has {there} outputs; judge.outputs names number {named - 1}")


def _outputs(config: dict[str, Any]) -> int:
    """How many outputs a sequence classifier has; transformers gives it two unless told."""
    labels = config.get("id2label")
    return len(labels) if isinstance(labels, dict) else config.get("num_labels", 2)
