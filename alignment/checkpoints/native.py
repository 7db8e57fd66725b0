"""The models that transformers has classes for, read from its source: importing takes seconds."""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

_CAUSAL = "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"
_MULTIMODAL = "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES"
_CLASSIFIERS = "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES"


def has_class(model_type: object, *, judge: bool) -> bool:
    """Whether transformers has a class for a policy or a judge of this `model_type`.

    A policy may be a model that also reads images: it is given text alone.
    """
    names = (_CLASSIFIERS,) if judge else (_CAUSAL, _MULTIMODAL)
    return any(model_type in _read_mappings().get(name, ()) for name in names)


@cache
def _read_mappings() -> dict[str, frozenset[str]]:
    """Name of a mapping -> the values of `model_type` that it has a class for."""
    spec = importlib.util.find_spec("transformers")
    if spec is None or spec.origin is None:
        return {}
    source = Path(spec.origin).parent / "models" / "auto" / "modeling_auto.py"
    tree = ast.parse(source.read_text(encoding="utf-8"))
    return {
        node.targets[0].id: frozenset(_keys(node.value))
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in {_CAUSAL, _MULTIMODAL, _CLASSIFIERS}
    }


def _keys(value: ast.expr) -> list[Any]:
    """The keys of `OrderedDict([(key, value), ...])`."""
    return [
        pair.elts[0].value
        for node in ast.walk(value)
        if isinstance(node, ast.List)
        for pair in node.elts
        if isinstance(pair, ast.Tuple) and isinstance(pair.elts[0], ast.Constant)
    ]
