"""Refuses loaded models of which a whole part (embeddings, a layer, a head) is zero.

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
"""Narrower numbers, in bytes, are quantized: their scales, which are wider, are checked instead."""


def check_blank(folder: Path, model: Any, head: Iterable[str]) -> None:
    """Refuse embeddings, a layer, or an output matrix of zeros alone. Raises ModelError.

    `head` names the tensors of a classifier's head. Single matrices of a layer may be zero: some
    methods insert new layers whose output matrix starts at zero.
    """
    parts: dict[str, list[Any]] = defaultdict(list)
    embeddings = {
        id(layer.weight)
        for layer in (model.get_input_embeddings(), model.get_output_embeddings())
        if getattr(layer, "weight", None) is not None
    }
    matrices = set(head)
    for name, weight in model.named_parameters():
        if not weight.is_floating_point() or weight.dtype.itemsize < _WIDE:
            continue
        if id(weight) in embeddings or (name in matrices and weight.dim() == 2):
            parts[name].append(weight)
        elif match := _BLOCK.match(name):
            parts[match[1]].append(weight)
    zeros = [part for part, weights in parts.items() if not _has_nonzero(weights)]
    if zeros:
        raise ModelError(
            f"model {folder}: its weights hold nothing but zeros in {some(zeros)}, as in a file "
            f"whose copy or download was not completed; fetch or save the weights again"
        )


def _has_nonzero(weights: list[Any]) -> bool:
    """Small tensors are read first: one number that is not zero is enough."""
    return any(bool(weight.any()) for weight in sorted(weights, key=lambda weight: weight.numel()))
