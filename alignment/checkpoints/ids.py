"""Checks that the special tokens in a model's configurations are in its vocabulary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from alignment.errors import ModelError

_PAD = "pad_token_id"
_IDS = ("bos_token_id", "eos_token_id", _PAD)


def check_ids(
    folder: Path,
    config: Mapping[str, Any],
    generation: Mapping[str, Any],
    rows: int | None,
    *,
    judge: bool,
) -> None:
    """Refuse ids of special tokens that are not in a model's vocabulary. Raises ModelError.

    `generation` is the content of generation_config.json. `rows` is the number of rows of the
    embedding matrix; None: that of config.json counts. The configurations of older language models
    have -1 for "no padding token", which is accepted for policies, because they are never padded
    with it; a judge finds the last token of a text by this id.
    """
    text = config.get("text_config")
    size = rows or (text if isinstance(text, dict) else config).get("vocab_size")
    if not isinstance(size, int):
        return
    for file, name, token in _special_tokens(config, generation):
        if token == -1 and name == _PAD and not judge:
            continue
        if type(token) is not int or not 0 <= token < size:
            raise ModelError(
                f"model {folder}: {file} has {name} = {str(token)[:40]}; the id of a token "
                f"(0 to {size - 1}) or null is required"
            )


def _special_tokens(
    config: Mapping[str, Any], generation: Mapping[str, Any]
) -> Iterator[tuple[str, str, Any]]:
    """(file, key, id) of every special token that a configuration names."""
    text = config.get("text_config")
    files = (
        ("config.json", config),
        ("config.json (text_config)", text if isinstance(text, dict) else {}),
        ("generation_config.json", generation),
    )
    for file, settings in files:
        for name in _IDS:
            value = settings.get(name)
            tokens = value if isinstance(value, list) else [value]
            yield from ((file, name, token) for token in tokens if token is not None)
