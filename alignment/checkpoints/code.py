"""What in a model's files has code fetched or run: refused, whatever library would do it."""

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
"""In the names of what says how a part is computed -> what transformers itself and torch have. For
all else it looks for further packages, and with `kernels` among them it fetches code from the hub,
also where no repository is named (`flash_attention_2`)."""
_MODULES = ("kernel_config", "custom_generate")
_ELSEWHERE = ("merges", "merges_file", "vocab", "gguf_file", "tokenizer_object", "init_inputs")
"""Arguments of tokenizers that read a file of any name, which no tokenizer is saved with."""
_PEFT = {
    "megatron_config": "imports the module that `megatron_core` names",
    "shadow_model": "loads another model",
    "prompt_tuning_init_state_dict_path": "loads a pickle",
}
"""Fields of PEFT's configs that reach beyond the adapter's own files, and how."""


def check_config(folder: Path, name: str, config: dict[str, Any], *, native: bool = False) -> None:
    """Refuse what fetches or runs code, and what names other files, in a model's configuration.

    `native`: transformers has a class of its own for this type of model, which it takes instead of
    the code that `auto_map` names; that is never run. Raises ModelError.
    """
    if "auto_map" in config and not native:
        raise ModelError(f"model {folder}: needs code of its own (auto_map in {name}); {_NEVER}")
    for path, key, value in _walked(config):
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
    """A configuration that leaves open how a part is computed where it asks for other packages.

    That changes nothing of what a model says, and would have packages decide whether it is loaded.
    """
    if isinstance(config, list):
        return [without_ways(each) for each in config]
    if not isinstance(config, dict):
        return config
    return {
        key: without_ways(value)
        for key, value in config.items()
        if all(name not in key or _is_own(value, own) for name, own in _KERNELS.items())
    }


def check_tokenizer_config(folder: Path, config: dict[str, Any], *, complete: bool) -> None:
    """Refuse a tokenizer that needs code, or files beyond its folder's. Raises ModelError.

    `complete`: there is a tokenizer.json, which needs no code.
    """
    where = f"model {folder}: tokenizer_config.json"
    own = config.get("auto_map")
    if own and not complete:
        raise ModelError(
            f"model {folder}: its tokenizer needs code of its own (auto_map in "
            f"tokenizer_config.json); remote code is never run: save a tokenizer.json"
        )
    if config.get("fast_tokenizer_files"):
        raise ModelError(
            f"{where} names other tokenizers (fast_tokenizer_files); one tokenizer.json is required"
        )
    for key in _ELSEWHERE:
        if _has_text(config.get(key)):
            raise ModelError(
                f"{where} reads a file that it names ({key} = {quoted(config[key])}); only the "
                f"files of a tokenizer's own folder are read"
            )


def check_adapter_config(folder: Path, config: dict[str, Any]) -> None:
    """Refuse an adapter that reaches beyond its own files. Raises ModelError."""
    for key, what in _PEFT.items():
        if config.get(key):
            raise ModelError(
                f"model {folder}: {key} in adapter_config.json {what}; only an adapter's own files "
                f"are loaded"
            )
    check_patterns(folder, config)
    if config.get("peft_type") == "XLORA":
        raise ModelError(
            f"model {folder}: an X-LoRA loads further adapters from elsewhere; only an adapter's "
            f"own files are loaded"
        )


def _names_a_repository(value: Any) -> bool:
    """Whether it is `owner/kernel`, alone, behind a `paged|`, or for one part of a model."""
    if isinstance(value, dict):
        return any(map(_names_a_repository, value.values()))
    return isinstance(value, str) and "/" in value


def _is_own(value: Any, own: frozenset[str]) -> bool:
    """Whether a way to compute, or that of every part of a model, is among these or left open."""
    if isinstance(value, dict):
        return all(_is_own(each, own) for each in value.values())
    return value is None or (isinstance(value, str) and value in own)


def _has_text(value: Any) -> bool:
    """Whether it is a text, or a list with one."""
    return any(isinstance(each, str) for each in (value if isinstance(value, list) else [value]))


def _walked(value: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every (path, key, value) of all objects in a JSON value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield path, key, inner
            yield from _walked(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _walked(inner, path)
