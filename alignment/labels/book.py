"""All labels that a run can use: imported ones, those of the profile's files, and recorded ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alignment.config.profile import Profile
from alignment.errors import LabelsError
from alignment.files.foreign import UnfitError, parse_json, read_text
from alignment.labels.agreement import consensus
from alignment.labels.reading import read_labels
from alignment.labels.sample import FORMAT, LabelSample, sample_of
from alignment.labels.tables import read_table
from alignment.prompts.recordings import read_recorded
from alignment.prompts.transcripts import content_id
from alignment.records.labels import Label, LabelItem, item_id, storable
from alignment.store import Store

FOLDER = "labels"
"""The folder of the store with imported labels and samples."""

Answer = tuple[str, str, str]
"""(axis, id of the prompt's content, response)."""


@dataclass(frozen=True, slots=True)
class LabelBook:
    """People's verdicts by response, and the samples that they were asked for.

    A verdict is None where people were asked and gave none: they were unsure or disagreed.
    `random` says that labels without a sample were given to prompts drawn at random. `skipped`
    counts rows of files that were left out, by reason.
    """

    verdicts: Mapping[Answer, bool | None] = field(default_factory=dict)
    samples: tuple[LabelSample, ...] = ()
    labels: tuple[Label, ...] = ()
    random: bool = False
    skipped: Mapping[str, int] = field(default_factory=dict)

    def asked(self, axis: str, prompt: str, response: str) -> bool:
        """Whether people were asked about a response; `prompt` is the prompt's text."""
        return answer_of(axis, prompt, response) in self.verdicts

    def verdict(self, axis: str, prompt: str, response: str) -> bool | None:
        """What people say of a response; None if they were not asked or gave no verdict."""
        return self.verdicts.get(answer_of(axis, prompt, response))


def answer_of(axis: str, prompt: str, response: str) -> Answer:
    """The key of a response to a prompt's text."""
    return axis, content_id(prompt), storable(response)


def collect_labels(profile: Profile, store: Store) -> LabelBook:
    """The labels in the store, in the profile's files, and beside recorded responses.

    Raises LabelsError, one line, for a file of the profile that cannot be read.
    """
    labels: list[Label] = []
    items: dict[str, LabelItem] = {}
    samples: dict[str, LabelSample] = {}
    skipped: dict[str, int] = {}
    data = Path(profile.data)
    paths = [*stored_files(store), *(data / name for name in profile.labels.files)]
    for path in paths:
        sample = _sample(path)
        if sample is not None:
            samples[sample.task] = sample
            continue
        read = read_labels(path)
        labels += read.labels
        items |= read.items
        for reason, count in read.skipped.items():
            skipped[reason] = skipped.get(reason, 0) + count
    for table in profile.labels.tables:
        table_labels, table_items = read_table(table, data=data)
        labels += table_labels
        items |= table_items
    for label, item in _recorded(profile, data):
        labels.append(label)
        items[item.id] = item
    return LabelBook(_verdicts(labels, items), tuple(samples.values()), tuple(labels), profile.labels.random, skipped)


def stored_files(store: Store) -> list[Path]:
    """The imported files in a store, sorted."""
    folder = store.root / FOLDER
    return sorted(folder.glob("*.json")) if folder.is_dir() else []


def _sample(path: Path) -> LabelSample | None:
    """The sample in a file, None if it is a file of labels."""
    if path.suffix.lower() != ".json":
        return None
    try:
        value = parse_json(read_text(path))
    except UnfitError as error:
        raise LabelsError(f"{path}: {error}") from error
    if not (isinstance(value, dict) and value.get("format") == FORMAT):
        return None
    return sample_of(value, str(path))


def _verdicts(
    labels: Iterable[Label], items: Mapping[str, LabelItem]
) -> dict[Answer, bool | None]:
    agreed = consensus(labels)
    return {
        answer_of(items[id_].axis, items[id_].prompt, items[id_].response): agreed.verdicts.get(id_)
        for id_ in agreed.asked
        if id_ in items
    }


def _recorded(profile: Profile, data: Path) -> Iterable[tuple[Label, LabelItem]]:
    """The labels that stand beside recorded responses."""
    only = next(iter(profile.axes)) if len(profile.axes) == 1 else None
    for spec in profile.recordings().values():
        for row in read_recorded(spec, data=data):
            axis = row.axis or only
            if not row.labels or axis is None or row.prompt is None or row.response is None:
                continue
            item = LabelItem(
                item_id(axis, row.prompt, row.response), axis, row.prompt, row.response
            )
            for annotator, verdict in row.labels.items():
                yield Label(item.id, annotator, verdict), item
