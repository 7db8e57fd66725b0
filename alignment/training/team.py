"""The processes that train a model together: one, or as many as a launcher started.

`torchrun` and `accelerate launch` run one command several times, and accelerate joins what they
start. The first process leads: it alone takes locks, looks for models, writes and speaks. The
others take part in the training and wait for its word, never at a file lock, which it may hold.
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

_PATIENCE = timedelta(days=7)
"""How long the others wait, while the leader waits for a model that is being trained elsewhere."""


@dataclass(frozen=True, slots=True)
class Team:
    """So many processes, and whether this one leads them."""

    size: int = 1
    leads: bool = True

    def lead(self, work: Callable[[], T]) -> T:
        """Have the leader do some work; gives what came of it in every process."""
        if self.size == 1:
            return work()
        from accelerate.utils import broadcast_object_list  # noqa: PLC0415 - imports torch

        told: list[Any] = broadcast_object_list([work() if self.leads else None])
        return told[0]  # type: ignore[no-any-return]

    @contextlib.contextmanager
    def led(self, holding: Callable[[], contextlib.AbstractContextManager[T]]) -> Iterator[T]:
        """What the leader alone enters (a lock, a folder), entered and left for every process.

        What it gives is known to all; it is left when the leader is through, and nobody goes on
        before.
        """
        with contextlib.ExitStack() as stack:
            yield self.lead(lambda: stack.enter_context(holding()))
        self.lead(lambda: None)

    @contextlib.contextmanager
    def one_voice(self, folder: Path) -> Iterator[None]:
        """Where one process fails all do; the first says why, the others `ReportedElsewhere`.

        A failure cannot be told by those who wait for each other in the middle of a step, so it is
        marked in `folder`, which all can see.
        """
        with contextlib.ExitStack() as stack:
            make = lambda: stack.enter_context(TemporaryDirectory(dir=folder))  # noqa: E731
            mark = Path(self.lead(make)) / "failed"
            try:
                yield
            except Exception as error:
                try:
                    mark.touch(exist_ok=False)
                except OSError:  # somebody was first, or the leader has gone
                    raise ReportedElsewhere from error
                if isinstance(error, AlignmentError):
                    raise
                raise CrashError(f"{type(error).__name__}: {error}".splitlines()[0]) from error

    def dismiss(self) -> None:
        """Leave the others in order: a process that just ends may be aborted on its way out."""
        if self.size > 1:
            from accelerate import PartialState  # noqa: PLC0415 - imports torch

            PartialState().destroy_process_group()


ALONE = Team()


def first() -> bool:
    """Whether this process will lead, as the launcher says before the others are known."""
    return os.environ.get("RANK", "0") == "0"


def assemble(device: str) -> Team:
    """Join the processes that a launcher started: `ALONE` without one, or where it started one."""
    if int(os.environ.get("WORLD_SIZE") or 1) == 1:
        return ALONE
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # advice on DDP, from every process
    from accelerate import PartialState  # noqa: PLC0415 - imports torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on threads: the profile says how many
        state = PartialState(cpu=device == "cpu", timeout=_PATIENCE)
    return Team(state.num_processes, state.is_main_process)


def divided(args: dict[str, Any], processes: int) -> dict[str, Any]:
    """A trainer's arguments such that several processes make the steps that one would make.

    A step sees as many rows as the recipe says, whoever trains it. Gradient accumulation is divided
    first, so that what fits into the memory of one device goes on fitting. Raises TrainingError
    where the batch cannot be divided.
    """
    batch, steps = (
        args.get(name, default)
        for name, default in (
            ("per_device_train_batch_size", 8),
            ("gradient_accumulation_steps", 1),
        )
    )
    if processes == 1 or not all(isinstance(each, int) and each > 0 for each in (batch, steps)):
        return args  # what is no number the trainer refuses
    shared = gcd(steps, processes)
    if batch % (processes // shared):
        raise TrainingError(
            f"a step of {batch * steps} rows (per_device_train_batch_size = {batch}, "
            f"gradient_accumulation_steps = {steps}) cannot be divided among {processes} "
            f"processes; start another number of them or change args"
        )
    return args | {
        "per_device_train_batch_size": batch // (processes // shared),
        "gradient_accumulation_steps": steps // shared,
    }
