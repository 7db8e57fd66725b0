"""Model folders, looked at without torch: what is in them, whether it fits, what its content is.

A checkpoint is a folder in the Hugging Face layout, or a PEFT adapter over one. Everything here
reads `config.json`, the tokenizer and the headers of the weights only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignment.checkpoints.vocabulary import check_vocabulary, tokenizer_files
from alignment.checkpoints.weights import (
    HashFile,
    adapter_weights,
    are_safetensors,
    read_json,
    weights_of,
)
from alignment.errors import ModelError
from alignment.recipes import Pickle, is_hub_id
from alignment.store import content_key

_TOKENIZERS_OWN = "tokenizer_config.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model ready to load: a full model's folder, and the adapters over it, innermost first.

    `identity` is a hash of weights, configuration and tokenizer: two folders with the same content
    are the same model, whatever they are called. `safetensors` says whether the full model's
    weights are; else they are pickles that the profile allows.
    """

    folder: Path
    identity: str
    adapters: tuple[Path, ...] = ()
    safetensors: bool = True

    @property
    def outermost(self) -> Path:
        """The folder that was asked for: the last adapter, or the model itself."""
        return self.adapters[-1] if self.adapters else self.folder

    @property
    def tokenizer(self) -> Path:
        """The folder of the tokenizer: the outermost adapter's own where it has one."""
        own = (path for path in reversed(self.adapters) if (path / _TOKENIZERS_OWN).is_file())
        return next(own, self.folder)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What is required of a model's folder, and what is allowed."""

    judge: bool
    network: bool
    hash_file: HashFile
    outputs: int
    pickles: Mapping[str, Pickle]


def locate(spec: str, *, revision: str | None, network: bool, pin: Pickle | None = None) -> Path:
    """The folder of a local path or a hub id (from the hub's cache; fetched only with `network`).

    `pin` allows pickled weights: they are fetched too, and its revision is taken. Raises ModelError
    when there is none.
    """
    path = Path(spec).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise ModelError(f"model {spec}: is a file; a folder with config.json is required")
    if not is_hub_id(spec):
        raise ModelError(f"model {spec}: no such folder")
    pickles = [] if pin is None else [*pin.sha256, "*.bin.index.json"]
    wanted = revision if pin is None else pin.revision
    return _from_hub(spec, wanted, pickles, network=network)


def _from_hub(spec: str, revision: str | None, pickles: list[str], *, network: bool) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only hub ids pay for it

    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    patterns = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", *pickles]
    try:
        found = snapshot_download(
            spec, revision=revision, local_files_only=not network, allow_patterns=patterns
        )
    except (OSError, ValueError) as error:  # every error of the hub's client is one of these
        at = f" at revision {revision}" if revision else ""
        if network:
            reason = " ".join(str(error).split())[:300]
            raise ModelError(f"model {spec}{at}: not to be had from the hub: {reason}") from error
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
    hash_file: HashFile,
    outputs: int = 0,
    spec: str | None = None,
    pickles: Mapping[str, Pickle] | None = None,
) -> Checkpoint:
    """Check that a folder holds a usable policy or judge, and hash its content.

    `outputs` is how many outputs of a judge are named; 0 requires that it has one. `spec` is what
    the profile calls the model, `pickles` what it allows under such names. Raises ModelError with
    one line: the folder, what was found, what is required.
    """
    terms = _Terms(judge, network, hash_file, outputs, pickles or {})
    return _examine(folder, spec or str(folder), terms, above=())


def _examine(folder: Path, spec: str, terms: _Terms, above: tuple[Path, ...]) -> Checkpoint:
    """`above` are the adapters that led here."""
    if folder.resolve() in above:
        raise ModelError(f"model {folder}: adapter over itself; see base_model_name_or_path")
    pin, hash_file = terms.pickles.get(spec), terms.hash_file
    if (folder / "adapter_config.json").is_file():
        return _examine_adapter(folder, spec, terms, (*above, folder.resolve()))
    config = read_json(folder / "config.json", "a model folder needs config.json")
    _check_kind(folder, config, terms)
    weights = weights_of(folder, spec, pin, hash_file)
    check_vocabulary(folder, config, weights)
    files = [folder / "config.json", *weights, *tokenizer_files(folder)]
    return Checkpoint(folder, _identity(files, hash_file), safetensors=are_safetensors(weights))


def _examine_adapter(folder: Path, spec: str, terms: _Terms, above: tuple[Path, ...]) -> Checkpoint:
    config = read_json(folder / "adapter_config.json", "an adapter needs adapter_config.json")
    weights = adapter_weights(folder, spec, terms.pickles.get(spec), terms.hash_file)
    parent = config.get("base_model_name_or_path")
    if not isinstance(parent, str) or not parent:
        raise ModelError(f"model {folder}: adapter_config.json names no base_model_name_or_path")
    below = locate(
        parent,
        revision=config.get("revision"),
        network=terms.network,
        pin=terms.pickles.get(parent),
    )
    return over(_examine(below, parent, terms, above), folder, terms.hash_file, weights)


def over(
    below: Checkpoint, adapter: Path, hash_file: HashFile, weights: Path | None = None
) -> Checkpoint:
    """The checkpoint that an adapter's folder makes of the one below it.

    `weights` is the adapter's file of weights, safetensors unless told.
    """
    config = read_json(adapter / "adapter_config.json", "an adapter needs adapter_config.json")
    # Where the base lies says nothing of what it is: its identity stands for it.
    settings = {k: v for k, v in config.items() if k != "base_model_name_or_path"}
    own = hash_file(weights or adapter / "adapter_model.safetensors")
    identity = content_key(below.identity, settings, own)
    return Checkpoint(below.folder, identity, (*below.adapters, adapter), below.safetensors)


def _identity(files: list[Path], hash_file: HashFile) -> str:
    return content_key(sorted((path.name, hash_file(path)) for path in files))


def _check_kind(folder: Path, config: dict[str, Any], terms: _Terms) -> None:
    if "auto_map" in config:
        raise ModelError(
            f"model {folder}: needs code of its own (auto_map in config.json); remote code is "
            f"never run, whatever the profile says: convert it to a model that transformers has, "
            f"or serve it and name its `endpoint`"
        )
    stated = config.get("architectures")
    kinds = [str(kind) for kind in stated] if isinstance(stated, list) else []
    wanted = "ForSequenceClassification" if terms.judge else ("ForCausalLM", "LMHeadModel")
    if kinds and not any(kind.endswith(wanted) for kind in kinds):
        required = "a sequence classifier" if terms.judge else "a causal language model"
        raise ModelError(f"model {folder}: is a {kinds[0]}; {required} is required")
    if not config.get("model_type"):
        raise ModelError(f"model {folder}: config.json has no model_type")
    if terms.judge:
        check_outputs(f"model {folder}", _outputs(config), terms.outputs)


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
