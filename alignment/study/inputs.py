"""What a profile asks and teaches: prompts, the judge's trial, training data.

Each is read only if it is needed.

Selected prompts and trial pairs are kept in the store under the identity of their sources, so that
a warm run neither parses a corpus nor imports `datasets`.
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
from alignment.records import PreferencePair, Prompt
from alignment.store import Store, content_key
from alignment.training.data import TrainingData

VERSION = 2
"""Raise it when the same sources could give other prompts, pairs or training data."""

Prompts = Mapping[str, tuple[Prompt, ...]]
Trials = Mapping[str, tuple[PreferencePair, ...]]


T = TypeVar("T")

_PATIENCE = 3
_CHANGED = (
    "prompts, training data or recorded answers were changed while they were read; run again when "
    "nobody writes to them"
)


class StudyData:
    """The prompts and trial pairs of a profile by axis, and the training data apart from them.

    Raises PromptError when a source cannot be read or nothing is selected.
    """

    def __init__(self, profile: Profile, store: Store) -> None:
        self._profile = profile
        self._store = store
        self.folder = Path(profile.data)
        self._training_data: TrainingData | None = None
        self._digest: str | None = None
        self._recorded: list[str] | None = None
        self.key, kept = self._kept("questions", self._key, self._select)
        self.prompts: Prompts = {
            axis: tuple(Prompt(**row) for row in rows) for axis, rows in kept["prompts"].items()
        }
        self.trials: Trials = {
            axis: tuple(PreferencePair(**row) for row in rows)
            for axis, rows in kept["trials"].items()
        }

    def training_data(self) -> TrainingData:
        """What recipes learn from; nothing of it is asked or tried (checked, not assumed)."""
        digest = self.training_digest()
        if self._training_data is None:
            found = self._learn()
            if found.digest() != digest:
                raise TrainingError(_CHANGED)
            self._training_data = found
        return self._training_data

    def training_digest(self) -> str:
        """The digest of the training data, known without reading it where it was read before."""
        if self._digest is None:
            _, self._digest = self._kept("lessons", self._training_key, self._learned)
        return self._digest

    def _learned(self) -> str:
        self._training_data = self._learn()
        return self._training_data.digest()

    def _kept(
        self, kind: str, key_of: Callable[[], str], read: Callable[[], Any]
    ) -> tuple[str, Any]:
        """What is kept under the identities of the sources, read from them if need be.

        Sources are hashed and read one after the other: what is kept is what they were both times.
        """
        key = key_of()
        for _ in range(_PATIENCE):
            found = self._store.get(kind, [key]) if self._named() else {}
            if key in found:
                return key, found[key]
            value, before = read(), key
            key = key_of()  # which a data set that was only now fetched has changed too
            if key == before:
                if self._named():
                    self._store.put(kind, {key: value})
                return key, value
        raise PromptError(_CHANGED)

    def _named(self) -> bool:
        """Whether the sources' identities say what is in them."""
        return all(sources.names_content(each, data=self.folder) for each in self._sources())

    def _key(self) -> str:
        return content_key("questions", VERSION, self._asked())

    def _training_key(self) -> str:
        wanted = self._profile.training
        identities = [self._identity(source) for source in wanted.sources.values()]
        told = wanted.model_dump(mode="json")
        return content_key("lessons", VERSION, told, identities, self.key)

    def _sources(self) -> Iterator[sources.AnySource]:
        """What has an identity of its own."""
        yield from self._profile.training.sources.values()
        for axis in self._profile.axes.values():
            for part in (axis.prompts, axis.trial):
                if part is not None and not isinstance(part.origin, RecordedSource):
                    yield part.origin

    def _identity(self, source: sources.AnySource) -> str:
        return sources.identity(source, data=self.folder, hash_file=self._store.file_hash)

    def _asked(self) -> list[Any]:
        """All that the choice of prompts and pairs depends on."""
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
        return parts

    def steadily(self, read: Callable[[], T]) -> T:
        """What is read of recorded files, which are then what they were when they were hashed."""
        before = self._recorded_files()
        found = read()
        if not before == self._recorded_files() == (self._recorded or before):
            raise PromptError(_CHANGED)
        return found

    def _recorded_files(self) -> list[str]:
        variants = self._profile.variants.values()
        paths = [self.folder / file for each in variants for file in each.recorded_files]
        # A file that is not there is reported by whoever reads it, by name.
        return [self._store.file_hash(path) if path.is_file() else "" for path in paths]

    def _select(self) -> dict[str, Any]:
        profile, data = self._profile, self.folder
        chosen = {
            **selection.select(profile, data=data),
            **recorded_prompts(profile, data=data),
        }
        trials = {
            axis: training_data.trial(profile, axis, chosen, data=data)
            for axis, settings in profile.axes.items()
            if settings.trial is not None
        }
        return {
            "prompts": {axis: [asdict(p) for p in chosen[axis]] for axis in profile.axes},
            "trials": {axis: [asdict(p) for p in pairs] for axis, pairs in trials.items()},
        }

    def _learn(self) -> TrainingData:
        arguments = (self._profile, self.prompts, self.trials)
        pairs = training_data.training_pairs(*arguments, data=self.folder)
        chosen = training_data.chosen_transcripts(*arguments, data=self.folder)
        texts = training_data.unfiltered(*arguments, data=self.folder)
        seen = overlap(
            [*pairs, *chosen, *texts],
            self.prompts,
            self.trials,
            hold_out=self._profile.training.hold_out,
        )
        if seen:
            raise TrainingError(
                f"{len(seen)} training rows share their content with an evaluation prompt or a "
                f"trial pair, first {seen[0]}; nothing is trained on them"
            )
        return TrainingData(tuple(pairs), tuple(chosen), tuple(texts))
