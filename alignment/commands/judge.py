"""A judge's thresholds, and how far answers and scores depend on being computed together."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alignment.commands.numbers import real, whole
from alignment.config.location import location
from alignment.store import Store


def declare(commands: Any) -> None:
    """Add `calibrate` and `check-invariance`."""
    calibrate = commands.add_parser("calibrate", help="propose thresholds for a profile's judge")
    calibrate.set_defaults(command=_calibrate)
    calibrate.add_argument("name", nargs="?", metavar="NAME|FILE", help="of the profile")
    calibrate.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE")
    calibrate.add_argument("--alignment-store", metavar="DIR")
    calibrate.add_argument(
        "--false-passes",
        type=real(0, 1),
        metavar="SHARE",
        help="let at most this share of rejected answers pass; default: Youden's threshold",
    )
    calibrate.add_argument(
        "--write", type=Path, metavar="FILE", help="set the thresholds in this profile's file"
    )

    check = commands.add_parser(
        "check-invariance", help="how far answers or scores depend on being computed together"
    )
    check.set_defaults(command=_check_invariance)
    check.add_argument("model", metavar="MODEL", help="a folder, a hub id, or one of the profile's")
    check.add_argument("--judge", action="store_true", help="MODEL is a judge")
    check.add_argument("--profile", metavar="NAME|FILE", help="whose prompts and settings")
    check.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE")
    check.add_argument("--dtype", help="default: the profile's")
    check.add_argument("--device", help="default: the profile's")
    check.add_argument(
        "--prompts", type=whole(1, 1_000_000), metavar="N", help="per axis; default: all"
    )
    check.add_argument("--alignment-store", metavar="DIR")


def _calibrate(options: argparse.Namespace) -> Iterator[str]:
    from alignment.config.layers import resolve  # noqa: PLC0415
    from alignment.study import thresholds as calibrating  # noqa: PLC0415 - loads pydantic

    profile = resolve(Path.cwd(), selected=options.name, assignments=options.set)
    if options.write is not None:
        calibrating.check_target(options.write)
    root = location(options.alignment_store)
    found = calibrating.proposals(profile, root, options.false_passes)
    for axis, proposal in found.items():
        yield f"[axes.{axis}]"
        yield f"threshold = {calibrating.threshold_of(proposal)}"
        yield 'comparison = ">="'
        yield f"# {calibrating.remark(proposal)}"
    if options.write is not None:
        calibrating.write_into(options.write, found, extends=options.name or profile.name)
        yield f"written to {options.write}"


def _check_invariance(options: argparse.Namespace) -> Iterator[str]:
    from alignment.config.layers import resolve  # noqa: PLC0415
    from alignment.progress import Progress  # noqa: PLC0415
    from alignment.study.invariance import measure_invariance, table  # noqa: PLC0415 - loads pydantic
    from alignment.study.study import Study  # noqa: PLC0415

    chosen = {"dtype": options.dtype, "device": options.device}
    given = [f"{key}={value}" for key, value in chosen.items() if value]
    profile = resolve(Path.cwd(), selected=options.profile, assignments=[*options.set, *given])
    progress = Progress(sys.stderr, live=sys.stderr.isatty())
    study = Study(profile, Store(location(options.alignment_store)), progress=progress)
    record = measure_invariance(study, options.model, judge=options.judge, count=options.prompts)
    yield from table(record)
