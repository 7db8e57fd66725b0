"""The experts of a model's layers: each a tensor of its own by its number, or all of them in one.

A loader makes one tensor of those with numbers. It counts them and reads no numbers, and where both
forms are there it takes either.
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
"""(Where, part of an expert) -> the numbers of the experts that have it."""


def check_experts(folder: Path, names: Iterable[str], *, quantized: bool) -> None:
    """Refuse experts that a loader would take for others. Raises ModelError.

    A quantization may leave some layers as they are, whose parts then differ from the others'.
    """
    names = sorted(names)
    there: _Parts = defaultdict(set)
    for found in filter(None, map(_NUMBERED.match, names)):
        there[found[1], found[3]].add(int(found[2]))
    if absent := next(_gaps(there), None):
        raise ModelError(
            f"model {folder}: its weights hold experts with higher numbers, and not "
            f"{some([absent])}, so that the others would take the wrong places; save the model "
            f"again with save_pretrained"
        )
    _check_one_form(folder, names)
    if absent := None if quantized else next(_lacking(there), None):
        raise ModelError(
            f"model {folder}: its weights hold no {some([absent])} of any number *, which the "
            f"experts of other layers have; save the model again with save_pretrained"
        )


def _gaps(there: _Parts) -> Iterator[str]:
    """Names that are not there below a number that is."""
    most: dict[str, int] = defaultdict(int)
    for (where, _), numbers in there.items():
        most[where] = max(most[where], *(number + 1 for number in numbers))
    for (where, part), numbers in sorted(there.items()):
        yield from (f"{where}.{n}.{part}" for n in range(most[where]) if n not in numbers)


def _lacking(there: _Parts) -> Iterator[str]:
    """What no expert of a layer has, and experts of another layer have."""
    layers: dict[str, set[str]] = defaultdict(set)
    parts: dict[str, set[str]] = defaultdict(set)
    for where, part in there:
        alike = re.sub(r"\.\d+\.", ".*.", where)
        layers[alike].add(where)
        parts[alike].add(part)
    for alike, wheres in sorted(layers.items()):
        for where in sorted(wheres):
            yield from (f"{where}.*.{p}" for p in sorted(parts[alike]) if (where, p) not in there)


def _check_one_form(folder: Path, names: Iterable[str]) -> None:
    """The experts of one layer have numbers or are in one tensor, whatever they lie in."""
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
