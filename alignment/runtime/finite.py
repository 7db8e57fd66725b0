"""Finds outputs of a model that are not finite, and explains them in one line.

NaN and infinity must not become an answer or a score, as `argmax` and a sigmoid would make of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alignment.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor


class NotFiniteError(ModelError):
    """A model's outputs are NaN or infinite: they give no token and no score."""


def check_logits(logits: Tensor) -> None:
    """Raise NotFiniteError if a row of `logits` (rows, vocabulary) has no finite highest logit.

    Other logits may be minus infinity: some models exclude tokens that way.
    """
    check_finite(logits.amax(-1), "logits")  # NaN where any is


def check_finite(outputs: Tensor, what: str = "outputs") -> None:
    """Raise NotFiniteError if one of a model's `outputs` is NaN or infinite; `what` names them."""
    wrong = outputs[~outputs.isfinite()]
    if len(wrong):
        raise NotFiniteError(f"its {what} are not finite ({float(wrong[0])})")


def damaged(tensors: dict[str, Tensor]) -> list[str]:
    """The names of the tensors with NaN or infinity in them."""
    return [
        name
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and not bool(tensor.isfinite().all())
    ]


def explanation(
    model: Any, error: NotFiniteError, *, dtype: str, quantized: bool = False, where: str = ""
) -> str:
    """What is not finite, why, and what to do, as the end of a message about a model.

    `where` is added to the error's text, for example the prompt.
    """
    problem = f"{error} in {dtype}{where}"
    wrong = damaged(model.state_dict())
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return (
            f"{problem}: NaN or infinity stands in its weights ({wrong[0]}{more}); save the "
            f"checkpoint again, or take one from before its training diverged"
        )
    if quantized:
        return f"{problem}: its weights are finite; use another `quantization`, or none"
    if dtype != "float32":
        wider = "'bfloat16' or 'float32'" if dtype == "float16" else "'float32'"
        return f"{problem}: its weights are finite and the sums overflow; set dtype = {wider}"
    return (
        f"{problem}: its weights are finite but too large for the sums; take a checkpoint from "
        f"before its training diverged"
    )
