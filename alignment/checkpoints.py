"""Model folders, looked at without torch: what is in them, whether it fits, what its content is.

A checkpoint is a folder in the Hugging Face layout with safetensors weights, or a PEFT adapter over
one. Everything here reads `config.json`, the tokenizer and the headers of the weights only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignment.errors import ModelError
from alignment.store import content_key

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_EMBEDDINGS = ("embed_tokens.weight", "word_embeddings.weight", "wte.weight", "embed_in.weight")
_TOKENIZERS = ("tokenizer.json", "vocab.json", "spm.model", "tokenizer.model", "vocab.txt")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model ready to load: a full model's folder, and the adapters over it, innermost first.

    `identity` is a hash of weights, configuration and tokenizer: two folders with the same content
    are the same model, whatever they are called.
    """

    folder: Path
    identity: str
    adapters: tuple[Path, ...] = ()

    @property
    def outermost(self) -> Path:
        """The folder that was asked for: the last adapter, or the model itself."""
        return self.adapters[-1] if self.adapters else self.folder


def locate(spec: str, *, revision: str | None, network: bool) -> Path:
    """The folder of a local path or a hub id (from the hub's cache; fetched only with `network`).

    Raises ModelError when there is none.
    """
    path = Path(spec).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise ModelError(f"model {spec}: is a file; a folder with config.json is required")
    if spec.startswith((".", "/", "~")) or spec.count("/") != 1:
        raise ModelError(f"model {spec}: no such folder")
    return _from_hub(spec, revision, network=network)


def _from_hub(spec: str, revision: str | None, *, network: bool) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only hub ids pay for it

    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    patterns = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
    try:
        found = snapshot_download(
            spec, revision=revision, local_files_only=not network, allow_patterns=patterns
        )
    except (OSError, ValueError) as error:  # every error of the hub's client is one of these
        if network:
            raise ModelError(f"model {spec}: not to be had from the hub: {error}") from error
        raise ModelError(
            f"model {spec}: neither a folder nor in the hub's cache; "
            f"download it first or set `network = true`"
        ) from error
    return Path(found)


def examine(
    folder: Path,
    *,
    judge: bool,
    network: bool,
    hash_file: Callable[[Path], str],
    outputs: int = 0,
    above: tuple[Path, ...] = (),
) -> Checkpoint:
    """Check that a folder holds a usable policy or judge, and hash its content.

    `outputs` is how many outputs of a judge are named; 0 requires that it has one.
    `above` are the adapters that led here. Raises ModelError with one line: the folder, what was
    found, what is required.
    """
    if folder.resolve() in above:
        raise ModelError(f"model {folder}: adapter over itself; see base_model_name_or_path")
    if (folder / "adapter_config.json").is_file():
        above = (*above, folder.resolve())
        return _examine_adapter(
            folder,
            judge=judge,
            network=network,
            hash_file=hash_file,
            outputs=outputs,
            above=above,
        )
    config = read_json(folder / "config.json", "a model folder needs config.json")
    weights = _weights(folder)
    _check_kind(folder, config, judge=judge, named=outputs)
    _check_vocabulary(folder, config, weights)
    files = [folder / "config.json", *weights, *_present(folder)]
    return Checkpoint(folder, _identity(files, hash_file))


def _examine_adapter(
    folder: Path,
    *,
    judge: bool,
    network: bool,
    hash_file: Callable[[Path], str],
    outputs: int,
    above: tuple[Path, ...],
) -> Checkpoint:
    config = read_json(folder / "adapter_config.json", "an adapter needs adapter_config.json")
    weights = folder / "adapter_model.safetensors"
    if not weights.is_file():
        raise ModelError(f"model {folder}: an adapter without adapter_model.safetensors")
    parent = config.get("base_model_name_or_path")
    if not isinstance(parent, str) or not parent:
        raise ModelError(f"model {folder}: adapter_config.json names no base_model_name_or_path")
    below = examine(
        locate(parent, revision=config.get("revision"), network=network),
        judge=judge,
        network=network,
        hash_file=hash_file,
        outputs=outputs,
        above=above,
    )
    return over(below, folder, hash_file)


def over(below: Checkpoint, adapter: Path, hash_file: Callable[[Path], str]) -> Checkpoint:
    """The checkpoint that an adapter's folder makes of the one below it."""
    config = read_json(adapter / "adapter_config.json", "an adapter needs adapter_config.json")
    # Where the base lies says nothing of what it is: its identity stands for it.
    settings = {k: v for k, v in config.items() if k != "base_model_name_or_path"}
    own = hash_file(adapter / "adapter_model.safetensors")
    identity = content_key(below.identity, settings, own)
    return Checkpoint(below.folder, identity, (*below.adapters, adapter))


def _identity(files: list[Path], hash_file: Callable[[Path], str]) -> str:
    return content_key(sorted((path.name, hash_file(path)) for path in files))


def _present(folder: Path) -> list[Path]:
    """The files that change what a model says although they are not weights."""
    names = (*_TOKENIZERS, "merges.txt", "tokenizer_config.json", "special_tokens_map.json")
    extra = ("generation_config.json", "added_tokens.json")
    return [folder / name for name in (*names, *extra) if (folder / name).is_file()]


def read_json(path: Path, otherwise: str) -> dict[str, Any]:
    """A JSON object from a file of a model; ModelError when there is none."""
    if not path.is_file():
        raise ModelError(f"model {path.parent}: {otherwise}")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"model {path.parent}: {path.name} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"model {path.parent}: {path.name} is not a JSON object")
    return value


def _weights(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        parts = read_json(index, "").get("weight_map")
        if not isinstance(parts, dict) or not parts:
            raise ModelError(f"model {folder}: {index.name} has no weight_map")
        files = sorted({folder / str(name) for name in parts.values()})
        missing = [path.name for path in files if not path.is_file()]
        if missing:
            raise ModelError(f"model {folder}: its index names {missing[0]}, which is not there")
        return files
    files = sorted(folder.glob("*.safetensors"))
    if files:
        return files
    pickles = [path.name for pattern in _PICKLES for path in folder.glob(pattern)]
    if pickles:
        raise ModelError(
            f"model {folder}: weights only as pickle ({pickles[0]}), which can run code when "
            f"loaded; save it with model.save_pretrained(..., safe_serialization=True)"
        )
    raise ModelError(f"model {folder}: no weights; model.safetensors is required")


def _check_kind(folder: Path, config: dict[str, Any], *, judge: bool, named: int) -> None:
    if "auto_map" in config:
        raise ModelError(
            f"model {folder}: needs code of its own (auto_map in config.json); "
            f"remote code is never run"
        )
    stated = config.get("architectures")
    kinds = [str(kind) for kind in stated] if isinstance(stated, list) else []
    wanted = "ForSequenceClassification" if judge else ("ForCausalLM", "LMHeadModel")
    if kinds and not any(kind.endswith(wanted) for kind in kinds):
        required = "a sequence classifier" if judge else "a causal language model"
        raise ModelError(f"model {folder}: is a {kinds[0]}; {required} is required")
    if not config.get("model_type"):
        raise ModelError(f"model {folder}: config.json has no model_type")
    if judge:
        check_outputs(f"model {folder}", _outputs(config), named)


def check_outputs(what: str, there: int, named: int) -> None:
    """Hold a judge's outputs against those that are named (0: none). Raises ModelError."""
    if named == 0 and there != 1:
        raise ModelError(
            f"{what}: has {there} outputs; a reward model with one is required, or judge.outputs "
            f"that name them"
        )
    if named > there:
        raise ModelError(f"{what}: has {there} outputs; judge.outputs names number {named - 1}")


def _outputs(config: dict[str, Any]) -> int:
    """How many outputs a sequence classifier has; transformers gives it two unless told."""
    labels = config.get("id2label")
    return len(labels) if isinstance(labels, dict) else config.get("num_labels", 2)


def _check_vocabulary(folder: Path, config: dict[str, Any], weights: list[Path]) -> None:
    """The tokenizer, the configuration and the embedding matrix must speak of one vocabulary."""
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise ModelError(f"model {folder}: no tokenizer; {' or '.join(_TOKENIZERS)} is required")
    rows = _embedding_rows(folder, weights)
    size = config.get("vocab_size")
    if rows is not None and isinstance(size, int) and rows != size:
        raise ModelError(
            f"model {folder}: vocabulary and weights do not fit: config.json has vocab_size "
            f"{size}, the embedding matrix {rows} rows"
        )
    largest = _largest_token(folder)
    if rows is not None and largest is not None and largest >= rows:
        raise ModelError(
            f"model {folder}: vocabulary and weights do not fit: the tokenizer has token "
            f"{largest}, the embedding matrix {rows} rows"
        )


def _embedding_rows(folder: Path, weights: list[Path]) -> int | None:
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - loads numpy

    for path in weights:
        try:
            with safe_open(path, framework="numpy") as file:
                for name in file.keys():  # noqa: SIM118 - not a mapping
                    if name.endswith(_EMBEDDINGS):
                        return int(file.get_slice(name).get_shape()[0])
        except (SafetensorError, OSError) as error:
            raise ModelError(f"model {folder}: {path.name} is damaged: {error}") from error
    return None


def _largest_token(folder: Path) -> int | None:
    if not (folder / "tokenizer.json").is_file():
        return None
    tokenizer = read_json(folder / "tokenizer.json", "")
    try:
        vocabulary = tokenizer["model"]["vocab"]
        known = vocabulary.values() if isinstance(vocabulary, dict) else range(len(vocabulary))
        added = [token["id"] for token in tokenizer.get("added_tokens") or []]
        return max((int(i) for i in (*known, *added)), default=None)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"model {folder}: tokenizer.json is not a tokenizer's") from error
