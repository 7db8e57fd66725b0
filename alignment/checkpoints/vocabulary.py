"""The tokenizer of a model folder, looked at without loading it."""

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
_BESIDE = (
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
"""Every name under which a tokenizer of transformers looks for its vocabulary."""
_READS_ONE = frozenset({"PreTrainedTokenizerFast", "TokenizersBackend"})
"""The classes that read nothing but tokenizer.json where there is one."""
_CLASS = re.compile(r"^\w*(?:Tokenizer(?:Fast|Legacy)?|Backend)$")
_GROWTH = 64
"""How many times longer than itself a normalizer or a decoder may make a text."""


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """A tokenizer's files, as far as they can be read without loading it."""

    folder: Path
    config: dict[str, Any]
    vocabularies: tuple[Path, ...]
    complete: dict[str, Any] | None
    """tokenizer.json, where there is one."""

    def identity(self, hasher: Hasher) -> str:
        """A hash of all that a text's tokens depend on, templates included."""
        told = dict(self.config)
        templates = templates_of(self.folder, self.config)
        if template_files(self.folder):
            told.pop("chat_template", None)  # not read: the files come first
        legacy = () if "added_tokens_decoder" in told else (_SPECIAL, _ADDED)
        model = (self.folder / "config.json",)  # it has a say in the tokenizer's class
        read = [path for path in self._beside(*legacy) if is_there(path)]
        return content_key(
            [digest(told), sorted(templates.items())],
            [None if self.complete is None else digest(self.complete)],
            [(path.name, digest(read_json(path))) for path in (*read, *filter(is_there, model))],
            sorted(
                (path.name, hasher.file_hash(path))
                for path in self.vocabularies
                if path.name != _TOKENIZER
            ),
        )

    def _beside(self, *names: str) -> list[Path]:
        return [self.folder / name for name in names]


def has_vocabulary(folder: Path) -> bool:
    """Whether a folder has a tokenizer of its own."""
    return any(is_there(folder / name) for name in _VOCABULARIES)


def tokenizer_of(folder: Path) -> Tokenizer:
    """The tokenizer of a folder. Raises ModelError where there is none that can be read."""
    if not has_vocabulary(folder):
        known = " or ".join(_VOCABULARIES[:5])
        raise ModelError(f"model {folder}: no tokenizer; {known} is required")
    config = read_json(folder / _CONFIG) if is_there(folder / _CONFIG) else {}
    complete = read_json(folder / _TOKENIZER) if is_there(folder / _TOKENIZER) else None
    check_tokenizer_config(folder, config, complete=complete is not None)
    _check_types(folder, config)
    if complete is not None:
        _check_growth(folder, complete)
    names: tuple[str, ...] = _VOCABULARIES + _BESIDE
    if complete is not None and config.get("tokenizer_class") in _READS_ONE:
        names = (_TOKENIZER,)
    vocabularies = tuple(folder / name for name in names if is_there(folder / name))
    return Tokenizer(folder, config, vocabularies, complete)


def check_no_tokenizer(folder: Path) -> None:
    """Refuse parts of a tokenizer that nothing would read, in an adapter's folder without one."""
    parts = [folder / _CONFIG, folder / _ADDED, *template_files(folder).values()]
    for path in parts:
        if is_there(path):
            raise ModelError(
                f"model {folder}: has {path.relative_to(folder)} and no tokenizer that goes with "
                f"it, so that the base's own would be used without it; put the whole tokenizer "
                f"there (tokenizer.save_pretrained), or take the file away"
            )


def check_vocabulary(
    tokenizer: Tokenizer, config: dict[str, Any], rows: int | None, where: Path
) -> None:
    """The tokenizer, the configuration and the embedding matrix must speak of one vocabulary.

    Raises ModelError.
    """
    size = config.get("vocab_size")
    if rows is not None and isinstance(size, int) and rows != size:
        raise ModelError(
            f"model {where}: vocabulary and weights do not fit: config.json has vocab_size "
            f"{size}, the embedding matrix {rows} rows; after resize_token_embeddings save model "
            f"and config together (model.save_pretrained)"
        )
    there, place = (rows, "the embedding matrix") if rows is not None else (size, "config.json")
    largest = _largest_token(tokenizer)
    if isinstance(there, int) and largest is not None and largest >= there:
        raise ModelError(
            f"model {where}: vocabulary and weights do not fit: the tokenizer has token "
            f"{largest}, {place} {there} rows; save the model after resize_token_embeddings, or "
            f"the tokenizer that it was trained with"
        )


def _largest_token(tokenizer: Tokenizer) -> int | None:
    """The highest id in the files that are JSON; None where the vocabulary is in none of them.

    Tokens that were added may lie beyond a model's embeddings: most are never used, and a text that
    uses one is refused when it is read (`alignment.checkpoints.tokens.check_known`).
    """
    folder = tokenizer.folder
    name = _TOKENIZER
    try:
        if tokenizer.complete is not None:
            vocabulary = tokenizer.complete["model"]["vocab"]
            known = vocabulary.values() if isinstance(vocabulary, dict) else range(len(vocabulary))
            _ = [int(token["id"]) for token in tokenizer.complete.get("added_tokens") or []]
        elif is_there(folder / "vocab.json"):
            name, known = "vocab.json", read_json(folder / "vocab.json").values()
        else:
            return None
        return max((int(i) for i in known), default=None)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelError(f"model {folder}: {name} is not a tokenizer file") from error


def _check_types(folder: Path, config: dict[str, Any]) -> None:
    """What transformers takes for granted in a tokenizer's configuration. Raises ModelError."""
    where = f"model {folder}: {_CONFIG} has"
    kind = config.get("tokenizer_class")
    if kind is not None and not (isinstance(kind, str) and _CLASS.match(kind)):
        raise ModelError(
            f"{where} tokenizer_class = {quoted(kind)}; the name of a tokenizer's class is required"
        )
    longest = config.get("model_max_length")
    if longest is not None and type(longest) not in (int, float):
        raise ModelError(f"{where} model_max_length = {quoted(longest)}; a number is required")
    ids = config.get("added_tokens_decoder")
    if ids is not None and not (
        isinstance(ids, dict)
        and all(re.fullmatch(r"\d{1,7}", key) for key in ids)
        and all(isinstance(token, dict) for token in ids.values())
    ):
        raise ModelError(
            f"{where} an added_tokens_decoder that is none; an object of tokens by their number "
            f"(below 10 million) is required"
        )
    templates_of(folder, config)


def _check_growth(folder: Path, tokenizer: dict[str, Any]) -> None:
    """Replacements that make a text longer and longer. Raises ModelError."""
    for part in ("normalizer", "decoder"):
        if (times := _growth(tokenizer.get(part))) > _GROWTH:
            raise ModelError(
                f"model {folder}: the {part} of tokenizer.json can make a text {times:.0f} times "
                f"as long; at most {_GROWTH} times is accepted"
            )


def _growth(part: Any) -> float:
    """How many times as long a text may become that goes through it."""
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
