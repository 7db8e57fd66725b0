"""Quantization: the profile's table as a quantization config of transformers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from alignment.errors import ModelError
from alignment.runtime.hardware import first_line

_BITSANDBYTES = "bitsandbytes"
_WIDTHS = ("load_in_8bit", "load_in_4bit")


def quantization_config(settings: Mapping[str, Any], model: object) -> Any:
    """The config class that `quant_method` names, called with the other settings.

    Raises ModelError, naming `model`, for a method or an argument that transformers does not have,
    for a value that it refuses, and for a library that is not installed.
    """
    from transformers.quantizers.auto import (  # noqa: PLC0415
        AUTO_QUANTIZATION_CONFIG_MAPPING as KINDS,
    )

    method = settings["quant_method"]
    where = f"model {model}: quantization"
    if method == _BITSANDBYTES and not any(settings.get(width) for width in _WIDTHS):
        raise ModelError(f"{where}: {_BITSANDBYTES} needs {' = true or '.join(_WIDTHS)} = true")
    # transformers registers bitsandbytes once per width, with one config class for both.
    config = KINDS.get("bitsandbytes_8bit" if method == _BITSANDBYTES else method)
    if config is None:
        known = sorted({_BITSANDBYTES, *KINDS})
        raise ModelError(f"{where}: there is no quant_method {method!r}; known: {', '.join(known)}")
    arguments = {name: value for name, value in settings.items() if name != "quant_method"}
    known = sorted(set(inspect.signature(config).parameters) - {"kwargs", "quant_method"})
    for name in arguments:
        if name not in known:
            raise ModelError(
                f"{where}: {config.__name__} has no argument {name!r}; known: {', '.join(known)}"
            )
    try:
        return config(**arguments)
    except (ImportError, ValueError, TypeError) as error:
        raise ModelError(f"{where}: {method}: {first_line(error)}") from error
