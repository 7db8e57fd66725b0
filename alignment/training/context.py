"""What models are found and made with, and how a profile's models are called by name."""

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
    """What a profile asks and teaches."""

    @property
    def prompts(self) -> Mapping[str, Sequence[Prompt]]:
        """Axis -> its prompts."""

    def training_data(self) -> TrainingData:
        """What recipes learn from."""

    def training_digest(self) -> str:
        """The digest of the training data, known without reading them where they were read once."""

    def steadily(self, read: Callable[[], T]) -> T:
        """What is read of recorded files, which are then what they were when they were hashed."""


@dataclass(frozen=True, slots=True)
class ModelContext:
    """What models are made with: the profile, the store, the inputs (read when needed).

    `found` remembers by name what was found, `failed` by key what could not be trained, so that it
    is tried once, not again for every variant that starts from it; `whole` the names of what was
    found whole. `team` trains together. `reading`, where there is one, reads every file whole
    instead of trusting the store's memory.
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
        """What gives the hashes of files."""
        return self.reading or self.store

    def anew(self) -> ModelContext:
        """The same, remembering nothing of what models were."""
        return replace(self, found={}, reading=Reading(self.store))


def second(name: str) -> str:
    """What a second judge is called where variants and judges are called by name."""
    return f"{_SECOND}{name}"


def is_judge(name: str) -> bool:
    """Whether a name is that of the judge or of a second one."""
    return name == JUDGE or name.startswith(_SECOND)


def judge_config(profile: Profile, name: str) -> JudgeConfig:
    """The judge of that name: `JUDGE`, or a second one."""
    return profile.judge if name == JUDGE else profile.judges[name.removeprefix(_SECOND)]


def recipe_of(profile: Profile, name: str) -> Variant | JudgeConfig:
    """The recipe under a variant's name, or a judge's."""
    return judge_config(profile, name) if is_judge(name) else profile.variants[name]


def model_names(profile: Profile) -> list[str]:
    """Every variant and every judge."""
    return [*profile.variants, JUDGE, *map(second, profile.judges)]


def trained_names(profile: Profile) -> list[str]:
    """The variants and judges that are trained, every parent before its children."""
    ordered = [*profile.in_order(), *model_names(profile)[len(profile.variants) :]]
    return [name for name in ordered if recipe_of(profile, name).stages]
