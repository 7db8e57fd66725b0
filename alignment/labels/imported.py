"""Labels and samples in the store: imported once, they serve every later run."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from alignment.errors import LabelsError
from alignment.files.access import follow
from alignment.files.single import write_file
from alignment.labels.book import FOLDER
from alignment.labels.reading import ReadLabels, read_labels
from alignment.labels.sample import LabelSample, dumps
from alignment.store import Store


def import_labels(store: Store, paths: Sequence[Path]) -> list[ReadLabels]:
    """Add the labels of files to the store, all or none; what was read, in the order of `paths`.

    The same labels again change nothing. Raises LabelsError, one line, for a file that cannot be
    read, or if the store cannot be written.
    """
    read = [read_labels(path) for path in paths]
    for each in read:
        by_annotator: dict[str, list[dict[str, str]]] = defaultdict(list)
        for label in each.labels:
            item = each.items[label.item]
            by_annotator[label.annotator].append(
                {
                    "item": item.id,
                    "axis": item.axis,
                    "prompt": item.prompt,
                    "response": item.response,
                    "label": label.verdict,
                }
            )
        for annotator, rows in by_annotator.items():
            _write(
                store,
                "labels",
                json.dumps(
                    {
                        "format": "alignment-labels",
                        "version": 1,
                        "task": "",
                        "annotator": annotator,
                        "labels": sorted(rows, key=lambda row: row["item"]),
                    },
                    indent=1,
                ),
            )
    return read


def remember_sample(store: Store, sample: LabelSample) -> None:
    """Add a sample to the store. Raises LabelsError if the store cannot be written."""
    _write(store, "sample", dumps(sample))


def _write(store: Store, kind: str, text: str) -> None:
    folder = store.folder(FOLDER)
    path = folder / f"{kind}-{sha256(text.encode()).hexdigest()[:16]}.json"
    if path.exists():
        return
    try:
        write_file(path, [text])
        follow(folder, path)
    except OSError as error:
        raise LabelsError(
            f"{path}: the labels cannot be stored: {error.strerror or error}; free disk space and "
            f"check the permissions of the folder, then import again"
        ) from error
