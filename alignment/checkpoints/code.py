"""Refuses settings in a model's files that make a library fetch or run code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alignment.checkpoints.documents import shown
from alignment.checkpoints.patterns import check_patterns
from alignment.errors import ModelError, quoted

_NEVER = (
    "remote code is never run, whatever the profile says: convert it to a model that transformers "
    "has, or serve it and name its `endpoint`"
)
_KERNELS = {
    "attn_implementation": frozenset({"eager", "sdpa"}),
    "experts_implementation": frozenset({"eager", "batched_mm", "grouped_mm"}),
}
"""Part of a key that selects an implementation -> the implementations in transformers and torch.
For any other value transformers needs further packages; if `kernels` is installed, it fetches code
from the hub, even where no repository is named (`flash_attention_2`)."""
_MODULES = ("kernel_config", "custom_generate")
_FILE_ARGUMENTS = ("merges", "merges_file", "vocab", "gguf_file", "tokenizer_object", "init_inputs")
"""Arguments of tokenizers that can name any file to read; no tokenizer is saved with them."""
_PEFT = {
    "megatron_config": "imports the module that `megatron_core` names",
    "shadow_model": "loads another model",
    "prompt_tuning_init_state_dict_path": "loads a pickle",
}
"""Fields of PEFT's configs that use more than the adapter's own files -> what they do."""


def check_config(folder: Path, name: str, config: dict[str, Any], *, native: bool = False) -> None:
    """Refuse a model's configuration that fetches or runs code, or that names other files.

    `name` is the name of its file. `native`: transformers has its own class for this type of model
    and uses it instead of the code that `auto_map` names, which is never run. Raises ModelError.
    """
    if "auto_map" in config and not native:
        raise ModelError(f"model {folder}: needs code of its own (auto_map in {name}); {_NEVER}")
    for path, key, value in _walk(config):
        if key == "auto_map" and value and not (native and not path):
            where = f"{path}.auto_map"
        elif any(name in key for name in _KERNELS) and _names_a_repository(value):
            where = f"{path}.{key} = {shown(value)}"
        elif key in _MODULES and value is not None:
            where = f"{path}.{key}"
        else:
            continue
        raise ModelError(
            f"model {folder}: has code fetched from the hub ({shown(where.lstrip('.'), 100)} in "
            f"{name}); {_NEVER}"
        )
    if config.get("configuration_files"):
        raise ModelError(
            f"model {folder}: {name} names other configuration files (configuration_files); one "
            f"config.json that says everything is required"
        )


def without_ways(config: Any) -> Any:
    """A configuration without the choices of implementation that need other packages.

    The implementation does not change what the model computes; with the setting, the model could
    be loaded only where those packages are installed.
    """
    if isinstance(config, list):
        return [without_ways(each) for each in config]
    if not isinstance(config, dict):
        return config
    return {
        key: without_ways(value)
        for key, value in config.items()
        if all(name not in key or _is_among(value, known) for name, known in _KERNELS.items())
    }


def check_tokenizer_config(folder: Path, config: dict[str, Any], *, complete: bool) -> None:
    """Refuse a tokenizer that needs code, or files outside its folder. Raises ModelError.

    `complete`: there is a tokenizer.json, which needs no code.
    """
    where = f"model {folder}: tokenizer_config.json"
    if config.get("auto_map") and not complete:
        raise ModelError(
            f"model {folder}: its tokenizer needs code of its own (auto_map in "
            f"tokenizer_config.json); remote code is never run: save a tokenizer.json"
        )
    if config.get("fast_tokenizer_files"):
        raise ModelError(
            f"{where} names other tokenizers (fast_tokenizer_files); one tokenizer.json is required"
        )
    for key in _FILE_ARGUMENTS:
        if _has_text(config.get(key)):
            raise ModelError(
                f"{where} reads a file that it names ({key} = {quoted(config[key])}); only the "
                f"files of a tokenizer's own folder are read"
            )


def check_adapter_config(folder: Path, config: dict[str, Any]) -> None:
    """Refuse an adapter that uses more than its own files. Raises ModelError."""
    for key, effect in _PEFT.items():
        if config.get(key):
            raise ModelError(
                f"model {folder}: {key} in adapter_config.json {effect}; only an adapter's own "
                f"files are loaded"
            )
    check_patterns(folder, config)
    if config.get("peft_type") == "XLORA":
        raise ModelError(
            f"model {folder}: an X-LoRA loads further adapters from elsewhere; only an adapter's "
            f"own files are loaded"
        )


def _names_a_repository(value: Any) -> bool:
    """Whether a value names `owner/kernel`: alone, after `paged|`, or for one part of a model."""
    if isinstance(value, dict):
        return any(map(_names_a_repository, value.values()))
    return isinstance(value, str) and "/" in value


def _is_among(value: Any, known: frozenset[str]) -> bool:
    """Whether an implementation, or that of every part of a model, is one of `known` or null."""
    if isinstance(value, dict):
        return all(_is_among(each, known) for each in value.values())
    return value is None or (isinstance(value, str) and value in known)


def _has_text(value: Any) -> bool:
    """Whether a value is a text, or a list that contains one."""
    return any(isinstance(each, str) for each in (value if isinstance(value, list) else [value]))


def _walk(value: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every (path, key, value) of all objects in a JSON value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield path, key, inner
            yield from _walk(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner, path)
