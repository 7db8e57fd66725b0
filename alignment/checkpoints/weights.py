"""The weights of a model folder: safetensors, or a pickle that the profile allows by its hash.

Files are looked for under the same names and in the same order as transformers and PEFT do. Nothing
here loads a pickle: pickles are only hashed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alignment.checkpoints.documents import is_there, read_json, shown
from alignment.checkpoints.instead import without_weights
from alignment.checkpoints.tensors import EMBEDDINGS, Tensor
from alignment.config.recipes import Pickle
from alignment.errors import ModelError, quoted
from alignment.store import Hasher

NAMED = "transformers_weights"
"""The key of config.json that names the file of the weights."""
_MODEL = (
    ("model.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
"""(one file, index of several files), in the order of preference of transformers."""
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_NOT_WEIGHTS = frozenset({"training_args.bin", "optimizer.pt", "scheduler.pt", "scaler.pt"})
"""Pickles that the trainer of transformers saves beside the weights."""
_DISTRIBUTED = re.compile(r"^shard-\d{5}-model-\d{5}-of-\d{5}\.safetensors$")


@dataclass(frozen=True, slots=True)
class Weights:
    """The files of a model's weights, and the content of their headers; pickles have none."""

    files: tuple[Path, ...]
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    """The `__metadata__` of the headers."""

    @property
    def safetensors(self) -> bool:
        """Whether all files are safetensors, so that nothing is unpickled."""
        return all(path.suffix == ".safetensors" for path in self.files)

    @property
    def embedding_rows(self) -> int | None:
        """The rows of the embedding matrix; None where no matrix has one of the usual names."""
        rows = (each.shape[0] for name, each in self.tensors.items() if name.endswith(EMBEDDINGS))
        return next(rows, None)

    def hashes(self, hasher: Hasher) -> list[str]:
        """The sorted hashes of all tensors, in whichever files; for pickles, of the files."""
        if not self.safetensors:
            return sorted(map(hasher.file_hash, self.files))
        return sorted(each for path in self.files for each in hasher.tensor_hashes(path))


def weights_of(
    folder: Path, config: dict[str, Any], spec: str, pin: Pickle | None, hasher: Hasher
) -> Weights:
    """The weights that a model loads: safetensors, otherwise pickles that `pin` allows.

    `spec` is the model's name in the profile. Raises ModelError.
    """
    _check_distributed(folder)
    if (weights := safetensors_of(folder, config)) is not None:
        return weights
    pickles = _find_files(folder, *_MODEL[1], ".bin")
    if pickles and pin is not None:
        _check_pins(folder, pickles, spec, pin, hasher)
        return Weights(tuple(pickles))
    raise ModelError(_missing_message(folder, spec, hasher, _MODEL[0][0]))


def safetensors_of(folder: Path, config: Mapping[str, Any]) -> Weights | None:
    """The safetensors that a model loads; None where it has none. Raises ModelError."""
    if config.get(NAMED) is not None:
        return _read_named(folder, config[NAMED])
    files = _find_files(folder, *_MODEL[0], ".safetensors")
    return _read_headers(folder, files) if files else None


def adapter_weights(folder: Path, spec: str, pin: Pickle | None, hasher: Hasher) -> Weights:
    """An adapter's weights, found as `weights_of` finds a model's. Raises ModelError."""
    safetensors, pickle = folder / "adapter_model.safetensors", folder / "adapter_model.bin"
    if is_there(safetensors):
        return _read_headers(folder, [safetensors])
    if is_there(pickle):
        if pin is None:
            raise ModelError(_missing_message(folder, spec, hasher, safetensors.name))
        _check_pins(folder, [pickle], spec, pin, hasher)
        return Weights((pickle,))
    raise ModelError(f"model {folder}: an adapter without adapter_model.safetensors")


def _read_headers(folder: Path, files: Sequence[Path]) -> Weights:
    """The content of the headers of safetensors. Raises ModelError for a damaged file."""
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - loads numpy

    tensors: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    for path in files:
        try:
            with safe_open(path, framework="numpy") as file:
                metadata |= file.metadata() or {}
                for name in file.keys():  # noqa: SIM118 - not a mapping
                    if name in tensors:
                        raise ModelError(
                            f"model {folder}: {shown(name)} is in {shown(path.name)} and in "
                            f"another file of the weights; one of each tensor is required"
                        )
                    part = file.get_slice(name)
                    tensors[name] = Tensor(str(part.get_dtype()), tuple(part.get_shape()))
        except (SafetensorError, OSError) as error:
            reason = shown(str(error), 200)
            raise ModelError(f"model {folder}: {shown(path.name)} is damaged: {reason}") from error
    return Weights(tuple(files), tensors, metadata)


def index_of(folder: Path, config: Mapping[str, Any]) -> Path | None:
    """The index file of a model's weights; None where they are one file."""
    named = config.get(NAMED)
    if named is not None:
        return folder / named if str(named).endswith(".index.json") else None
    for one, index in _MODEL:
        if is_there(folder / one):
            return None
        if is_there(folder / index):
            return folder / index
    return None


def _read_named(folder: Path, name: Any) -> Weights:
    """The weights that config.json names (`transformers_weights`), which must be safetensors."""
    index = ".safetensors.index.json"
    if not isinstance(name, str) or not name.endswith((".safetensors", index)):
        raise ModelError(
            f"model {folder}: config.json names {quoted(name)} as {NAMED}; safetensors or their "
            f"index are required"
        )
    _check_place(folder, name, "config.json")
    files = _read_index(folder, name, ".safetensors") if name.endswith(index) else [folder / name]
    if not files or not is_there(files[0]):
        raise ModelError(f"model {folder}: config.json names {shown(name)}, which is not there")
    return _read_headers(folder, files)


def _find_files(folder: Path, one: str, index: str, suffix: str) -> list[Path]:
    return [folder / one] if is_there(folder / one) else _read_index(folder, index, suffix)


def _read_index(folder: Path, index: str, suffix: str) -> list[Path]:
    """The files that an index names; none where there is no index. Raises ModelError."""
    if not is_there(folder / index):
        return []
    weight_map = read_json(folder / index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelError(f"model {folder}: {index} has no weight_map")
    for name in weight_map.values():
        if not isinstance(name, str) or not name.endswith(suffix):
            raise ModelError(
                f"model {folder}: {index} names {quoted(name)}; only files that end in {suffix} "
                f"are loaded by it"
            )
        _check_place(folder, name, index)
    files = sorted({folder / name for name in weight_map.values()})
    missing = [path.name for path in files if not is_there(path)]
    if missing:
        raise ModelError(
            f"model {folder}: its index names {shown(missing[0])}, which is not there"
            + (f" ({len(missing)} of {len(files)} files are missing)" if len(missing) > 1 else "")
        )
    return files


def _check_place(folder: Path, name: str, where: str) -> None:
    if Path(name).name != name or "\0" in name:
        raise ModelError(
            f"model {folder}: {where} names {quoted(name)}; only files of the folder itself are "
            f"loaded"
        )


def _check_distributed(folder: Path) -> None:
    """Refuse shards of a distributed checkpoint, of which transformers would load every one."""
    parts = [path.name for path in folder.iterdir() if _DISTRIBUTED.match(path.name)]
    if parts:
        raise ModelError(
            f"model {folder}: {min(parts)} is part of a distributed checkpoint, the share of one "
            f"process; save the whole model with model.save_pretrained"
        )


def _check_pins(folder: Path, files: list[Path], spec: str, pin: Pickle, hasher: Hasher) -> None:
    """Refuse pickles whose SHA-256 is not that of the profile. Raises ModelError."""
    for path in files:
        actual, allowed = hasher.file_hash(path), pin.sha256.get(path.name)
        if allowed is None:
            raise ModelError(
                f'model {folder}: pickles."{spec}".sha256 does not name {path.name}, whose '
                f"SHA-256 is {actual}"
            )
        if actual != allowed:
            raise ModelError(
                f"model {folder}: {path.name} has SHA-256 {actual}, and the profile allows "
                f'{allowed} (pickles."{spec}".sha256); fetch the file again, or allow this one if '
                f"you trust it"
            )


def _missing_message(folder: Path, spec: str, hasher: Hasher, required: str) -> str:
    paths = sorted(path for pattern in _PICKLES for path in folder.glob(pattern))
    pickles = [path for path in paths if path.name not in _NOT_WEIGHTS and is_there(path)]
    if not pickles:
        hub = f'; a pickle is only fetched if pickles."{spec}" in the profile allows it'
        hint = without_weights(folder) + (hub if _is_snapshot(folder) else "")
        return f"model {folder}: no weights; {required} is required{hint}"
    first = pickles[0]
    revision = f'revision = "{folder.name}", ' if _is_snapshot(folder) else ""
    return (
        f"model {folder}: weights only as pickle ({first.name}), which can run code when loaded; "
        f"save safetensors (model.save_pretrained), or allow this very file in the profile: "
        f'pickles."{spec}" = {{ {revision}sha256 = {{ "{first.name}" = '
        f'"{hasher.file_hash(first)}" }} }}'
    )


def _is_snapshot(folder: Path) -> bool:
    """Whether a folder is a repository at one commit in the hub's cache."""
    return folder.parent.name == "snapshots"
