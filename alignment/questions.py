"""What a profile asks and teaches: prompts, the judge's trial, lessons; each read only if needed.

Selected prompts and trial pairs are kept in the store under the identity of their sources, so that
a warm run neither parses a corpus nor imports `datasets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from alignment.axes import RecordedSource
from alignment.errors import TrainingError
from alignment.profile import Profile
from alignment.prompts import selection, sources, training
from alignment.prompts.answered import recorded_prompts
from alignment.prompts.leakage import overlap
from alignment.records import PreferencePair, Prompt
from alignment.store import Store, content_key
from alignment.training.lessons import Lessons

VERSION = 1
"""Raise it when the same sources could give other prompts, pairs or lessons."""

Prompts = Mapping[str, tuple[Prompt, ...]]
Trials = Mapping[str, tuple[PreferencePair, ...]]


class Questions:
    """The prompts and trial pairs of a profile by axis, and the lessons apart from them.

    Raises PromptError when a source cannot be read or nothing is selected.
    """

    def __init__(self, profile: Profile, store: Store) -> None:
        self._profile = profile
        self._store = store
        self.data = Path(profile.data)
        self._lessons: Lessons | None = None
        self.key = content_key("questions", VERSION, self._asked())
        kept = store.cached("questions", self.key, self._select)
        self.prompts: Prompts = {
            axis: tuple(Prompt(**row) for row in rows) for axis, rows in kept["prompts"].items()
        }
        self.trials: Trials = {
            axis: tuple(PreferencePair(**row) for row in rows)
            for axis, rows in kept["trials"].items()
        }

    def lessons(self) -> Lessons:
        """What recipes learn from; nothing of it is asked or tried (checked, not assumed)."""
        if self._lessons is None:
            self._lessons = self._learn()
        return self._lessons

    def digest(self) -> str:
        """The digest of the lessons, known without reading them when they were read before."""
        wanted = self._profile.training
        identities = [self._identity(source) for source in wanted.sources.values()]
        key = content_key("lessons", VERSION, wanted.model_dump(mode="json"), identities, self.key)
        return str(self._store.cached("lessons", key, lambda: self.lessons().digest()))

    def _identity(self, source: sources.AnySource) -> str:
        return sources.identity(source, data=self.data, hash_file=self._store.file_hash)

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
            parts += self._recorded_files()
        return parts

    def _recorded_files(self) -> list[str]:
        files: list[str] = []
        for variant in self._profile.variants.values():
            spec = variant.recorded
            if spec is not None:
                files += spec.values() if isinstance(spec, dict) else [spec]
        paths = [self.data / file for file in files]
        # A file that is not there is reported by whoever reads it, by name.
        return [self._store.file_hash(path) if path.is_file() else "" for path in paths]

    def _select(self) -> dict[str, Any]:
        profile, data = self._profile, self.data
        chosen = {
            **selection.select(profile, data=data),
            **recorded_prompts(profile, data=data),
        }
        trials = {
            axis: training.trial(profile, axis, chosen, data=data)
            for axis, settings in profile.axes.items()
            if settings.trial is not None
        }
        return {
            "prompts": {axis: [asdict(p) for p in chosen[axis]] for axis in profile.axes},
            "trials": {axis: [asdict(p) for p in pairs] for axis, pairs in trials.items()},
        }

    def _learn(self) -> Lessons:
        arguments = (self._profile, self.prompts, self.trials)
        pairs = training.training_pairs(*arguments, data=self.data)
        chosen = training.chosen_transcripts(*arguments, data=self.data)
        texts = training.unfiltered(*arguments, data=self.data)
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
        return Lessons(tuple(pairs), tuple(chosen), tuple(texts))
