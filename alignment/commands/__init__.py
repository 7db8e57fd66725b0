"""`python -m alignment`, or `alignment-gate`: its commands.

Each module adds its commands to the parser (`declare`); a command yields the lines to print.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from alignment.commands import gate, judge, labels, models, reports, starting, storage
from alignment.errors import AlignmentError, ReportedElsewhere
from alignment.reporting.text import inert, one_line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code: 0, or 2 with one line on stderr for an error.

    `compare` returns 1 for `fail` and `invalid`, and 3 where the data do not decide.
    """
    try:
        options = _parser().parse_args(arguments)
        command: Callable[[argparse.Namespace], Iterator[str]] = options.command
        options.exit = 0
        text = "\n".join(command(options))
    except ReportedElsewhere:
        return 2
    except (AlignmentError, ValueError, OSError) as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)  # noqa: T201 - a command line
        return 2
    if text:
        _print(inert(text))
    return int(options.exit)


def _print(text: str) -> None:
    """Print to a reader who may have gone, as `| head` does: that is no error."""
    try:
        print(text, flush=True)  # noqa: T201
    except BrokenPipeError:
        # What is left in the buffer must not be written again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


_SCRIPT = "alignment-gate"
"""The name of the console script in `pyproject.toml`."""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as those of the commands."""

    def error(self, message: str) -> NoReturn:
        raise AlignmentError(f"{message}; see {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    script = Path(sys.argv[0]).stem
    parser = _Parser(
        prog=_SCRIPT if script == _SCRIPT else "python -m alignment",
        description="The tools around the alignment regression gate: set it up, train models, "
        "calibrate and check judges, compare runs, and show reports. The gate itself runs with "
        "pytest.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (starting, gate, labels, judge, models, reports, storage):
        module.declare(commands)
    return parser
