"""All labels that a run can use: imported ones, those of the profile's files, and recorded ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from alignment.config.profile import Profile
from alignment.errors import LabelsError
from alignment.files.foreign import UnfitError, parse_json, read_text
from alignment.labels.agreement import consensus
from alignment.labels.reading import read_labels
from alignment.labels.sample import FORMAT, LabelSample, sample_of
from alignment.labels.tables import read_table
from alignment.records.labels import Label
from alignment.store import Store
from alignment.study.study import Study

FOLDER = "labels"
"""The folder of the store with imported labels and samples."""


@dataclass(frozen=True, slots=True)
class LabelBook:
    """People's verdicts by item (see `records.labels.item_id`), and the samples that were drawn.

    A verdict is None where people were asked and gave none: they were unsure or disagreed. `random`
    says that labels without a sample were given to prompts drawn at random. `declared` says
    that the profile names files of labels. `skipped` counts rows of files that were left out, by
    reason.
    """

    verdicts: Mapping[str, bool | None] = field(default_factory=dict)
    samples: tuple[LabelSample, ...] = ()
    labels: tuple[Label, ...] = ()
    random: bool = False
    declared: bool = False
    skipped: Mapping[str, int] = field(default_factory=dict)


class LabelFiles(NamedTuple):
    """What files of labels hold; `skipped` counts labels that were left out, by reason."""

    labels: list[Label]
    samples: list[LabelSample]
    skipped: dict[str, int]


def collect_labels(study: Study, declared: LabelFiles | None = None) -> LabelBook:
    """The labels in the store, in the profile's files, and beside recorded responses.

    `declared` has what the profile's files hold, if they have been read already. Raises
    LabelsError, one line, for a file of the profile that cannot be read.
    """
    profile = study.profile
    if declared is None:
        declared = read_declared(profile)
    stored = _read_files(stored_files(study.store))
    recorded = (label for name in profile.variants for label in study.policy(name).labels())
    labels = [*stored.labels, *declared.labels, *recorded]
    samples = {sample.task: sample for each in (stored, declared) for sample in each.samples}
    return LabelBook(
        verdicts=_verdicts(labels),
        samples=tuple(samples.values()),
        labels=tuple(labels),
        random=profile.labels.random,
        declared=bool(profile.labels.files or profile.labels.tables),
        skipped=declared.skipped,
    )


def read_declared(profile: Profile) -> LabelFiles:
    """What the files of a profile hold. Raises LabelsError, one line, if one cannot be read."""
    data = Path(profile.data)
    read = _read_files([data / name for name in profile.labels.files])
    for table in profile.labels.tables:
        read.labels.extend(read_table(table, data=data))
    return read


def _read_files(paths: Iterable[Path]) -> LabelFiles:
    read = LabelFiles([], [], {})
    for path in paths:
        sample = _sample(path)
        if sample is not None:
            read.samples.append(sample)
            continue
        content = read_labels(path)
        read.labels.extend(content.labels)
        for reason, count in content.skipped.items():
            read.skipped[reason] = read.skipped.get(reason, 0) + count
    return read


def stored_verdicts(store: Store) -> frozenset[str]:
    """The items on which people in the store have agreed."""
    return frozenset(consensus(_read_files(stored_files(store)).labels).verdicts)


def stored_files(store: Store) -> list[Path]:
    """The imported files in a store, sorted."""
    folder = store.root / FOLDER
    return sorted(folder.glob("*.*")) if folder.is_dir() else []


def _sample(path: Path) -> LabelSample | None:
    """The sample in a file, None if it is a file of labels."""
    if path.suffix.lower() != ".json":
        return None
    try:
        text = read_text(path)
        value = parse_json(text) if FORMAT in text else None  # else `read_labels` parses it
    except UnfitError as error:
        raise LabelsError(f"{path}: {error}") from error
    if not (isinstance(value, dict) and value.get("format") == FORMAT):
        return None
    return sample_of(value, str(path))


def _verdicts(labels: Sequence[Label]) -> dict[str, bool | None]:
    """Item -> whether people pass it; None where they were asked and gave no verdict."""
    verdicts = consensus(labels).verdicts
    passed = {"pass": True, "fail": False}
    return {
        label.item: passed[verdicts[label.item]] if label.item in verdicts else None
        for label in labels
    }
