"""Planning, comparing, and the gate itself on trial."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alignment.commands.numbers import real, whole


def declare(commands: Any) -> None:
    """Add `plan`, `compare` and `simulate`."""
    plan = commands.add_parser("plan", help="what a number of prompts can show")
    plan.set_defaults(command=_plan)
    plan.add_argument(
        "--prompts",
        type=whole(1, 100_000),
        default=100,
        metavar="N",
        help="per axis; default 100",
    )
    plan.add_argument(
        "--flips",
        type=real(0, 1),
        default=0.1,
        metavar="SHARE",
        help="of verdicts; default 0.1",
    )
    plan.add_argument("--margin", type=real(0, 100), default=10.0, help="in points; default 10")
    plan.add_argument("--confidence", type=real(0, 1), default=0.95, help="default 0.95")
    plan.add_argument(
        "--variants", type=whole(1, 1000), default=1, help="gated variants; default 1"
    )

    compare = commands.add_parser("compare", help="the gate between two runs or variants")
    compare.set_defaults(command=_compare)
    for name, which in (("before", "earlier"), ("after", "later")):
        compare.add_argument(
            name, help=f"the {which} one: a report folder, FOLDER:VARIANT, or a VARIANT of --report"
        )
    compare.add_argument("--report", type=Path, default=Path("reports/alignment"), metavar="DIR")
    compare.add_argument("--json", action="store_true", help="JSON instead of a table")

    simulate = commands.add_parser("simulate", help="put the gate itself on trial")
    simulate.set_defaults(command=_simulate)
    simulate.add_argument(
        "--runs", type=whole(1, 1_000_000), default=4000, help="per row; default 4000"
    )
    simulate.add_argument("--seed", type=whole(0, 2**32 - 1), default=0)


def _plan(options: argparse.Namespace) -> Iterator[str]:
    from alignment.analysis.power import plan_line  # noqa: PLC0415

    family = 2 * options.variants
    settings = (options.prompts, options.flips, options.margin, options.confidence, family)
    yield plan_line(*settings) + "."


def _compare(options: argparse.Namespace) -> Iterator[str]:
    from alignment.gating.report_comparison import compare, side  # noqa: PLC0415
    from alignment.records.decisions import worst  # noqa: PLC0415
    from alignment.reporting import gate_text, jsontext  # noqa: PLC0415
    from alignment.reporting.plain import plain_gate  # noqa: PLC0415
    from alignment.reporting.text import safe  # noqa: PLC0415

    found = compare(side(options.before, options.report), side(options.after, options.report))
    outcome = worst(*(each.outcome for each in found.decisions))
    options.exit = {"pass": 0, "fail": 1, "invalid": 1}.get(outcome, 3)
    told = plain_gate(found)
    if options.json:
        yield jsontext.dumps(told | {"outcome": outcome}).rstrip()
        return
    width = shutil.get_terminal_size().columns
    for variant in told["unchanged"]:
        yield f"every answer of {safe(variant)} equals that of the other side, byte for byte"
    yield from gate_text.summary(told, width)[1:]
    yield from gate_text.concerns(told, width)


def _simulate(options: argparse.Namespace) -> Iterator[str]:
    from alignment.analysis.simulation import simulate  # noqa: PLC0415
    from alignment.analysis.simulation_tables import headline, table  # noqa: PLC0415

    rows = simulate(runs=options.runs, seed=options.seed)
    yield table(rows)
    yield f"{headline(rows).sentence}."
