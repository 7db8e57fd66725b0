"""Explains a path that is not a model's folder: what it is, and what to name instead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_FILES = {
    ".gguf": "a GGUF file; serve it (llama.cpp, Ollama) and name its `endpoint`, or convert it to "
    "safetensors",
    ".safetensors": "the weights alone; name the folder that has config.json beside them",
    ".bin": "a pickle; name the folder that has config.json beside it",
    ".pt": "a pickle; name the folder that has config.json beside it",
    ".pth": "a pickle; name the folder that has config.json beside it",
    ".ckpt": "a pickle; name the folder that has config.json beside it",
    ".parquet": "a table (Parquet); recorded answers of a model go under `recorded`, as JSON lines",
    ".arrow": "a data set (Arrow); recorded answers of a model go under `recorded`, as JSON lines",
    ".eval": "a log of Inspect; recorded answers of a model go under `recorded`, as JSON lines",
    ".csv": "a table (CSV); recorded answers of a model go under `recorded`, as JSON lines",
    ".tsv": "a table (TSV); recorded answers of a model go under `recorded`, as JSON lines",
    ".jsonl": "JSON lines; recorded answers of a model go under `recorded`",
    ".json": "a JSON file; name the folder that it lies in",
    ".onnx": "a model for ONNX; the format of transformers is required",
    ".h5": "weights of TensorFlow; load them where they come from and save safetensors",
    ".msgpack": "weights of Flax; load them where they come from and save safetensors",
    ".zip": "an archive; unpack it and name the folder",
    ".tar": "an archive; unpack it and name the folder",
    ".gz": "an archive; unpack it and name the folder",
    ".tgz": "an archive; unpack it and name the folder",
    ".zst": "an archive; unpack it and name the folder",
}
"""Suffix -> what a file is, and what to do with it."""
_WEIGHTS = (
    ("*.gguf", _FILES[".gguf"].replace("a GGUF file", "GGUF")),
    ("tf_model.h5", _FILES[".h5"]),
    ("flax_model.msgpack", _FILES[".msgpack"]),
    ("*.onnx", _FILES[".onnx"]),
    (
        "consolidated.*",
        "weights in the original format of the model's authors; convert them to transformers'",
    ),
    ("*.distcp", "the parts of a distributed checkpoint; merge them (accelerate merge-weights)"),
    (
        "pytorch_model_fsdp*",
        "the parts of a distributed checkpoint; merge them (accelerate merge-weights)",
    ),
    ("global_step*", "the parts of a distributed checkpoint; merge them (zero_to_fp32.py)"),
    ("adapter_model.*", "an adapter's weights; its adapter_config.json is missing"),
)
"""Pattern of files that may be in a folder without safetensors -> what they are, what to do."""
_PART = re.compile(r"-\d{5}-of-(\d{5})\.safetensors$")
_STEP = re.compile(r"^(?:checkpoint|step|epoch)[-_](\d+)$")
_CONFIGS = ("config.json", "adapter_config.json")


def file_instead(path: Path) -> str:
    """What a file is that was named as a model, as the end of a sentence."""
    if not path.is_file():
        return "is neither a folder nor a file; a folder with config.json is required"
    kind = _FILES.get(path.suffix.lower())
    return f"is {kind}" if kind else "is a file; a folder with config.json is required"


def folder_instead(folder: Path) -> str:
    """Why a folder without config.json is not a model, and which folder may be meant."""
    needed = "a model folder needs config.json"
    inside = sorted(_find_models(folder), key=_step_of, reverse=True)
    if inside:
        others = f" (one of {len(inside)} models in it)" if len(inside) > 1 else ""
        return f"{needed}; name the folder {inside[0].name}/ in it{others}"
    if (folder / "dataset_info.json").exists() or (folder / "dataset_dict.json").exists():
        return (
            f"{needed}, and this is a data set of save_to_disk; recorded answers of a model go "
            f"under `recorded`, as JSON lines"
        )
    if not any(folder.iterdir()):
        return f"{needed}, and this one is empty"
    suffixes = {path.suffix.lower() for path in folder.iterdir()}
    suffix = next((suffix for suffix in _FILES if suffix in suffixes), None)
    content = without_weights(folder) or (suffix and f"; it has {_FILES[suffix]}") or ""
    return f"{needed}{content}"


def without_weights(folder: Path) -> str:
    """What a folder without usable weights has instead, as the end of a sentence, or nothing."""
    for path in sorted(folder.glob("*.safetensors")):
        part = _PART.search(path.name)
        if part:
            return f"; {path.name} is one of {int(part[1])} parts whose index is missing"
    for pattern, kind in _WEIGHTS:
        if any(folder.glob(pattern)):
            return f"; it has {kind}"
    other = next((path.name for path in sorted(folder.glob("*.safetensors"))), None)
    return f"; {other} has another name" if other else ""


def _find_models(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and any((path / name).is_file() for name in _CONFIGS):
            yield path


def _step_of(path: Path) -> tuple[int, str]:
    """A sort key: the training step in a checkpoint's name (-1 without one), then the name."""
    step = _STEP.match(path.name)
    return (int(step[1][:18]) if step else -1, path.name)
