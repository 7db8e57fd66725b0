"""The commands `report` and `history`."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from alignment.commands.shared import add_store
from alignment.commands.storage import opened
from alignment.config.location import location
from alignment.errors import AlignmentError, ReportError
from alignment.reporting.formats import DEFAULT, FORMATS, PICTURES


def declare(commands: Any) -> None:
    """Add `report` and `history`."""
    report = commands.add_parser(
        "report", help="write a report again from its JSON file, without running any model"
    )
    report.set_defaults(command=_report)
    report.add_argument("run", type=Path, metavar="RUN", help="a report's folder, or its JSON file")
    report.add_argument(
        "--format",
        action="append",
        choices=(*FORMATS, "text"),
        metavar="FORMAT",
        help=f"a format to write: {', '.join(FORMATS)}, or text, which is printed; may be "
        f"repeated; default: {', '.join(DEFAULT)}",
    )
    report.add_argument(
        "--to", type=Path, metavar="DIR", help="the folder to write to; default: the folder of RUN"
    )

    history = commands.add_parser("history", help="list and plot the rates of earlier runs")
    history.set_defaults(command=_history)
    history.add_argument(
        "profile", nargs="?", metavar="PROFILE", help="the name of a profile; default: all"
    )
    history.add_argument("--json", action="store_true", help="JSON instead of tables")
    history.add_argument(
        "--figure",
        type=Path,
        metavar="FILE",
        help="plot the trend of PROFILE into FILE, which ends in .svg, .png or .pdf",
    )
    for command in (report, history):
        add_store(command)


def _report(options: argparse.Namespace) -> Iterator[str]:
    from alignment.reporting import terminal  # noqa: PLC0415
    from alignment.reporting.publishing import publish  # noqa: PLC0415
    from alignment.reporting.saved import found_in, read_report  # noqa: PLC0415

    path = found_in(options.run)
    document = read_report(path)
    formats = options.format or list(DEFAULT)
    width = shutil.get_terminal_size().columns
    try:
        if "text" in formats:
            yield from terminal.summary(document, width=width)
            yield from ("", *terminal.headline(document, width=width))
        if files := [each for each in formats if each != "text"]:
            store = opened(location(options.store))
            written = publish(options.to or path.parent, document, files, store)
            yield f"report: {written}"
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise ReportError(
            f"{path}: the report is damaged ({type(error).__name__}: {error}); run the suite again"
        ) from error


def _history(options: argparse.Namespace) -> Iterator[str]:
    from alignment.reporting import jsontext  # noqa: PLC0415
    from alignment.reporting.runs import table  # noqa: PLC0415
    from alignment.store import history  # noqa: PLC0415

    store = opened(location(options.store))
    histories = history.profiles(store) if store else {}
    if options.profile is not None:
        if options.profile not in histories:
            names = ", ".join(histories) or "none"
            raise AlignmentError(
                f"the store has no complete run of profile {options.profile!r}; it has runs of: "
                f"{names}"
            )
        histories = {options.profile: histories[options.profile]}
    if options.figure is not None:
        yield _plot(options.figure, histories, store)
        return
    if options.json:
        yield jsontext.dumps(histories).rstrip()
        return
    if not histories:
        yield "the store has no complete run yet"
    width = shutil.get_terminal_size().columns
    for number, (profile, runs) in enumerate(histories.items()):
        yield from [""] * bool(number)
        yield from table(profile, runs, width)


def _plot(path: Path, histories: Mapping[str, Sequence[Mapping[str, Any]]], store: Any) -> str:
    """Write the trend of a profile's runs; `known` must have exactly one profile."""
    from alignment.files.single import write_file  # noqa: PLC0415
    from alignment.reporting import figures  # noqa: PLC0415
    from alignment.reporting.runs import blank  # noqa: PLC0415

    kind = path.suffix.removeprefix(".")
    if kind not in PICTURES:
        raise AlignmentError(f"--figure {path}: the name must end in .svg, .png or .pdf")
    if path.exists() and not path.is_file():
        raise AlignmentError(
            f"--figure {path}: exists and is not a regular file; choose another name"
        )
    if len(histories) != 1:
        names = ", ".join(histories) or "none"
        raise AlignmentError(f"--figure needs one PROFILE; the store has runs of: {names}")
    ((profile, runs),) = histories.items()
    drawings = figures.render(blank(profile, runs), [kind], store)
    if ("trend", kind) not in drawings:
        raise AlignmentError(
            f"profile {profile!r}: a trend needs at least two runs, and the store has {len(runs)}"
        )
    try:
        write_file(path, drawings["trend", kind])
    except OSError as error:
        raise AlignmentError(f"{path}: cannot be written: {error.strerror}") from error
    return f"figure: {path}"
