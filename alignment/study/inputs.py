"""The inputs of a profile: prompts, trial pairs of the judge, training data.

Selected prompts and trial pairs are stored under the identity of their sources, so that a warm run
neither parses a corpus nor imports `datasets`. Training data is read only when it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from alignment.config.axes import RecordedSource
from alignment.config.profile import Profile
from alignment.errors import PromptError, TrainingError
from alignment.prompts import selection, sources, training_data
from alignment.prompts.answered import recorded_prompts
from alignment.prompts.leakage import overlap
from alignment.prompts.slicing import require_columns
from alignment.records import PreferencePair, Prompt
from alignment.store import Store, content_key
from alignment.training.data import TrainingData

VERSION = 2
"""Raise it when the same sources could give other prompts, pairs or training data."""

Prompts = Mapping[str, tuple[Prompt, ...]]
Trials = Mapping[str, tuple[PreferencePair, ...]]


T = TypeVar("T")

_ATTEMPTS = 3
_CHANGED = (
    "prompts, training data or recorded answers were changed while they were read; run again when "
    "nobody writes to them"
)


class StudyData:
    """The prompts and trial pairs of a profile by axis, and training data that overlaps neither.

    Raises PromptError when a source cannot be read or nothing is selected.
    """

    def __init__(self, profile: Profile, store: Store) -> None:
        self._profile = profile
        self._store = store
        self.folder = Path(profile.data)
        self._training_data: TrainingData | None = None
        self._digest: str | None = None
        self._recorded: list[str] | None = None
        self.key, selected = self._read_through_store(
            "questions", self._selection_key, self._select
        )
        self.prompts: Prompts = {
            axis: tuple(Prompt(**row) for row in rows) for axis, rows in selected["prompts"].items()
        }
        require_columns(self.prompts, profile.slices.by)
        self.trials: Trials = {
            axis: tuple(PreferencePair(**row) for row in rows)
            for axis, rows in selected["trials"].items()
        }

    def training_data(self) -> TrainingData:
        """The data that recipes train on.

        Raises TrainingError if it shares content with a prompt or trial pair, or has changed since
        its digest was taken.
        """
        digest = self.training_digest()
        if self._training_data is None:
            data = self._read_training_data()
            if data.digest() != digest:
                raise TrainingError(_CHANGED)
            self._training_data = data
        return self._training_data

    def training_digest(self) -> str:
        """The digest of the training data; taken from the store if the data was read before."""
        if self._digest is None:
            _, self._digest = self._read_through_store(
                "lessons", self._training_key, self._read_and_digest
            )
        return self._digest

    def _read_and_digest(self) -> str:
        self._training_data = self._read_training_data()
        return self._training_data.digest()

    def _read_through_store(
        self, kind: str, key_of: Callable[[], str], read: Callable[[], Any]
    ) -> tuple[str, Any]:
        """(key, value): the value stored under the sources' identities, else read and stored.

        The sources are hashed before and after they are read, and the value is stored only if both
        keys agree. Raises PromptError if they keep changing.
        """
        key = key_of()
        for _ in range(_ATTEMPTS):
            stored = self._store.get(kind, [key]) if self._has_content_identities() else {}
            if key in stored:
                return key, stored[key]
            value, before = read(), key
            key = key_of()  # also differs if a data set was fetched only now
            if key == before:
                if self._has_content_identities():
                    self._store.put(kind, {key: value})
                return key, value
        raise PromptError(_CHANGED)

    def _has_content_identities(self) -> bool:
        """Whether every source's identity changes with its content."""
        return all(sources.names_content(each, data=self.folder) for each in self._sources())

    def _selection_key(self) -> str:
        return content_key("questions", VERSION, self._selection_inputs())

    def _training_key(self) -> str:
        training = self._profile.training
        identities = [self._identity(source) for source in training.sources.values()]
        settings = training.model_dump(mode="json")
        return content_key("lessons", VERSION, settings, identities, self.key)

    def _sources(self) -> Iterator[sources.AnySource]:
        """The sources with identities of their own: all but recorded ones."""
        yield from self._profile.training.sources.values()
        for axis in self._profile.axes.values():
            for part in (axis.prompts, axis.trial):
                if part is not None and not isinstance(part.origin, RecordedSource):
                    yield part.origin

    def _identity(self, source: sources.AnySource) -> str:
        return sources.identity(source, data=self.folder, hash_file=self._store.file_hash)

    def _selection_inputs(self) -> list[Any]:
        """Everything that the selection of prompts and trial pairs depends on, as plain values."""
        parts: list[Any] = [self._profile.sampling_seed]
        for name, axis in self._profile.axes.items():
            origins = [axis.prompts.origin, axis.trial.origin if axis.trial else None]
            parts.append((name, axis.prompts.model_dump(mode="json")))
            parts.append(axis.trial.model_dump(mode="json") if axis.trial else None)
            parts += [
                self._identity(origin)
                for origin in origins
                if origin is not None and not isinstance(origin, RecordedSource)
            ]
        if any(isinstance(a.prompts.origin, RecordedSource) for a in self._profile.axes.values()):
            self._recorded = self._recorded_files()
            parts += self._recorded
        if self._profile.slices.by:  # which columns of the rows are kept
            parts.append(("slices", self._profile.slices.by))
        return parts

    def steadily(self, read: Callable[[], T]) -> T:
        """What `read` returns, after checking that the recorded files did not change meanwhile.

        Raises PromptError if they are not those that were hashed when prompts were selected.
        """
        before = self._recorded_files()
        value = read()
        if not before == self._recorded_files() == (self._recorded or before):
            raise PromptError(_CHANGED)
        return value

    def _recorded_files(self) -> list[str]:
        variants = self._profile.variants.values()
        paths = [self.folder / file for each in variants for file in each.recorded_files]
        # A missing file is reported, by name, by the code that reads it.
        return [self._store.file_hash(path) if path.is_file() else "" for path in paths]

    def _select(self) -> dict[str, Any]:
        profile, data = self._profile, self.folder
        prompts = {
            **selection.select(profile, data=data),
            **recorded_prompts(profile, data=data),
        }
        trials = {
            axis: training_data.trial(profile, axis, prompts, data=data)
            for axis, settings in profile.axes.items()
            if settings.trial is not None
        }
        return {
            "prompts": {axis: [asdict(p) for p in prompts[axis]] for axis in profile.axes},
            "trials": {axis: [asdict(p) for p in pairs] for axis, pairs in trials.items()},
        }

    def _read_training_data(self) -> TrainingData:
        arguments = (self._profile, self.prompts, self.trials)
        pairs = training_data.training_pairs(*arguments, data=self.folder)
        chosen = training_data.chosen_transcripts(*arguments, data=self.folder)
        texts = training_data.unfiltered(*arguments, data=self.folder)
        shared = overlap(
            [*pairs, *chosen, *texts],
            self.prompts,
            self.trials,
            hold_out=self._profile.training.hold_out,
        )
        if shared:
            raise TrainingError(
                f"{len(shared)} training rows share their content with an evaluation prompt or a "
                f"trial pair, first {shared[0]}; nothing is trained on them"
            )
        return TrainingData(tuple(pairs), tuple(chosen), tuple(texts))
