"""Parts of a loaded model that hold nothing but zeros, and so say the same of every text.

A download or a copy that was cut short leaves a file of full length whose rest is zeros.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from alignment.checkpoints.names import some
from alignment.errors import ModelError

_BLOCK = re.compile(r"^(.*?\.\d+)\.")
_WIDE = 2
"""Bytes of the numbers that are looked at; in fewer, zeros are found by their scales."""


def check_blank(folder: Path, model: Any, head: Iterable[str]) -> None:
    """Refuse embeddings, a layer, or an output matrix of zeros alone. Raises ModelError.

    `head` names the tensors of a classifier's head. Single matrices of a layer may be zeros: new
    layers are put between others so that they change nothing at first.
    """
    parts: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    ends = {id(end.weight) for end in _ends(model) if getattr(end, "weight", None) is not None}
    matrices = set(head)
    for name, weight in model.named_parameters():
        if not weight.is_floating_point() or weight.dtype.itemsize < _WIDE:
            continue
        if id(weight) in ends or (name in matrices and weight.dim() == 2):
            parts[name].append((name, weight))
        elif found := _BLOCK.match(name):
            parts[found[1]].append((name, weight))
    zeros = [part for part, weights in parts.items() if not _any(weights)]
    if zeros:
        raise ModelError(
            f"model {folder}: its weights hold nothing but zeros in {some(zeros)}, as in a file "
            f"whose copy or download was not completed; fetch or save the weights again"
        )


def _ends(model: Any) -> list[Any]:
    return [model.get_input_embeddings(), model.get_output_embeddings()]


def _any(weights: list[tuple[str, Any]]) -> bool:
    """The smallest first: one number that is not zero is enough."""
    ordered = sorted((weight for _, weight in weights), key=lambda weight: weight.numel())
    return any(bool(weight.any()) for weight in ordered)
