"""The experts of a model's layers: one numbered tensor for each expert, or one tensor for all.

transformers stacks numbered tensors in order and does not look at the numbers: where one is
missing, the experts after it take wrong places. Where both forms are present, it may use either.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from alignment.checkpoints.names import some
from alignment.errors import ModelError

_NUMBERED = re.compile(r"^(.*\.experts)\.(\d+)\.(.*)$")
_FUSED = re.compile(r"\.experts\.(?:gate_up|gate|up|down)_proj(?:_bias|\.weight|\.bias)?$")
_LAYER = re.compile(r"^(.*?\.\d+)\.")

_Parts = dict[tuple[str, str], set[int]]
"""(Path of the layer's experts, part of an expert) -> the numbers of the experts that have it."""


def check_experts(folder: Path, names: Iterable[str], *, quantized: bool) -> None:
    """Refuse tensor names by which experts are missing or stored twice. Raises ModelError.

    `quantized`: layers may have different parts, because some layers may not be quantized.
    """
    names = sorted(names)
    present: _Parts = defaultdict(set)
    for match in filter(None, map(_NUMBERED.match, names)):
        present[match[1], match[3]].add(int(match[2]))
    if absent := next(_find_gaps(present), None):
        raise ModelError(
            f"model {folder}: its weights hold experts with higher numbers, and not "
            f"{some([absent])}, so that the others would take the wrong places; save the model "
            f"again with save_pretrained"
        )
    _check_one_form(folder, names)
    if absent := None if quantized else next(_find_missing_parts(present), None):
        raise ModelError(
            f"model {folder}: its weights hold no {some([absent])} of any number *, which the "
            f"experts of other layers have; save the model again with save_pretrained"
        )


def _find_gaps(present: _Parts) -> Iterator[str]:
    """Names of missing tensors whose number is below the highest number of the layer."""
    counts: dict[str, int] = defaultdict(int)
    for (layer, _), numbers in present.items():
        counts[layer] = max(counts[layer], *(number + 1 for number in numbers))
    for (layer, part), numbers in sorted(present.items()):
        yield from (f"{layer}.{n}.{part}" for n in range(counts[layer]) if n not in numbers)


def _find_missing_parts(present: _Parts) -> Iterator[str]:
    """Parts that no expert of a layer has, and that the experts of a similar layer have."""
    layers: dict[str, set[str]] = defaultdict(set)
    parts: dict[str, set[str]] = defaultdict(set)
    for layer, part in present:
        pattern = re.sub(r"\.\d+\.", ".*.", layer)
        layers[pattern].add(layer)
        parts[pattern].add(part)
    for pattern, similar in sorted(layers.items()):
        for layer in sorted(similar):
            yield from (
                f"{layer}.*.{part}"
                for part in sorted(parts[pattern])
                if (layer, part) not in present
            )


def _check_one_form(folder: Path, names: Iterable[str]) -> None:
    """Refuse a layer whose experts are stored both with numbers and in one tensor."""
    first: dict[str, str] = {}
    for name in names:
        if (layer := _LAYER.match(name)) and _NUMBERED.match(name):
            first.setdefault(layer[1], name)
    for name in names:
        layer = _LAYER.match(name)
        if layer and layer[1] in first and _FUSED.search(name):
            raise ModelError(
                f"model {folder}: its weights hold the experts of one layer twice, each by its "
                f"number and all in one ({some([first[layer[1]], name])}), and either might be "
                f"taken; save the model again with save_pretrained"
            )
