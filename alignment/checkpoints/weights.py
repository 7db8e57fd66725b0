"""The weights of a model folder: safetensors, or a pickle that the profile allows by its hash.

What is named here is what transformers and PEFT load, in the order in which they look for it.
Nothing here loads a pickle: one is only ever hashed.
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
"""One file, else the index of several: what transformers loads of a folder that has both."""
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_NOT_WEIGHTS = frozenset({"training_args.bin", "optimizer.pt", "scheduler.pt", "scaler.pt"})
"""What transformers' trainer leaves beside the weights."""
_DISTRIBUTED = re.compile(r"^shard-\d{5}-model-\d{5}-of-\d{5}\.safetensors$")


@dataclass(frozen=True, slots=True)
class Weights:
    """The files of a model's weights, and what their headers say; nothing of pickles."""

    files: tuple[Path, ...]
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    """What the headers say apart from their tensors."""

    @property
    def safetensors(self) -> bool:
        """Whether they can be loaded without unpickling anything."""
        return all(path.suffix == ".safetensors" for path in self.files)

    @property
    def embedding_rows(self) -> int | None:
        """How many tokens the embedding matrix has; None where no matrix has a name we know."""
        found = (each.shape[0] for name, each in self.tensors.items() if name.endswith(EMBEDDINGS))
        return next(found, None)

    def hashes(self, hasher: Hasher) -> list[str]:
        """Those of the tensors, in whatever files they lie; of pickles, those of the files."""
        if not self.safetensors:
            return sorted(map(hasher.file_hash, self.files))
        return sorted(each for path in self.files for each in hasher.tensor_hashes(path))


def weights_of(
    folder: Path, config: dict[str, Any], spec: str, pin: Pickle | None, hasher: Hasher
) -> Weights:
    """The weights that a model loads: safetensors, else pickles that `pin` allows.

    `spec` is what the profile calls the model. Raises ModelError.
    """
    _check_distributed(folder)
    if (safe := safetensors_of(folder, config)) is not None:
        return safe
    found = _found(folder, *_MODEL[1], ".bin")
    if found and pin is not None:
        return Weights(tuple(_allowed(folder, found, spec, pin, hasher)))
    raise ModelError(_none(folder, spec, hasher, _MODEL[0][0]))


def safetensors_of(folder: Path, config: Mapping[str, Any]) -> Weights | None:
    """The safetensors that a model loads; None where it has none. Raises ModelError."""
    if config.get(NAMED) is not None:
        return _named(folder, config[NAMED])
    found = _found(folder, *_MODEL[0], ".safetensors")
    return _read(folder, found) if found else None


def adapter_weights(folder: Path, spec: str, pin: Pickle | None, hasher: Hasher) -> Weights:
    """The file that holds an adapter's weights, as `weights_of` finds a model's."""
    safe, pickled = folder / "adapter_model.safetensors", folder / "adapter_model.bin"
    if is_there(safe):
        return _read(folder, [safe])
    if is_there(pickled):
        if pin is None:
            raise ModelError(_none(folder, spec, hasher, safe.name))
        return Weights(tuple(_allowed(folder, [pickled], spec, pin, hasher)))
    raise ModelError(f"model {folder}: an adapter without adapter_model.safetensors")


def _read(folder: Path, files: Sequence[Path]) -> Weights:
    """What the headers of safetensors say. Raises ModelError for a damaged one."""
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
    """The index by which a model's weights are found; None where they are one file."""
    named = config.get(NAMED)
    if named is not None:
        return folder / named if str(named).endswith(".index.json") else None
    for one, index in _MODEL:
        if is_there(folder / one):
            return None
        if is_there(folder / index):
            return folder / index
    return None


def _named(folder: Path, name: Any) -> Weights:
    """The file that config.json names; what is no safetensors is not looked for there."""
    index = ".safetensors.index.json"
    if not isinstance(name, str) or not name.endswith((".safetensors", index)):
        raise ModelError(
            f"model {folder}: config.json names {quoted(name)} as {NAMED}; safetensors or their "
            f"index are required"
        )
    _check_place(folder, name, "config.json")
    files = _indexed(folder, name, ".safetensors") if name.endswith(index) else [folder / name]
    if not files or not is_there(files[0]):
        raise ModelError(f"model {folder}: config.json names {shown(name)}, which is not there")
    return _read(folder, files)


def _found(folder: Path, one: str, index: str, suffix: str) -> list[Path]:
    return [folder / one] if is_there(folder / one) else _indexed(folder, index, suffix)


def _indexed(folder: Path, index: str, suffix: str) -> list[Path]:
    """The files that an index names; none where there is no index."""
    if not is_there(folder / index):
        return []
    parts = read_json(folder / index).get("weight_map")
    if not isinstance(parts, dict) or not parts:
        raise ModelError(f"model {folder}: {index} has no weight_map")
    for name in parts.values():
        if not isinstance(name, str) or not name.endswith(suffix):
            raise ModelError(
                f"model {folder}: {index} names {quoted(name)}; only files that end in {suffix} "
                f"are loaded by it"
            )
        _check_place(folder, name, index)
    files = sorted({folder / name for name in parts.values()})
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
    """A loader would take every safetensors of the folder, by another way than from others."""
    parts = [path.name for path in folder.iterdir() if _DISTRIBUTED.match(path.name)]
    if parts:
        raise ModelError(
            f"model {folder}: {min(parts)} is part of a distributed checkpoint, the share of one "
            f"process; save the whole model with model.save_pretrained"
        )


def _allowed(folder: Path, files: list[Path], spec: str, pin: Pickle, hasher: Hasher) -> list[Path]:
    """These pickles, each of which must be the one that the profile names."""
    for path in files:
        found, wanted = hasher.file_hash(path), pin.sha256.get(path.name)
        if wanted is None:
            raise ModelError(
                f'model {folder}: pickles."{spec}".sha256 does not name {path.name}, whose '
                f"SHA-256 is {found}"
            )
        if found != wanted:
            raise ModelError(
                f"model {folder}: {path.name} has SHA-256 {found}, and the profile allows "
                f'{wanted} (pickles."{spec}".sha256); fetch the file again, or allow this one if '
                f"you trust it"
            )
    return files


def _none(folder: Path, spec: str, hasher: Hasher, required: str) -> str:
    found = sorted(path for pattern in _PICKLES for path in folder.glob(pattern))
    pickles = [path for path in found if path.name not in _NOT_WEIGHTS and is_there(path)]
    if not pickles:
        hub = f'; a pickle is only fetched if pickles."{spec}" in the profile allows it'
        asked = hub if _is_snapshot(folder) else ""
        return f"model {folder}: no weights; {required} is required{without_weights(folder)}{asked}"
    first = pickles[0]
    revision = f'revision = "{folder.name}", ' if _is_snapshot(folder) else ""
    return (
        f"model {folder}: weights only as pickle ({first.name}), which can run code when loaded; "
        f"save safetensors (model.save_pretrained), or allow this very file in the profile: "
        f'pickles."{spec}" = {{ {revision}sha256 = {{ "{first.name}" = '
        f'"{hasher.file_hash(first)}" }} }}'
    )


def _is_snapshot(folder: Path) -> bool:
    """Whether a folder is the hub's cache of a repository at one commit."""
    return folder.parent.name == "snapshots"
