"""Device, threads and quiet loading: how torch and transformers are used here."""

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
"""The driver has a folder for every GPU there."""

PANIC = "PanicException"
"""What a library that is written in Rust (tokenizers) raises over what it did not foresee; it is
no `Exception`, and its class cannot be imported."""

_LONGEST = 300
"""Characters of a library's error that are told."""


def device_of(wanted: str) -> str:
    """The device that a profile's `device` means here, found without importing torch.

    `auto` looks for the driver's files, because a run whose results are all in the store should not
    spend 3 s on torch to learn its own key; `configure_torch` then holds torch against the answer.
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
    """A device without its number, as it stands in keys: which of several made it is no matter."""
    return device.partition(":")[0]


def leave_one_gpu(worker: int, environment: MutableMapping[str, str], driver: Path = _GPUS) -> None:
    """Leave one GPU visible to this process: worker i of several takes GPU i, and so on in turn.

    What is visible CUDA counts from 0, so that neither a key nor a trainer ever hears a number.
    Torch must not have looked yet; it is not needed to count.
    """
    told = environment.get("CUDA_VISIBLE_DEVICES")
    if told is None:
        gpus = [str(number) for number, _ in enumerate(driver.glob("*"))]
    else:
        gpus = [each.strip() for each in told.split(",") if each.strip()]
    if len(gpus) > 1:
        environment["CUDA_VISIBLE_DEVICES"] = gpus[worker % len(gpus)]


def configure_torch(device: str, threads: int) -> None:
    """Set torch up for heavy work. Raises ModelError when it cannot use the device.

    `threads` fixes the CPU threads (0: leave them), so that sums are taken in the same order.
    """
    let_waiting_threads_sleep()
    import torch  # noqa: PLC0415 - 2.6 s

    if threads:
        torch.set_num_threads(threads)
    kind = kind_of(device)
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there[kind]:
        raise ModelError(
            f"device {device!r}: this torch ({torch.__version__}) cannot use it; "
            f"set device = 'cpu' in the profile"
        )


def let_waiting_threads_sleep() -> None:
    """Have waiting threads sleep after a moment of spinning; OpenMP reads it when torch is loaded.

    Spinning on, two processes on the same cores stall each other (two short trainings on two cores:
    112 s, or 18), and sleeping at once costs small models a third of their speed.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def versions(*packages: str) -> dict[str, str]:
    """The installed versions of the libraries that a result depends on; `none` if not installed."""
    return {name: _version(name) for name in packages}


@cache
def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # our own, when run from a bare checkout
        return "none"


def quieten() -> None:
    """Keep transformers' bars and advice out of the terminal: progress is told in one place."""
    # Else loading a pickle from the hub asks a service there to convert the repository.
    os.environ["DISABLE_SAFETENSORS_CONVERSION"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers.utils import logging  # noqa: PLC0415

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def load_quietly(load: Callable[..., Any], *args: Any, **settings: Any) -> Any:
    """Call a `from_pretrained` with local files only, no remote code, no chatter."""
    quieten()
    with loading(args[0]):
        return load(*args, local_files_only=True, trust_remote_code=False, **settings)


@contextlib.contextmanager
def loading(model: Any) -> Iterator[None]:
    """Say in one line why a model's files cannot be loaded. Raises ModelError.

    A loader may raise anything over a folder that is damaged or hostile: whatever it is, the
    folder is to blame and is named. Errors of ours go through.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries, about each other
            yield
    except AlignmentError:
        raise
    except pickle.UnpicklingError as error:  # torch's advice is to run what is in there
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
        raise ModelError(f"model {model}: cannot be loaded: {_told(error)}") from error
    except BaseException as error:
        if type(error).__name__ != PANIC:
            raise
        raise ModelError(f"model {model}: cannot be loaded: {_told(error)}") from error


def _out_of_memory(error: Exception) -> bool:
    """Whether it is Python's own error, or torch's, which need not be imported to know it."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def _told(error: BaseException) -> str:
    """An error with what kind it is, where its text alone (`'weight'`, `0`) says nothing."""
    told = first_line(error)
    bare = isinstance(error, (LookupError, AttributeError, TypeError, ArithmeticError))
    return f"{type(error).__name__}: {told}" if bare and told != type(error).__name__ else told


def first_line(error: BaseException) -> str:
    """What a library's error says, without the advice beneath, cut where it runs on."""
    first, *more = str(error).strip().splitlines() or [type(error).__name__]
    if first.endswith(":") and more:  # it only announces what went wrong
        first = f"{first} {more[0].strip()}"
    return first[:_LONGEST]
