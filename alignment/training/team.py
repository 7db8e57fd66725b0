"""The processes that train a model together: one, or as many as a launcher started.

`torchrun` and `accelerate launch` run one command several times, and accelerate connects these
processes. The first one leads: it alone takes locks, looks for models, writes files and prints. The
others take part in training and wait for its broadcasts, never for a file lock, which it may hold.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from math import gcd
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from alignment.errors import AlignmentError, CrashError, ReportedElsewhere, TrainingError

T = TypeVar("T")

_TIMEOUT = timedelta(days=7)
"""How long the others wait for the leader, which may wait for another run's training."""


@dataclass(frozen=True, slots=True)
class Team:
    """The number of processes, and whether this one leads them."""

    size: int = 1
    leads: bool = True

    def lead(self, work: Callable[[], T]) -> T:
        """Do `work` in the leader only; returns its result in every process."""
        if self.size == 1:
            return work()
        from accelerate.utils import broadcast_object_list  # noqa: PLC0415 - imports torch

        result: list[Any] = broadcast_object_list([work() if self.leads else None])
        return result[0]  # type: ignore[no-any-return]

    @contextlib.contextmanager
    def led(self, holding: Callable[[], contextlib.AbstractContextManager[T]]) -> Iterator[T]:
        """Enter a context manager (a lock, a folder) in the leader only; yields its value to all.

        It is left when the leader leaves the block, and all processes wait for that.
        """
        with contextlib.ExitStack() as stack:
            yield self.lead(lambda: stack.enter_context(holding()))
        self.lead(lambda: None)

    @contextlib.contextmanager
    def one_voice(self, folder: Path) -> Iterator[None]:
        """If several processes fail, the first raises its error, the others `ReportedElsewhere`.

        Processes in the middle of a step cannot communicate, so the first failure creates a file
        below `folder`, which all processes share.
        """
        with contextlib.ExitStack() as stack:
            make = lambda: stack.enter_context(TemporaryDirectory(dir=folder))  # noqa: E731
            mark = Path(self.lead(make)) / "failed"
            try:
                yield
            except Exception as error:
                try:
                    mark.touch(exist_ok=False)
                except OSError:  # another was first, or the leader has ended
                    raise ReportedElsewhere from error
                if isinstance(error, AlignmentError):
                    raise
                raise CrashError(f"{type(error).__name__}: {error}".splitlines()[0]) from error

    def dismiss(self) -> None:
        """Disconnect from the others: without it, a process may be aborted while it exits."""
        if self.size > 1:
            from accelerate import PartialState  # noqa: PLC0415 - imports torch

            PartialState().destroy_process_group()


ALONE = Team()


def first() -> bool:
    """Whether this process will lead, from the launcher's `RANK`; valid before `assemble`."""
    return os.environ.get("RANK", "0") == "0"


def assemble(device: str) -> Team:
    """Connect to the processes that a launcher started; `ALONE` if there is just this one."""
    if int(os.environ.get("WORLD_SIZE") or 1) == 1:
        return ALONE
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else every process prints advice on DDP
    from accelerate import PartialState  # noqa: PLC0415 - imports torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about threads, whose number the profile sets
        state = PartialState(cpu=device == "cpu", timeout=_TIMEOUT)
    return Team(state.num_processes, state.is_main_process)


def divided(args: dict[str, Any], processes: int) -> dict[str, Any]:
    """A trainer's arguments, changed so that a step of all processes has as many rows as before.

    Gradient accumulation is divided first and the batch per device second, so that a batch which
    fits into a device's memory still fits. Raises TrainingError if rows cannot be divided.
    """
    batch, steps = (
        args.get(name, default)
        for name, default in (
            ("per_device_train_batch_size", 8),
            ("gradient_accumulation_steps", 1),
        )
    )
    if processes == 1 or not all(isinstance(each, int) and each > 0 for each in (batch, steps)):
        return args  # the trainer refuses other values itself
    step_factor = gcd(steps, processes)
    if batch % (processes // step_factor):
        raise TrainingError(
            f"a step of {batch * steps} rows (per_device_train_batch_size = {batch}, "
            f"gradient_accumulation_steps = {steps}) cannot be divided among {processes} "
            f"processes; start another number of them or change args"
        )
    return args | {
        "per_device_train_batch_size": batch // (processes // step_factor),
        "gradient_accumulation_steps": steps // step_factor,
    }
