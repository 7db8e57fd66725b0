"""Labels and samples in the store: imported once, they serve every later run."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from alignment.errors import LabelsError
from alignment.files.access import follow
from alignment.files.single import write_file
from alignment.labels.book import FOLDER
from alignment.labels.reading import ReadLabels, read_labels
from alignment.labels.sample import LabelSample, dumps
from alignment.records.labels import Label
from alignment.store import Store


def import_labels(store: Store, paths: Sequence[Path]) -> list[ReadLabels]:
    """Add the labels of files to the store, all or none; what was read, in the order of `paths`.

    The same labels again change nothing. Raises LabelsError, one line, for a file that cannot be
    read, or if the store cannot be written.
    """
    read = [read_labels(path) for path in paths]
    for each in read:
        if each.labels:
            _write(store, "labels", "csv", _table(each.labels))
    return read


def _table(labels: Sequence[Label]) -> str:
    """Labels as a table that `read_labels` reads; items are known by their ids, without texts."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("item", "label", "annotator"))
    ordered = sorted(labels, key=lambda label: (label.item, label.annotator))
    writer.writerows((each.item, each.verdict, each.annotator) for each in ordered)
    return text.getvalue()


def remember_sample(store: Store, sample: LabelSample) -> None:
    """Add a sample to the store. Raises LabelsError if the store cannot be written."""
    _write(store, "sample", "json", dumps(sample))


def _write(store: Store, kind: str, suffix: str, text: str) -> None:
    folder = store.folder(FOLDER)
    path = folder / f"{kind}-{sha256(text.encode()).hexdigest()[:16]}.{suffix}"
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
