"""Refuses models whose embeddings are tied in the configuration, but differ in the weights.

Where a file holds both matrices and they differ, transformers uses both, contrary to the
configuration. Other programs use one of them, and the same model gives other answers there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from alignment.checkpoints.weights import Weights
from alignment.errors import ModelError

_ROWS = 4096
"""Rows that are read and compared at a time."""


def check_tied(folder: Path, model: Any, weights: Weights | None) -> None:
    """Refuse a model whose tied matrices differ. Raises ModelError.

    For a model on torch's `meta` device, which has no values, those of its `weights` are compared;
    None: nothing can be compared.
    """
    if model.device.type != "meta":
        pairs = apart(model)
    else:
        pairs = [] if weights is None else list(_find_differing(model, weights))
    for target, source in pairs:
        raise ModelError(
            f"model {folder}: by tie_word_embeddings = true in its configuration (the default of "
            f"some models) {target} is {source}, and its weights hold two that differ: set it to "
            f"false if each was trained on its own, or save the model again with save_pretrained"
        )


def apart(model: Any) -> list[tuple[str, str]]:
    """(name, name) of weights that the configuration ties, and that are two in this model."""
    return [
        (target, source)
        for target, source in _tied_names(model).items()
        if model.get_parameter_or_buffer(target) is not model.get_parameter_or_buffer(source)
    ]


def untie(model: Any) -> None:
    """Set `tie_word_embeddings` to false where tied matrices are two in this model."""
    if apart(model):
        model.config.get_text_config().tie_word_embeddings = False
        model.config.tie_word_embeddings = False


def _tied_names(model: Any) -> dict[str, str]:
    """Name of a weight -> name of the weight that it is tied to."""
    ties: dict[str, str] = model.get_expanded_tied_weights_keys(all_submodels=True)
    return ties


def _find_differing(model: Any, weights: Weights) -> Iterator[tuple[str, str]]:
    ties = _tied_names(model)
    names = {*ties, *ties.values()}
    file_names = {name: _name_in_files(name, weights, names - {name}) for name in names}
    for target, source in ties.items():
        one, other = file_names[target], file_names[source]
        if one and other and not _equal(one, other, weights):
            yield target, source


def _name_in_files(name: str, weights: Weights, others: Collection[str]) -> str | None:
    """The name of a weight in the files, where it may have another prefix; None if not found."""
    if name in weights.tensors:
        return name
    end = "." + ".".join(name.split(".")[-2:])
    names = [each for each in weights.tensors if f".{each}".endswith(end) and each not in others]
    return names[0] if len(names) == 1 else None


def _equal(one: str, other: str, weights: Weights) -> bool:
    from safetensors import safe_open  # noqa: PLC0415 - loads numpy
    from torch import equal  # noqa: PLC0415

    shape = weights.tensors[one].shape
    if shape != weights.tensors[other].shape:
        return False
    same = weights.tensors[one].kind == weights.tensors[other].kind
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(safe_open(path, framework="pt")) for path in weights.files]
        files = {name: file for file in opened for name in file.keys()}  # noqa: SIM118
        first, second = files[one].get_slice(one), files[other].get_slice(other)
        for start in range(0, shape[0], _ROWS):
            rows = [each[start : start + _ROWS] for each in (first, second)]
            if not equal(*(rows if same else (each.double() for each in rows))):
                return False
    return True
