"""`python -m alignment`: the store, profiles, training, planning, comparing, the gate on trial."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from alignment.errors import AlignmentError, Elsewhere, StoreError
from alignment.location import ENVIRONMENT, location
from alignment.reporting.text import safe
from alignment.store import Store

_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0, or 2 with one line on stderr when something is wrong.

    `compare` gives 1 for a fail or what cannot be compared, and 3 where the data do not decide.
    """
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], Iterator[str]] = options.command
    options.exit = 0
    try:
        text = "\n".join(command(options))
    except Elsewhere:
        return 2
    except (AlignmentError, ValueError) as error:
        print(f"error: {safe(str(error))}", file=sys.stderr)  # noqa: T201 - a command line
        return 2
    if text:
        print(text)  # noqa: T201
    return int(options.exit)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m alignment", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    store = commands.add_parser("store", help="show what the store holds, or prune it")
    store.set_defaults(command=_show)
    actions = store.add_subparsers(metavar="ACTION")
    prune = actions.add_parser("prune", help="delete what was made long ago")
    prune.set_defaults(command=_prune)
    prune.add_argument("--older-than", required=True, metavar="AGE", help="45m, 12h, 30d or 4w")
    prune.add_argument("--dry-run", action="store_true", help="only say what would go")
    # After `prune` the option counts too, and an absent one there must not undo one before it.
    for command, default in ((store, None), (prune, argparse.SUPPRESS)):
        command.add_argument(
            "--alignment-store",
            metavar="DIR",
            default=default,
            help=f"default: ${ENVIRONMENT}, else the user's cache folder",
        )

    _add_gate(commands)
    _add_training(commands)
    profile = commands.add_parser("profile", help="print a resolved profile as JSON")
    profile.set_defaults(command=_profile)
    profile.add_argument(
        "name",
        nargs="?",
        metavar="NAME|FILE",
        help="default: alignment.toml, [tool.alignment] in pyproject.toml, or tiny",
    )
    profile.add_argument(
        "--set", action="append", default=[], metavar="KEY.PATH=VALUE", help="set one value"
    )
    return parser


def _add_training(commands: Any) -> None:
    train = commands.add_parser(
        "train", help="train a profile's recipes into the store; also under torchrun"
    )
    train.set_defaults(command=_train)
    train.add_argument("name", nargs="?", metavar="NAME|FILE", help="of the profile")
    train.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE")
    train.add_argument(
        "--variant",
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME",
        help="variants, or `judge`, with their parents; default: all that have stages",
    )
    train.add_argument("--alignment-store", metavar="DIR")


def _add_gate(commands: Any) -> None:
    plan = commands.add_parser("plan", help="what a number of prompts can show")
    plan.set_defaults(command=_plan)
    plan.add_argument("--prompts", type=int, default=100, metavar="N", help="per axis; default 100")
    plan.add_argument(
        "--flips", type=float, default=0.1, metavar="SHARE", help="of verdicts; default 0.1"
    )
    plan.add_argument("--margin", type=float, default=10.0, help="in points; default 10")
    plan.add_argument("--confidence", type=float, default=0.95, help="default 0.95")
    plan.add_argument("--variants", type=int, default=1, help="gated variants; default 1")

    compare = commands.add_parser("compare", help="the gate between two runs or variants")
    compare.set_defaults(command=_compare)
    for name, which in (("before", "earlier"), ("after", "later")):
        compare.add_argument(
            name, help=f"the {which} one: a report folder, FOLDER:VARIANT, or a VARIANT of --report"
        )
    compare.add_argument("--report", type=Path, default=Path("reports/alignment"), metavar="DIR")
    compare.add_argument("--json", action="store_true", help="JSON instead of a table")

    calibrate = commands.add_parser("calibrate", help="propose thresholds for a profile's judge")
    calibrate.set_defaults(command=_calibrate)
    calibrate.add_argument("name", nargs="?", metavar="NAME|FILE", help="of the profile")
    calibrate.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE")
    calibrate.add_argument("--alignment-store", metavar="DIR")
    calibrate.add_argument(
        "--false-passes",
        type=float,
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
    check.add_argument("--prompts", type=int, metavar="N", help="per axis; default: all")
    check.add_argument("--alignment-store", metavar="DIR")

    simulate = commands.add_parser("simulate", help="put the gate itself on trial")
    simulate.set_defaults(command=_simulate)
    simulate.add_argument("--runs", type=int, default=4000, help="per row; default 4000")
    simulate.add_argument("--seed", type=int, default=0)


# -- commands: each gives the lines to print -----------------------------------------------------


def _show(options: argparse.Namespace) -> Iterator[str]:
    root = location(options.alignment_store)
    yield f"store {root}"
    store = _opened(root)
    if store is None:
        yield "empty: nothing was stored there yet"
        return
    yield f"{_size(_bytes(root))} on disk"
    for kind, count, size in store.contents():
        yield f"  {kind:<12}{count:>8}  {_size(size):>10}"
    for folder in store.folders():
        manifest = store.manifest(folder.name) or {}
        age = _age(time.time() - folder.stat().st_mtime)
        name = manifest.get("name", "unnamed")
        yield f"  model {folder.name}  {_size(_bytes(folder)):>10}  {age:>5} old  {name}"


def _prune(options: argparse.Namespace) -> Iterator[str]:
    seconds, root = _duration(options.older_than), location(options.alignment_store)
    store = _opened(root)
    records, models = store.prune(older_than=seconds, dry_run=options.dry_run) if store else (0, 0)
    done = "would delete" if options.dry_run else "deleted"
    yield f"store {root}: {done} {records} records and {models} models"


def _profile(options: argparse.Namespace) -> Iterator[str]:
    from alignment.layers import resolve  # noqa: PLC0415 - loads pydantic
    from alignment.reporting import jsontext  # noqa: PLC0415

    profile = resolve(Path.cwd(), selected=options.name, assignments=options.set)
    yield jsontext.dumps(dict(profile.resolved())).rstrip()


def _plan(options: argparse.Namespace) -> Iterator[str]:
    from alignment.analysis.power import plan_line  # noqa: PLC0415

    family = 2 * options.variants
    settings = (options.prompts, options.flips, options.margin, options.confidence, family)
    yield plan_line(*settings) + "."


def _compare(options: argparse.Namespace) -> Iterator[str]:
    from alignment.decisions import worst  # noqa: PLC0415
    from alignment.gating.reports import compare, side  # noqa: PLC0415
    from alignment.reporting import gate, jsontext  # noqa: PLC0415

    found = compare(side(options.before, options.report), side(options.after, options.report))
    outcome = worst(*(each.outcome for each in found.decisions))
    options.exit = {"pass": 0, "fail": 1, "invalid": 1}.get(outcome, 3)
    told = gate.plain_gate(found)
    if options.json:
        yield jsontext.dumps(told | {"outcome": outcome}).rstrip()
        return
    width = shutil.get_terminal_size().columns
    yield from gate.summary(told, width)[1:]
    yield from gate.concerns(told, width)


def _calibrate(options: argparse.Namespace) -> Iterator[str]:
    from alignment import calibrating  # noqa: PLC0415 - loads pydantic
    from alignment.layers import resolve  # noqa: PLC0415

    profile = resolve(Path.cwd(), selected=options.name, assignments=options.set)
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
    from alignment.invariance import measured, table  # noqa: PLC0415 - loads pydantic
    from alignment.layers import resolve  # noqa: PLC0415
    from alignment.pipeline import Study  # noqa: PLC0415
    from alignment.progress import Progress  # noqa: PLC0415

    chosen = {"dtype": options.dtype, "device": options.device}
    given = [f"{key}={value}" for key, value in chosen.items() if value]
    profile = resolve(Path.cwd(), selected=options.profile, assignments=[*options.set, *given])
    progress = Progress(sys.stderr, live=sys.stderr.isatty())
    study = Study(profile, Store(location(options.alignment_store)), progress=progress)
    record = measured(study, options.model, judge=options.judge, count=options.prompts)
    yield from table(record)


def _train(options: argparse.Namespace) -> Iterator[str]:
    from alignment.making import made  # noqa: PLC0415 - loads pydantic

    yield from made(options.name, options.set, options.alignment_store, options.variant)


def _simulate(options: argparse.Namespace) -> Iterator[str]:
    from alignment.analysis.simulation import headline, simulate, table  # noqa: PLC0415

    rows = simulate(runs=options.runs, seed=options.seed)
    yield table(rows)
    yield f"{headline(rows).sentence}."


# -- words and numbers ---------------------------------------------------------------------------


def _opened(root: Path) -> Store | None:
    """The store at `root`, or None when there is none: looking at it must not make one."""
    if root.exists() and not root.is_dir():
        raise StoreError(f"store {root}: is a file; name a folder with --alignment-store")
    return Store(root) if (root / "store.sqlite").exists() else None


def _duration(text: str) -> float:
    found = re.fullmatch(r"(\d+)([mhdw])", text)
    if found is None:
        raise AlignmentError(f"--older-than {text!r}: needs a number and m, h, d or w, as in 30d")
    return float(found[1]) * _SECONDS[found[2]]


def _age(seconds: float) -> str:
    unit = next((unit for unit in "dhm" if seconds >= _SECONDS[unit]), "m")
    return f"{max(0.0, seconds) / _SECONDS[unit]:.0f} {unit}"


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


if __name__ == "__main__":
    sys.exit(main())
