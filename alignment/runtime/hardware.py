"""The device and the threads of torch, and quiet loading with transformers."""

from __future__ import annotations

import contextlib
import os
import pickle
import platform
import sys
import warnings
from collections.abc import Callable, Iterator, MutableMapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from alignment.errors import AlignmentError, ModelError

_GPUS = Path("/proc/driver/nvidia/gpus")
"""NVIDIA's driver has a folder in it for every GPU."""

PANIC = "PanicException"
"""Name of the exception for a panic in a library written in Rust (tokenizers); it is no
`Exception`, and its class cannot be imported."""

_LONGEST = 300
"""Characters of a library's error that are shown."""


def device_of(wanted: str) -> str:
    """The device on this machine for a profile's `device`, found without importing torch.

    For `auto`, GPU drivers are looked for: the device is part of store keys, and a run whose
    results are all stored should not spend 3 s on importing torch. `configure_torch` checks later
    that torch can use the device.
    """
    if wanted != "auto":
        return wanted
    build = versions("torch")["torch"]
    if "+cpu" not in build and os.environ.get("CUDA_VISIBLE_DEVICES") != "":
        drivers = ("/proc/driver/nvidia/version", "/dev/nvidia0", "/dev/kfd")
        if any(Path(driver).exists() for driver in drivers):
            return "cuda"
    return "mps" if (sys.platform, platform.machine()) == ("darwin", "arm64") else "cpu"


def kind_of(device: str) -> str:
    """A device without its number (`cuda:1` -> `cuda`), as it is part of store keys."""
    return device.partition(":")[0]


def leave_one_gpu(worker: int, environment: MutableMapping[str, str], driver: Path = _GPUS) -> None:
    """Leave one GPU visible to this process: worker i of pytest-xdist uses GPU i, in turn.

    The environment is changed. CUDA numbers visible GPUs from 0, so that keys and trainers need no
    number. Call it before torch is imported.
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        gpus = [str(number) for number, _ in enumerate(driver.glob("*"))]
    else:
        gpus = [each.strip() for each in visible.split(",") if each.strip()]
    if len(gpus) > 1:
        environment["CUDA_VISIBLE_DEVICES"] = gpus[worker % len(gpus)]


def configure_torch(device: str, threads: int) -> None:
    """Import torch and set its threads. Raises ModelError if it cannot use the device.

    `threads` is the number of CPU threads (0: torch's default); with a fixed number, sums are
    computed in the same order every time.
    """
    let_waiting_threads_sleep()
    import torch  # noqa: PLC0415 - 2.6 s

    if threads:
        torch.set_num_threads(threads)
    kind = kind_of(device)
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available[kind]:
        raise ModelError(
            f"device {device!r}: this torch ({torch.__version__}) cannot use it; "
            f"set device = 'cpu' in the profile"
        )


def let_waiting_threads_sleep() -> None:
    """Let OpenMP's waiting threads sleep after a short spin. Call it before torch is imported.

    If they spin on, two processes on the same cores stall each other (two short trainings on two
    cores: 112 s instead of 18 s). If they sleep at once, small models lose a third of their speed.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def versions(*packages: str) -> dict[str, str]:
    """Package -> its installed version; `none` if not installed."""
    return {name: _version(name) for name in packages}


@cache
def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # also our own package in a checkout
        return "none"


def quieten() -> None:
    """Turn off the progress bars and warnings of transformers, and settings that cause requests."""
    # Otherwise loading a pickle from the hub asks a service there to convert the repository.
    os.environ["DISABLE_SAFETENSORS_CONVERSION"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers.utils import logging  # noqa: PLC0415

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def load_quietly(load: Callable[..., Any], *args: Any, **settings: Any) -> Any:
    """Call a `from_pretrained` with local files only, without remote code and without output.

    The first of `args` is the path. Raises ModelError.
    """
    quieten()
    with loading(args[0]):
        return load(*args, local_files_only=True, trust_remote_code=False, **settings)


@contextlib.contextmanager
def loading(model: Any) -> Iterator[None]:
    """Turn any exception in the block into a ModelError of one line that names the model.

    A loader may raise any exception for a damaged or hostile folder. An AlignmentError is raised as
    it is.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries, about each other
            yield
    except AlignmentError:
        raise
    except pickle.UnpicklingError as error:  # torch's own message advises to unpickle the file
        raise ModelError(
            f"model {model}: its pickled weights are damaged or hold more than data; only data is "
            f"ever loaded"
        ) from error
    except Exception as error:
        if _out_of_memory(error):
            raise ModelError(
                f"model {model}: there is too little memory to load it; use a smaller model, "
                f"dtype = 'bfloat16' or another device"
            ) from error
        raise ModelError(f"model {model}: cannot be loaded: {_describe(error)}") from error
    except BaseException as error:
        if type(error).__name__ != PANIC:
            raise
        raise ModelError(f"model {model}: cannot be loaded: {_describe(error)}") from error


def _out_of_memory(error: Exception) -> bool:
    """Whether an error is Python's MemoryError or torch's OutOfMemoryError, by its name."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def _describe(error: BaseException) -> str:
    """An error's first line; with its class where the text alone (`'weight'`, `0`) says little."""
    message, kind = first_line(error), type(error).__name__
    bare = isinstance(error, (LookupError, AttributeError, TypeError, ArithmeticError))
    return f"{kind}: {message}" if bare and message != kind else message


def first_line(error: BaseException) -> str:
    """The first line of an error's text, at most 300 characters; its class if it has no text."""
    first, *more = str(error).strip().splitlines() or [type(error).__name__]
    if first.endswith(":") and more:  # the reason is in the next line
        first = f"{first} {more[0].strip()}"
    return first[:_LONGEST]
