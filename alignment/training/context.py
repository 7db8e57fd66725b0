"""The context in which models are found or trained, and the names of a profile's models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from alignment.checkpoints import Checkpoint
from alignment.config.judges import JudgeConfig
from alignment.config.profile import Profile
from alignment.config.variants import Variant
from alignment.progress import Progress
from alignment.records import Prompt
from alignment.store import Hasher, Reading, Store
from alignment.training.data import TrainingData
from alignment.training.team import ALONE, Team

JUDGE = "judge"
_SECOND = "judges."

T = TypeVar("T")


class Inputs(Protocol):
    """The prompts and the training data of a profile."""

    @property
    def prompts(self) -> Mapping[str, Sequence[Prompt]]:
        """Axis -> its evaluation prompts."""

    def training_data(self) -> TrainingData:
        """The data that recipes train on."""

    def training_digest(self) -> str:
        """The digest of the training data; taken from the store if the data was read before."""

    def steadily(self, read: Callable[[], T]) -> T:
        """What `read` returns, after checking that the recorded files did not change meanwhile."""


@dataclass(frozen=True, slots=True)
class ModelContext:
    """What models are made with: the profile, the store, the inputs (read when needed).

    `found` maps names to checkpoints found so far; `failed` maps recipe keys to training errors, so
    that training is tried once, not again for every variant that starts from that model; `whole`
    has the names of models that were checked to be complete. `team` is the processes that train
    together. `reading`, if set, hashes every file anew instead of trusting the store's hashes.
    """

    profile: Profile
    store: Store
    data: Inputs
    progress: Progress
    team: Team = ALONE
    found: dict[str, Checkpoint] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    reading: Reading | None = None

    @property
    def hasher(self) -> Hasher:
        """The source of file hashes: `reading`, else the store."""
        return self.reading or self.store

    def anew(self) -> ModelContext:
        """The same context without remembered checkpoints, and with every file read anew."""
        return replace(self, found={}, reading=Reading(self.store))


def second(name: str) -> str:
    """The name of a second judge among the names of variants and judges."""
    return f"{_SECOND}{name}"


def is_judge(name: str) -> bool:
    """Whether a name is that of the judge or of a second judge."""
    return name == JUDGE or name.startswith(_SECOND)


def judge_config(profile: Profile, name: str) -> JudgeConfig:
    """The judge of that name: `JUDGE`, or one from `second`."""
    return profile.judge if name == JUDGE else profile.judges[name.removeprefix(_SECOND)]


def recipe_of(profile: Profile, name: str) -> Variant | JudgeConfig:
    """The recipe under a variant's name, or a judge's."""
    return judge_config(profile, name) if is_judge(name) else profile.variants[name]


def model_names(profile: Profile) -> list[str]:
    """The names of all variants and all judges."""
    return [*profile.variants, JUDGE, *map(second, profile.judges)]


def trained_names(profile: Profile) -> list[str]:
    """The names of the variants and judges that are trained, every parent before its children."""
    ordered = [*profile.in_order(), *model_names(profile)[len(profile.variants) :]]
    return [name for name in ordered if recipe_of(profile, name).stages]
