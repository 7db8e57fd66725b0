"""`python -m alignment`, or `alignment-gate`: its commands.

Each module declares its commands (`declare`); a command is a generator of the lines to print.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from alignment.commands import gate, judge, models, reports, starting, storage
from alignment.errors import AlignmentError, ReportedElsewhere
from alignment.reporting.text import inert, one_line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0, or 2 with one line on stderr when something is wrong.

    `compare` gives 1 for a fail or what cannot be compared, and 3 where the data do not decide.
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
        print(inert(text))  # noqa: T201
    return int(options.exit)


_SCRIPT = "alignment-gate"
"""The console script, as `pyproject.toml` calls it."""


class _Parser(argparse.ArgumentParser):
    """Says in one line what it does not understand, as the commands do."""

    def error(self, message: str) -> NoReturn:
        raise AlignmentError(f"{message}; see {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    called = Path(sys.argv[0]).stem
    parser = _Parser(
        prog=_SCRIPT if called == _SCRIPT else "python -m alignment",
        description="The tools around the alignment regression gate: set it up, train models, "
        "calibrate and check judges, compare runs, and show reports. The gate itself runs with "
        "pytest.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (starting, gate, judge, models, reports, storage):
        module.declare(commands)
    return parser
