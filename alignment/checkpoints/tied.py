"""Matrices that a configuration ties, so that they are one, and that are two nevertheless.

Where a file holds both and they differ, transformers uses both, contrary to the configuration;
other programs use one, and the same model says something else there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from alignment.checkpoints.weights import Weights
from alignment.errors import ModelError

_ROWS = 4096
"""What is read at a time."""


def check_tied(folder: Path, model: Any, weights: Weights | None) -> None:
    """Refuse a model whose tied matrices differ. Raises ModelError.

    A model on torch's `meta` device has no numbers: these are looked for in its `weights`.
    """
    if model.device.type != "meta":
        found = apart(model)
    else:
        found = [] if weights is None else list(_differing(model, weights))
    for target, source in found:
        raise ModelError(
            f"model {folder}: by tie_word_embeddings = true in its configuration (the default of "
            f"some models) {target} is {source}, and its weights hold two that differ: set it to "
            f"false if each was trained on its own, or save the model again with save_pretrained"
        )


def apart(model: Any) -> list[tuple[str, str]]:
    """The names of weights that the configuration ties, and that are not one in this model."""
    return [
        (target, source)
        for target, source in _ties(model).items()
        if model.get_parameter_or_buffer(target) is not model.get_parameter_or_buffer(source)
    ]


def untie(model: Any) -> None:
    """Have the configuration say so where matrices that it ties are not one."""
    if apart(model):
        model.config.get_text_config().tie_word_embeddings = False
        model.config.tie_word_embeddings = False


def _ties(model: Any) -> dict[str, str]:
    """Weight -> the one that it is to be."""
    ties: dict[str, str] = model.get_expanded_tied_weights_keys(all_submodels=True)
    return ties


def _differing(model: Any, weights: Weights) -> Iterator[tuple[str, str]]:
    ties = _ties(model)
    names = {*ties, *ties.values()}
    called = {name: _in_file(name, weights, names - {name}) for name in names}
    for target, source in ties.items():
        one, other = called[target], called[source]
        if one and other and not _equal(one, other, weights):
            yield target, source


def _in_file(name: str, weights: Weights, others: Collection[str]) -> str | None:
    """What a weight is called in the files, which may have another prefix."""
    if name in weights.tensors:
        return name
    end = "." + ".".join(name.split(".")[-2:])
    found = [each for each in weights.tensors if f".{each}".endswith(end) and each not in others]
    return found[0] if len(found) == 1 else None


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
