"""Numbers that are not finite: found where a model's outputs are read, and explained in one line.

What is NaN or infinite is no answer and no score, though `argmax` and a sigmoid make one of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alignment.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor


class NotFiniteError(ModelError):
    """A model's outputs are NaN or infinite: nothing can be chosen or judged by them."""


def check_logits(logits: Tensor) -> None:
    """Raise NotFiniteError where no token can be chosen by a row of `logits` (rows, vocabulary).

    Some models rule tokens out with minus infinity; the highest logit is finite all the same.
    """
    check_finite(logits.amax(-1), "logits")  # NaN where any is


def check_finite(outputs: Tensor, what: str = "outputs") -> None:
    """Raise NotFiniteError where one of a model's `outputs` is NaN or infinite."""
    wrong = outputs[~outputs.isfinite()]
    if len(wrong):
        raise NotFiniteError(f"its {what} are not finite ({float(wrong[0])})")


def damaged(tensors: dict[str, Tensor]) -> list[str]:
    """The names of those tensors that hold NaN or infinity."""
    return [
        name
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and not bool(tensor.isfinite().all())
    ]


def explanation(
    model: Any, error: NotFiniteError, *, dtype: str, quantized: bool = False, where: str = ""
) -> str:
    """What is not finite, where that comes from, and what to do: the rest of a line on a model."""
    found = f"{error} in {dtype}{where}"
    wrong = damaged(model.state_dict())
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return (
            f"{found}: NaN or infinity stands in its weights ({wrong[0]}{more}); save the "
            f"checkpoint again, or take one from before its training diverged"
        )
    if quantized:
        return f"{found}: its weights are finite; use another `quantization`, or none"
    if dtype != "float32":
        wider = "'bfloat16' or 'float32'" if dtype == "float16" else "'float32'"
        return f"{found}: its weights are finite and the sums overflow; set dtype = {wider}"
    return (
        f"{found}: its weights are finite but too large for the sums; take a checkpoint from "
        f"before its training diverged"
    )
