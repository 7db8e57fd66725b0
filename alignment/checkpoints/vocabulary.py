"""The tokenizer of a model folder, looked at without loading it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alignment.checkpoints.weights import embedding_rows, read_json
from alignment.errors import ModelError

_TOKENIZERS = ("tokenizer.json", "vocab.json", "spm.model", "tokenizer.model", "vocab.txt")
_BESIDE = (
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
)


def tokenizer_files(folder: Path) -> list[Path]:
    """The files that change what a model says although they are not weights."""
    return [folder / name for name in (*_TOKENIZERS, *_BESIDE) if (folder / name).is_file()]


def check_vocabulary(folder: Path, config: dict[str, Any], weights: list[Path]) -> None:
    """The tokenizer, the configuration and the embedding matrix must speak of one vocabulary.

    Raises ModelError.
    """
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise ModelError(f"model {folder}: no tokenizer; {' or '.join(_TOKENIZERS)} is required")
    rows, size = embedding_rows(folder, weights), config.get("vocab_size")
    if rows is not None and isinstance(size, int) and rows != size:
        raise ModelError(
            f"model {folder}: vocabulary and weights do not fit: config.json has vocab_size "
            f"{size}, the embedding matrix {rows} rows"
        )
    there, where = (rows, "the embedding matrix") if rows is not None else (size, "config.json")
    largest = _largest_token(folder)
    if isinstance(there, int) and largest is not None and largest >= there:
        raise ModelError(
            f"model {folder}: vocabulary and weights do not fit: the tokenizer has token "
            f"{largest}, {where} {there} rows"
        )


def has_chat_template(folder: Path) -> bool:
    """Whether the tokenizer of this folder has a chat template, in one of transformers' places."""
    if any((folder / name).is_file() for name in ("chat_template.jinja", "chat_template.json")):
        return True
    config = folder / "tokenizer_config.json"
    return config.is_file() and bool(read_json(config, "").get("chat_template"))


def _largest_token(folder: Path) -> int | None:
    """The highest id in the files that are JSON; None where the vocabulary is in none of them.

    Tokens that were added may lie beyond a model's embeddings: most are never used, and a text that
    uses one is refused when it is read (`alignment.tokens.check_known`).
    """
    try:
        if (folder / "tokenizer.json").is_file():
            name, tokenizer = "tokenizer.json", read_json(folder / "tokenizer.json", "")
            vocabulary = tokenizer["model"]["vocab"]
            known = vocabulary.values() if isinstance(vocabulary, dict) else range(len(vocabulary))
            _ = [int(token["id"]) for token in tokenizer.get("added_tokens") or []]
        elif (folder / "vocab.json").is_file():
            name, known = "vocab.json", read_json(folder / "vocab.json", "").values()
        else:
            return None
        return max((int(i) for i in known), default=None)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"model {folder}: {name} is not a tokenizer's") from error
