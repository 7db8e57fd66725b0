"""Tensors of a file that the loaded class has no place for, and whether they may be ignored.

A tensor may be ignored if it belongs to a part that the class does not have by design: a head for
another task, the layers of multi-token prediction, or, in a model for text and other inputs, the
part that reads images or sound. So may values that every class computes itself and that older
releases of transformers saved. Any other tensor *inside* a part that the class does have (a bias, a
further layer, a scale) would change the model's outputs; it is never ignored.
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
"""Names of parts for other tasks, beside a model's body."""

_TEXT = frozenset({"language_model", "text_model", "llm", "thinker"})
"""Names of the part for text in a model that also reads other inputs."""

_COMPUTED = frozenset({"masked_bias", "causal_mask", "inv_freq", "position_ids", "version"})
"""Names of tensors that are computed from the configuration, or hold the version of a format."""
_ATTENTION = frozenset({"attn", "attention"})
"""Modules whose own `bias` is the causal mask."""


def may_be_left(model: Any, name: str, *, composite: bool) -> bool:
    """Whether a tensor that the model does not know can be ignored without changing its outputs.

    `composite`: the checkpoint is for more inputs than text; `model` may be its part for text.
    """
    return _is_computed(model, name) or _is_elsewhere(model, name, composite=composite)


def _is_computed(model: Any, name: str) -> bool:
    *path, last = name.split(".")
    if last in _COMPUTED:
        return True
    inside = f"{model.base_model_prefix}.{name}"
    if any(buffer in {name, inside} for buffer, _ in model.named_buffers()):
        return True  # not a buffer that is saved: the loader would know it
    if last != "bias" or not path or path[-1] not in _ATTENTION:
        return False
    modules = dict(model.named_modules())
    module = modules.get(".".join(path)) or modules.get(
        f"{model.base_model_prefix}.{'.'.join(path)}"
    )
    return module is not None and not any(True for _ in module.parameters(recurse=False))


def _is_elsewhere(model: Any, name: str, *, composite: bool) -> bool:
    """Whether a tensor belongs to a part that this class does not have by design."""
    module, body = model, model.base_model
    parts = name.split(".")
    for number, part in enumerate(parts):
        if module is not model and module is not body:
            return False
        children = dict(module.named_children())
        if part not in children:
            # A tensor directly in the outermost module belongs to no part: its use is not known.
            beside = composite and _TEXT.isdisjoint(parts)
            return number < len(parts) - 1 and (part in _OTHER_TASKS or beside)
        module = children[part]
    return False
