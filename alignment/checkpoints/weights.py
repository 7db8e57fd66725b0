"""The weights of a model folder: safetensors, or a pickle that the profile allows by its hash.

Nothing here loads a pickle: one is only ever hashed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alignment.errors import ModelError
from alignment.recipes import Pickle

HashFile = Callable[[Path], str]

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_NOT_WEIGHTS = frozenset({"training_args.bin", "optimizer.pt", "scheduler.pt", "scaler.pt"})
"""What transformers' trainer leaves beside the weights."""
_EMBEDDINGS = ("embed_tokens.weight", "word_embeddings.weight", "wte.weight", "embed_in.weight")


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


def weights_of(folder: Path, spec: str, pin: Pickle | None, hash_file: HashFile) -> list[Path]:
    """The files that hold a model's weights: safetensors, else pickles that `pin` allows.

    `spec` is what the profile calls the model. Raises ModelError.
    """
    safe = _listed(folder, "model.safetensors.index.json", "*.safetensors")
    if safe:
        return safe
    pickled = _listed(folder, "pytorch_model.bin.index.json", "pytorch_model*.bin")
    if pickled and pin is not None:
        return _allowed(folder, pickled, spec, pin, hash_file)
    raise ModelError(_none(folder, spec, hash_file, "model.safetensors"))


def adapter_weights(folder: Path, spec: str, pin: Pickle | None, hash_file: HashFile) -> Path:
    """The file that holds an adapter's weights, as `weights_of` finds a model's."""
    safe, pickled = folder / "adapter_model.safetensors", folder / "adapter_model.bin"
    if safe.is_file():
        return safe
    if pickled.is_file():
        if pin is None:
            raise ModelError(_none(folder, spec, hash_file, safe.name))
        return _allowed(folder, [pickled], spec, pin, hash_file)[0]
    raise ModelError(f"model {folder}: an adapter without adapter_model.safetensors")


def are_safetensors(files: list[Path]) -> bool:
    """Whether weights can be loaded without unpickling anything."""
    return all(path.suffix == ".safetensors" for path in files)


def embedding_rows(folder: Path, weights: list[Path]) -> int | None:
    """How many tokens a model's embedding matrix has, by the headers of safetensors.

    None where no matrix has a name that is known. Pickles are not looked into. Raises ModelError.
    """
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - loads numpy

    for path in weights if are_safetensors(weights) else []:
        try:
            with safe_open(path, framework="numpy") as file:
                for name in file.keys():  # noqa: SIM118 - not a mapping
                    if name.endswith(_EMBEDDINGS):
                        return int(file.get_slice(name).get_shape()[0])
        except (SafetensorError, OSError) as error:
            raise ModelError(f"model {folder}: {path.name} is damaged: {error}") from error
    return None


def _listed(folder: Path, index: str, names: str) -> list[Path]:
    """The files that an index names, else those in the folder."""
    if not (folder / index).is_file():
        return sorted(folder.glob(names))
    parts = read_json(folder / index, "").get("weight_map")
    if not isinstance(parts, dict) or not parts:
        raise ModelError(f"model {folder}: {index} has no weight_map")
    files = sorted({folder / str(name) for name in parts.values()})
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise ModelError(f"model {folder}: its index names {missing[0]}, which is not there")
    return files


def _allowed(
    folder: Path, files: list[Path], spec: str, pin: Pickle, hash_file: HashFile
) -> list[Path]:
    """These pickles, each of which must be the one that the profile names."""
    for path in files:
        found, wanted = hash_file(path), pin.sha256.get(path.name)
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


def _none(folder: Path, spec: str, hash_file: HashFile, required: str) -> str:
    found = sorted(path for pattern in _PICKLES for path in folder.glob(pattern))
    pickles = [path for path in found if path.name not in _NOT_WEIGHTS]
    if not pickles:
        hub = f'; a pickle is only fetched if pickles."{spec}" in the profile allows it'
        asked = hub if _is_snapshot(folder) else ""
        return f"model {folder}: no weights; {required} is required{asked}"
    first = pickles[0]
    revision = f'revision = "{folder.name}", ' if _is_snapshot(folder) else ""
    return (
        f"model {folder}: weights only as pickle ({first.name}), which can run code when loaded; "
        f"save it with model.save_pretrained(..., safe_serialization=True), or allow this very "
        f'file in the profile: pickles."{spec}" = {{ {revision}sha256 = {{ "{first.name}" = '
        f'"{hash_file(first)}" }} }}'
    )


def _is_snapshot(folder: Path) -> bool:
    """Whether a folder is the hub's cache of a repository at one commit."""
    return folder.parent.name == "snapshots"
