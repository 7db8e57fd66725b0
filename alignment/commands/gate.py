"""The commands `plan`, `compare` and `simulate`."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alignment.commands.numbers import real, whole
from alignment.errors import AlignmentError


def declare(commands: Any) -> None:
    """Add `plan`, `compare` and `simulate`."""
    plan = commands.add_parser("plan", help="compute which drop a number of prompts can detect")
    plan.set_defaults(command=_plan)
    plan.add_argument(
        "--prompts",
        type=whole(1, 100_000),
        default=100,
        metavar="N",
        help="the number of prompts per axis; default 100",
    )
    plan.add_argument(
        "--flips",
        type=real(0, 1),
        default=0.1,
        metavar="SHARE",
        help="the share of verdicts that differ between two runs, from 0 to 1; default 0.1",
    )
    plan.add_argument(
        "--margin",
        type=real(0, 100),
        default=10.0,
        help="the loss that the gate does not allow, in percentage points; default 10",
    )
    plan.add_argument(
        "--confidence",
        type=real(0, 1),
        default=0.95,
        help="the confidence of the intervals, from 0 to 1; default 0.95",
    )
    plan.add_argument(
        "--variants",
        type=whole(1, 1000),
        default=1,
        help="the number of gated variants; default 1",
    )
    _declare_answers(plan)

    compare = commands.add_parser("compare", help="run the gate between two reports or variants")
    compare.set_defaults(command=_compare)
    for name, which in (("before", "earlier"), ("after", "later")):
        compare.add_argument(
            name,
            help=f"the {which} side: a report folder, FOLDER:VARIANT, or a VARIANT of --report",
        )
    compare.add_argument(
        "--report",
        type=Path,
        default=Path("reports/alignment"),
        metavar="DIR",
        help="the report that variants are taken from; default: %(default)s",
    )
    compare.add_argument("--json", action="store_true", help="JSON instead of a table")

    simulate = commands.add_parser(
        "simulate", help="measure the gate's error rates in simulated runs"
    )
    simulate.set_defaults(command=_simulate)
    simulate.add_argument(
        "--runs",
        type=whole(1, 1_000_000),
        default=None,
        help="the number of simulated runs per row of the tables; default 4000, 1000 with --sizes",
    )
    simulate.add_argument(
        "--sizes",
        action="store_true",
        help="the worst settings of few prompts and of shared dialogues instead; takes an hour",
    )
    simulate.add_argument(
        "--seed",
        type=whole(0, 2**32 - 1),
        default=0,
        help="the seed of the random numbers; default 0",
    )


def _declare_answers(plan: argparse.ArgumentParser) -> None:
    """Add what `plan` is told of several answers to a prompt, or of people's labels."""
    several = plan.add_mutually_exclusive_group()
    several.add_argument(
        "--samples",
        type=whole(1, 1000),
        metavar="K",
        help="plan with K answers to each prompt, where decoding is random (generation.samples)",
    )
    several.add_argument(
        "--labels",
        type=whole(20, 100_000),
        metavar="N",
        help="plan with people's labels of N prompts per axis; --flips is then the share of "
        "people's verdicts that differ",
    )
    plan.add_argument(
        "--correlation",
        type=real(0, 1),
        default=None,
        metavar="R",
        help="with --samples: the correlation of the changes of two answers to one prompt, from 0 "
        "to 1; default 0.05, measured for an unchanged model",
    )
    for name, of in (("sensitivity", "people pass"), ("specificity", "people fail")):
        plan.add_argument(
            f"--{name}",
            type=real(0, 1),
            default=None,
            metavar="SHARE",
            help=f"with --labels: the share of what {of} that the judge gets right, from 0 to 1, "
            f"as a report with labels shows it; default 0.85",
        )


def _plan(options: argparse.Namespace) -> Iterator[str]:
    _check_answers(options)
    settings = (options.margin, options.confidence, 2 * options.variants)
    if options.samples is not None:
        from alignment.analysis.sample_plan import CORRELATION, samples_line  # noqa: PLC0415

        correlation = CORRELATION if options.correlation is None else options.correlation
        counts = (options.prompts, options.samples, options.flips)
        yield samples_line(*counts, *settings, correlation=correlation) + "."
    elif options.labels is not None:
        from alignment.analysis.label_plan import Assumed, labels_line  # noqa: PLC0415

        known = {name: getattr(options, name) for name in ("sensitivity", "specificity")}
        judge = {name: value for name, value in known.items() if value is not None}
        assumed = Assumed(options.flips, **judge)
        yield labels_line(options.prompts, options.labels, assumed, *settings) + "."
    else:
        from alignment.analysis.power import plan_line  # noqa: PLC0415

        yield plan_line(options.prompts, options.flips, *settings) + "."


def _check_answers(options: argparse.Namespace) -> None:
    """Refuse an option that would have no effect. Raises AlignmentError."""
    for name, needs in (
        ("correlation", "samples"),
        ("sensitivity", "labels"),
        ("specificity", "labels"),
    ):
        if getattr(options, name) is not None and getattr(options, needs) is None:
            raise AlignmentError(f"--{name} has no effect without --{needs}; add --{needs}")


def _compare(options: argparse.Namespace) -> Iterator[str]:
    from alignment.gating.report_comparison import compare, side  # noqa: PLC0415
    from alignment.records.decisions import worst  # noqa: PLC0415
    from alignment.reporting import gate_text, jsontext  # noqa: PLC0415
    from alignment.reporting.plain import plain_gate  # noqa: PLC0415
    from alignment.reporting.text import safe  # noqa: PLC0415

    comparison = compare(side(options.before, options.report), side(options.after, options.report))
    outcome = worst(*(each.outcome for each in comparison.decisions))
    options.exit = {"pass": 0, "fail": 1, "invalid": 1}.get(outcome, 3)
    document = plain_gate(comparison)
    if options.json:
        yield jsontext.dumps(document | {"outcome": outcome}).rstrip()
        return
    width = shutil.get_terminal_size().columns
    for variant in document["unchanged"]:
        yield f"all answers of {safe(variant)} are identical to those of the other side"
    yield from gate_text.summary(document, width)[1:]
    yield from gate_text.concerns(document, width)


def _simulate(options: argparse.Namespace) -> Iterator[str]:
    from alignment.analysis.simulation import simulate  # noqa: PLC0415
    from alignment.analysis.simulation_tables import headline, size_tables, table  # noqa: PLC0415

    if options.sizes:
        from alignment.analysis.size_study import every_size  # noqa: PLC0415

        yield size_tables(*every_size(options.runs or 1000, options.seed))
        return
    rows = simulate(runs=options.runs or 4000, seed=options.seed)
    yield table(rows)
    yield f"{headline(rows).sentence}."
