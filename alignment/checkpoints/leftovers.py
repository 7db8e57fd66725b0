"""Tensors of a file that the loaded class has no place for, and whether they may be left.

A tensor may be left where the class does not have its part by design: a head for another task, the
layers of multi-token prediction, or, where a configuration has one part for text and others beside
it, what reads images and sound. So may what every class computes for itself and older releases of
transformers wrote into the file. Whatever else lies *inside* a part that the class does have (a
bias, a further layer, a scale) would change what the model says, and is never dropped.
"""

from __future__ import annotations

from typing import Any

_OTHER_TASKS = frozenset(
    {
        *("lm_head", "score", "classifier", "v_head", "value_head", "qa_outputs", "cls", "pooler"),
        *("lm_predictions", "mask_predictions", "generator_predictions"),
        *("discriminator_predictions", "mtp", "mtp_layers", "mtp_block"),
    }
)
"""What parts for another task than the loaded class's are called, beside a model's body."""

_TEXT = frozenset({"language_model", "text_model", "llm", "thinker"})
"""What the part for text is called in a model that reads more."""

_COMPUTED = frozenset({"masked_bias", "causal_mask", "inv_freq", "position_ids", "version"})
"""What is computed from a configuration, or is a format's number, wherever it stands."""
_ATTENTION = frozenset({"attn", "attention"})
"""Modules whose own `bias` is the triangle of what a token may look back at."""


def may_be_left(model: Any, name: str, *, composite: bool) -> bool:
    """Whether a model says the same without a tensor that it does not know.

    `composite` is a model that reads more than text, of which this may be the text's part.
    """
    return _is_computed(model, name) or _is_elsewhere(model, name, composite=composite)


def _is_computed(model: Any, name: str) -> bool:
    *path, last = name.split(".")
    if last in _COMPUTED:
        return True
    inside = f"{model.base_model_prefix}.{name}"
    if any(buffer in {name, inside} for buffer, _ in model.named_buffers()):
        return True  # none of those that are read from files, which are known
    if last != "bias" or not path or path[-1] not in _ATTENTION:
        return False
    modules = dict(model.named_modules())
    module = modules.get(".".join(path)) or modules.get(
        f"{model.base_model_prefix}.{'.'.join(path)}"
    )
    return module is not None and not any(True for _ in module.parameters(recurse=False))


def _is_elsewhere(model: Any, name: str, *, composite: bool) -> bool:
    """Whether a tensor belongs to a part that this class does not have by design."""
    outer, body = model, model.base_model
    parts = name.split(".")
    for number, part in enumerate(parts):
        if outer is not model and outer is not body:
            return False
        below = dict(outer.named_children())
        if part not in below:
            # A tensor right in the outermost module is in no part, and what it does is not known.
            beside = composite and _TEXT.isdisjoint(parts)
            return number < len(parts) - 1 and (part in _OTHER_TASKS or beside)
        outer = below[part]
    return False
