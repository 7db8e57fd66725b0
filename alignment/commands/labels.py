"""The command `annotate`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alignment.commands.numbers import whole
from alignment.commands.shared import add_store
from alignment.config.location import location
from alignment.errors import LabelsError
from alignment.store import Store

PAGE, TABLE, SAMPLE = "labels.html", "labels.csv", "sample.json"
"""The files of a labelling task."""


def declare(commands: Any) -> None:
    """Add `annotate`."""
    annotate = commands.add_parser(
        "annotate",
        help="let people label a sample of a run's answers, and import their labels",
        description="Write a labelling task for the answers of a run (a page for the browser and a "
        "CSV file), or import the labels that came out of one. The gate then decides by what "
        "people say: see docs/labels.md.",
    )
    annotate.set_defaults(command=_annotate)
    annotate.add_argument(
        "run",
        nargs="?",
        type=Path,
        metavar="RUN",
        help="a report's folder, or its JSON file; default: reports/alignment",
    )
    annotate.add_argument(
        "--budget",
        type=whole(5, 1_000_000),
        default=60,
        metavar="N",
        help="the number of prompts per variant and axis whose answers are labelled; default 60",
    )
    annotate.add_argument(
        "--seed",
        type=whole(0, 2**32 - 2),
        default=0,
        help="the seed of the sample; the same seed draws the same prompts for the next run as far "
        "as possible; default 0",
    )
    annotate.add_argument(
        "--to", type=Path, metavar="DIR", help="the folder to write to; default: RUN/labels"
    )
    annotate.add_argument(
        "--all",
        action="store_true",
        help="also ask about answers that have labels, for example for a second annotator",
    )
    annotate.add_argument(
        "--import",
        dest="files",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="import labels (JSON or CSV) into the store instead",
    )
    add_store(annotate)


def _annotate(options: argparse.Namespace) -> Iterator[str]:
    if options.files:
        if options.run is not None:
            raise LabelsError("--import takes files only; leave RUN out")
        yield from _import(options)
    else:
        yield from _write_task(options)


def _write_task(options: argparse.Namespace) -> Iterator[str]:
    from alignment.files.sets import replacing  # noqa: PLC0415
    from alignment.gating.labelling import make_task  # noqa: PLC0415 - loads pydantic
    from alignment.labels.book import stored_verdicts  # noqa: PLC0415
    from alignment.labels.imported import remember_sample  # noqa: PLC0415
    from alignment.labels.page import page_of  # noqa: PLC0415
    from alignment.labels.sample import dumps  # noqa: PLC0415
    from alignment.labels.table import csv_of  # noqa: PLC0415
    from alignment.reporting.saved import found_in, read_report  # noqa: PLC0415

    path = found_in(options.run or Path("reports/alignment"))
    store = Store(location(options.store))
    known = frozenset() if options.all else stored_verdicts(store)
    task, sample, labelled = make_task(read_report(path), options.budget, options.seed, known)
    prompts = sum(len(each.drawn) for each in sample.comparisons)
    remember_sample(store, sample)
    yield f"drawn: {prompts} prompts in {len(sample.comparisons)} comparisons"
    if labelled:
        yield f"{labelled} of their answers are labelled already"
    if task is None:
        yield "nothing is left to label; --all asks about all of them again"
        return
    folder = options.to or path.parent / "labels"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder) as files:
            files.write(PAGE, [page_of(task)])
            files.write(TABLE, [csv_of(task)])
            files.write(SAMPLE, [dumps(sample)])
            files.commit()
    except OSError as error:
        raise LabelsError(
            f"{folder}: the task cannot be written: {error.strerror or error}; name another folder "
            f"with --to"
        ) from error
    yield f"{len(task.items)} answers to label: open {folder / PAGE} in a browser, or fill the "
    yield f"column `label` of {folder / TABLE} with pass, fail or unsure; then"
    yield "  python -m alignment annotate --import FILE"


def _import(options: argparse.Namespace) -> Iterator[str]:
    from alignment.labels.agreement import alpha, consensus  # noqa: PLC0415 - loads numpy
    from alignment.labels.imported import import_labels  # noqa: PLC0415

    read = import_labels(Store(location(options.store)), options.files)
    for path, each in zip(options.files, read, strict=True):
        people = len({label.annotator for label in each.labels})
        yield f"{path}: {len(each.labels)} labels of {people} annotators"
        for reason, count in each.skipped.items():
            yield f"  left out, {count}: {reason}"
    axes = {id_: item.axis for each in read for id_, item in each.items.items()}
    labels = [label for each in read for label in each.labels]
    for axis in dict.fromkeys(axes.get(label.item, "labels without texts") for label in labels):
        of_axis = [
            label for label in labels if axes.get(label.item, "labels without texts") == axis
        ]
        agreed = consensus(of_axis)
        line = (
            f"{axis}: {len(agreed.verdicts)} answers have a verdict; people are unsure of "
            f"{agreed.unsure} and disagree on {agreed.contradictory}"
        )
        try:
            agreement = alpha(of_axis)
        except LabelsError as error:
            yield f"{line}; {error}"
        else:
            yield line if agreement is None else f"{line}; Krippendorff's alpha {agreement:.2f}"
