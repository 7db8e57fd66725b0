"""The commands `calibrate` and `check-invariance`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alignment.commands.numbers import real, whole
from alignment.commands.shared import PROFILE, add_set, add_store
from alignment.config.location import location
from alignment.store import Store


def declare(commands: Any) -> None:
    """Add `calibrate` and `check-invariance`."""
    calibrate = commands.add_parser("calibrate", help="propose thresholds for a profile's judge")
    calibrate.set_defaults(command=_calibrate)
    calibrate.add_argument("name", nargs="?", metavar="NAME|FILE", help=PROFILE)
    add_set(calibrate)
    add_store(calibrate)
    calibrate.add_argument(
        "--false-passes",
        type=real(0, 1),
        metavar="SHARE",
        help="choose the threshold that at most this share of rejected answers passes, from 0 to "
        "1; default: the threshold that maximizes Youden's J",
    )
    calibrate.add_argument(
        "--write", type=Path, metavar="FILE", help="write the thresholds into this profile file"
    )

    check = commands.add_parser(
        "check-invariance",
        help="measure how far a model's answers, or a judge's scores, depend on batching",
    )
    check.set_defaults(command=_check_invariance)
    check.add_argument(
        "model", metavar="MODEL", help="a folder, a hub id, or the name of a variant of the profile"
    )
    check.add_argument("--judge", action="store_true", help="MODEL is a judge")
    check.add_argument(
        "--profile",
        metavar="NAME|FILE",
        help="the profile with the prompts and settings to use; default as for `profile`",
    )
    add_set(check)
    check.add_argument("--dtype", help="the precision of the model; default: dtype of the profile")
    check.add_argument(
        "--device", help="the device that the model runs on; default: device of the profile"
    )
    check.add_argument(
        "--prompts",
        type=whole(1, 1_000_000),
        metavar="N",
        help="the number of prompts per axis; default: all",
    )
    add_store(check)


def _calibrate(options: argparse.Namespace) -> Iterator[str]:
    from alignment.config.layers import resolve  # noqa: PLC0415
    from alignment.study import thresholds as calibrating  # noqa: PLC0415 - loads pydantic

    profile = resolve(Path.cwd(), selected=options.name, assignments=options.set)
    if options.write is not None:
        calibrating.check_target(options.write)
    root = location(options.store)
    proposals = calibrating.proposals(profile, root, options.false_passes)
    for axis, proposal in proposals.items():
        yield f"[axes.{axis}]"
        yield f"threshold = {calibrating.threshold_of(proposal)}"
        yield 'comparison = ">="'
        yield f"# {calibrating.remark(proposal)}"
    if options.write is not None:
        calibrating.require_informative(proposals)
        calibrating.write_into(options.write, proposals, extends=options.name or profile.name)
        yield f"thresholds written to {options.write}"


def _check_invariance(options: argparse.Namespace) -> Iterator[str]:
    from alignment.config.layers import resolve  # noqa: PLC0415
    from alignment.progress import Progress  # noqa: PLC0415
    from alignment.study.invariance import measure_invariance, table  # noqa: PLC0415 - loads pydantic
    from alignment.study.study import Study  # noqa: PLC0415

    settings = {"dtype": options.dtype, "device": options.device}
    assignments = [*options.set, *(f"{key}={value}" for key, value in settings.items() if value)]
    profile = resolve(Path.cwd(), selected=options.profile, assignments=assignments)
    progress = Progress(sys.stderr, live=sys.stderr.isatty())
    study = Study(profile, Store(location(options.store)), progress=progress)
    record = measure_invariance(study, options.model, judge=options.judge, count=options.prompts)
    yield from table(record)
