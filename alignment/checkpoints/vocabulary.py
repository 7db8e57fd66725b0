"""The tokenizer of a model folder, checked and hashed without loading it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignment.checkpoints.chat_templates import template_files, templates_of
from alignment.checkpoints.code import check_tokenizer_config
from alignment.checkpoints.documents import digest, is_there, read_json
from alignment.errors import ModelError, quoted
from alignment.store import Hasher, content_key

_TOKENIZER, _CONFIG = "tokenizer.json", "tokenizer_config.json"
_SPECIAL, _ADDED = "special_tokens_map.json", "added_tokens.json"
_VOCABULARIES = (
    _TOKENIZER,
    "vocab.json",
    "spm.model",
    "tokenizer.model",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "spm_char.model",
    "tiktoken.model",
    "tekken.json",
    "source.spm",
    "dict.txt",
    "bpe.codes",
    "vocab-src.json",
    "prophetnet.tokenizer",
)
"""Names under which tokenizers of transformers look for their vocabulary."""
_FURTHER_FILES = (
    "merges.txt",
    "target.spm",
    "vocab-tgt.json",
    "target_vocab.json",
    "entity_vocab.json",
    "emoji.json",
    "byte_maps.json",
    "normalizer.json",
    "word_shape.json",
    "word_pronunciation.json",
)
"""Further files that tokenizers of transformers read beside their vocabulary."""
_READS_ONE = frozenset({"PreTrainedTokenizerFast", "TokenizersBackend"})
"""The classes that read nothing but tokenizer.json where there is one."""
_CLASS = re.compile(r"^\w*(?:Tokenizer(?:Fast|Legacy)?|Backend)$")
_GROWTH = 64
"""How many times as long a normalizer or a decoder may make a text."""


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """A tokenizer's files, read without loading the tokenizer."""

    folder: Path
    config: dict[str, Any]
    vocabularies: tuple[Path, ...]
    complete: dict[str, Any] | None
    """The content of tokenizer.json; None without one."""

    def identity(self, hasher: Hasher) -> str:
        """A hash of everything that a text's tokens depend on, including templates."""
        config = dict(self.config)
        templates = templates_of(self.folder, self.config)
        if template_files(self.folder):
            config.pop("chat_template", None)  # not read where there are template files
        legacy = () if "added_tokens_decoder" in config else (_SPECIAL, _ADDED)
        # config.json counts, because the tokenizer's class may depend on it.
        paths = [self.folder / name for name in (*legacy, "config.json")]
        return content_key(
            [digest(config), sorted(templates.items())],
            [None if self.complete is None else digest(self.complete)],
            [(path.name, digest(read_json(path))) for path in paths if is_there(path)],
            sorted(
                (path.name, hasher.file_hash(path))
                for path in self.vocabularies
                if path.name != _TOKENIZER
            ),
        )


def has_vocabulary(folder: Path) -> bool:
    """Whether a folder has a tokenizer of its own."""
    return any(is_there(folder / name) for name in _VOCABULARIES)


def tokenizer_of(folder: Path) -> Tokenizer:
    """The tokenizer of a folder. Raises ModelError where there is none, or it cannot be used."""
    if not has_vocabulary(folder):
        known = " or ".join(_VOCABULARIES[:5])
        raise ModelError(f"model {folder}: no tokenizer; {known} is required")
    config = read_json(folder / _CONFIG) if is_there(folder / _CONFIG) else {}
    complete = read_json(folder / _TOKENIZER) if is_there(folder / _TOKENIZER) else None
    check_tokenizer_config(folder, config, complete=complete is not None)
    _check_types(folder, config)
    if complete is not None:
        _check_growth(folder, complete)
    names: tuple[str, ...] = _VOCABULARIES + _FURTHER_FILES
    if complete is not None and config.get("tokenizer_class") in _READS_ONE:
        names = (_TOKENIZER,)
    vocabularies = tuple(folder / name for name in names if is_there(folder / name))
    return Tokenizer(folder, config, vocabularies, complete)


def check_no_tokenizer(folder: Path) -> None:
    """Refuse an adapter's folder with parts of a tokenizer and no vocabulary. Raises ModelError.

    These parts would not be read: the tokenizer of the base model would be used.
    """
    paths = [folder / _CONFIG, folder / _ADDED, *template_files(folder).values()]
    for path in paths:
        if is_there(path):
            raise ModelError(
                f"model {folder}: has {path.relative_to(folder)} and no tokenizer that goes with "
                f"it, so that the base's own would be used without it; put the whole tokenizer "
                f"there (tokenizer.save_pretrained), or take the file away"
            )


def check_vocabulary(
    tokenizer: Tokenizer, config: dict[str, Any], rows: int | None, where: Path
) -> None:
    """Refuse a tokenizer, a `config.json` and an embedding matrix whose sizes do not fit.

    `rows` is the number of rows of the embedding matrix; None where it is not known. Raises
    ModelError.
    """
    size = config.get("vocab_size")
    if rows is not None and isinstance(size, int) and rows != size:
        raise ModelError(
            f"model {where}: vocabulary and weights do not fit: config.json has vocab_size "
            f"{size}, the embedding matrix {rows} rows; after resize_token_embeddings save model "
            f"and config together (model.save_pretrained)"
        )
    count, place = (rows, "the embedding matrix") if rows is not None else (size, "config.json")
    largest = _find_largest_id(tokenizer)
    if isinstance(count, int) and largest is not None and largest >= count:
        raise ModelError(
            f"model {where}: vocabulary and weights do not fit: the tokenizer has token "
            f"{largest}, {place} {count} rows; save the model after resize_token_embeddings, or "
            f"the tokenizer that it was trained with"
        )


def _find_largest_id(tokenizer: Tokenizer) -> int | None:
    """The highest id of the vocabulary; None where it is not in a JSON file.

    Added tokens do not count. Their ids may be beyond a model's embeddings: most are never used,
    and a text that uses one is refused (`alignment.checkpoints.tokens.check_known`).
    """
    folder = tokenizer.folder
    name = _TOKENIZER
    try:
        if tokenizer.complete is not None:
            vocabulary = tokenizer.complete["model"]["vocab"]
            ids = vocabulary.values() if isinstance(vocabulary, dict) else range(len(vocabulary))
            _ = [int(token["id"]) for token in tokenizer.complete.get("added_tokens") or []]
        elif is_there(folder / "vocab.json"):
            name, ids = "vocab.json", read_json(folder / "vocab.json").values()
        else:
            return None
        return max((int(each) for each in ids), default=None)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelError(f"model {folder}: {name} is not a tokenizer file") from error


def _check_types(folder: Path, config: dict[str, Any]) -> None:
    """Refuse values of wrong types, which transformers does not check. Raises ModelError."""
    where = f"model {folder}: {_CONFIG} has"
    kind = config.get("tokenizer_class")
    if kind is not None and not (isinstance(kind, str) and _CLASS.match(kind)):
        raise ModelError(
            f"{where} tokenizer_class = {quoted(kind)}; the name of a tokenizer's class is required"
        )
    longest = config.get("model_max_length")
    if longest is not None and type(longest) not in (int, float):
        raise ModelError(f"{where} model_max_length = {quoted(longest)}; a number is required")
    added = config.get("added_tokens_decoder")
    if added is not None and not (
        isinstance(added, dict)
        and all(re.fullmatch(r"\d{1,7}", key) for key in added)
        and all(isinstance(token, dict) for token in added.values())
    ):
        raise ModelError(
            f"{where} an added_tokens_decoder that is none; an object of tokens by their number "
            f"(below 10 million) is required"
        )
    templates_of(folder, config)


def _check_growth(folder: Path, tokenizer: dict[str, Any]) -> None:
    """Refuse replacements that could make a text extremely long. Raises ModelError."""
    for part in ("normalizer", "decoder"):
        if (times := _growth(tokenizer.get(part))) > _GROWTH:
            raise ModelError(
                f"model {folder}: the {part} of tokenizer.json can make a text {times:.0f} times "
                f"as long; at most {_GROWTH} times is accepted"
            )


def _growth(part: Any) -> float:
    """How many times as long this part of a tokenizer can make a text, at most."""
    if isinstance(part, list):
        product = 1.0
        for each in part:
            product = min(product * _growth(each), 1e300)
        return product
    if not isinstance(part, dict):
        return 1.0
    if part.get("type") == "Sequence":
        return _growth(part.get("normalizers") or part.get("decoders"))
    content, pattern = part.get("content"), part.get("pattern")
    if part.get("type") != "Replace" or not isinstance(content, str):
        return 1.0
    text = pattern.get("String") if isinstance(pattern, dict) else None
    length = len(text) if isinstance(text, str) else 1
    return max(1.0, len(content) / max(1, length))
