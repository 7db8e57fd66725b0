"""The special tokens that a model's configurations name, held against its vocabulary."""

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
    answering: Mapping[str, Any],
    rows: int | None,
    *,
    judge: bool,
) -> None:
    """Refuse ids that are no tokens of a model's vocabulary.

    `answering` is what generation_config.json says. `rows` are those of the embedding matrix;
    None: config.json says how many there are. Older language models write -1 for no padding token,
    which nobody pads with; a judge finds the last token of a text by it. Raises ModelError.
    """
    text = config.get("text_config")
    size = rows or (text if isinstance(text, dict) else config).get("vocab_size")
    if not isinstance(size, int):
        return
    for file, name, token in _stated(config, answering):
        if token == -1 and name == _PAD and not judge:
            continue
        if type(token) is not int or not 0 <= token < size:
            raise ModelError(
                f"model {folder}: {file} has {name} = {str(token)[:40]}; the id of a token "
                f"(0 to {size - 1}) or null is required"
            )


def _stated(
    config: Mapping[str, Any], answering: Mapping[str, Any]
) -> Iterator[tuple[str, str, Any]]:
    """(file, key, id) of every special token that a configuration names."""
    text = config.get("text_config")
    files = (
        ("config.json", config),
        ("config.json (text_config)", text if isinstance(text, dict) else {}),
        ("generation_config.json", answering),
    )
    for file, settings in files:
        for name in _IDS:
            stated = settings.get(name)
            tokens = stated if isinstance(stated, list) else [stated]
            yield from ((file, name, token) for token in tokens if token is not None)
