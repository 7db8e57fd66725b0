"""The models that transformers has code for, read from its source: importing it costs seconds."""

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
    """Whether transformers itself has a policy's or a judge's class for this type of model.

    A policy's may be one that reads images too: it is asked with text alone.
    """
    names = (_CLASSIFIERS,) if judge else (_CAUSAL, _MULTIMODAL)
    return any(model_type in _mappings().get(name, ()) for name in names)


@cache
def _mappings() -> dict[str, frozenset[str]]:
    """Name of a mapping -> the types of model that it has a class for."""
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
