"""The command `init`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def declare(commands: Any) -> None:
    """Add `init`."""
    init = commands.add_parser(
        "init",
        help="write a suite, a profile, a baseline folder and a CI workflow; never overwrites a "
        "file",
    )
    init.set_defaults(command=_init)
    init.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="the folder of your repository; default: the current folder",
    )
    init.add_argument(
        "--profile",
        default="tiny",
        metavar="NAME",
        help="the built-in profile to start from; default tiny",
    )


def _init(options: argparse.Namespace) -> Iterator[str]:
    from alignment.commands.suite import start  # noqa: PLC0415 - loads pydantic

    started = start(options.folder, options.profile)
    yield f"wrote {', '.join(started.written) or 'nothing'}"
    if started.left:
        yield f"not changed, because they exist: {', '.join(started.left)}"
    yield "next: run pytest eval_suites, then name your models in alignment.toml"
    yield (
        "to accept a run: remove gate.against from alignment.toml, run "
        "pytest eval_suites --snapshot-update, commit eval_suites/__baselines__"
    )
