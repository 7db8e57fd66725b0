"""The data flow: profile -> prompts -> policies -> responses -> scores -> verdicts.

Tests ask `Study` for cases. What the store does not hold yet is computed in batches, together with
all other cases announced so far, and written to the store.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property

from alignment.config.profile import Profile
from alignment.errors import AlignmentError, CrashError, StoreError, Unscored
from alignment.judges.kind import JudgeKind, judge_of
from alignment.policies.kind import PolicyKind, policy_of
from alignment.progress import Progress
from alignment.records import Case, Prompt, Score
from alignment.runtime.hardware import device_of
from alignment.store import Store
from alignment.store.answers import response_key, score_key, stored_scores
from alignment.study.compute import (
    Entry,
    JudgeWorker,
    PolicyWorker,
    StoredResponses,
    StoredScores,
    compute_missing,
    keyed_by,
)
from alignment.study.inputs import StudyData
from alignment.study.stored import Missing, Reader
from alignment.training.context import JUDGE, ModelContext, second

CaseKey = tuple[str, str, str]
"""(variant, axis, prompt id)."""


class Study:
    """One profile over one store: models, responses, scores and cases, each computed on demand.

    `limit` keeps only that many prompts of every axis, for a quick look. A failure of one variant
    is remembered: its cases raise it again without a second attempt, and the other variants go on.
    """

    def __init__(
        self, profile: Profile, store: Store, *, progress: Progress, limit: int | None = None
    ) -> None:
        self.profile = profile
        self.store = store
        self.progress = progress
        store.note = progress.note
        self.limit = limit
        self.data = StudyData(profile, store)
        self.device = device_of(profile.device)
        self.context = ModelContext(profile, store, self.data, progress)
        self._policies: dict[str, PolicyKind] = {}
        self._judges: dict[str, JudgeKind] = {}
        self.prompts = {axis: prompts[:limit] for axis, prompts in self.data.prompts.items()}
        self._wanted: set[CaseKey] = set()
        self._cases: dict[CaseKey, Case] = {}
        self._unscored: dict[CaseKey, str] = {}
        self._failures: dict[str, AlignmentError] = {}

    @cached_property
    def reader(self) -> Reader:
        """Reads the cases that are there already; computes nothing."""
        return Reader(self.profile, self.store, self.policy, self.judge())

    # -- policies and judges -----------------------------------------------------------------------

    def policy(self, variant: str) -> PolicyKind:
        """The policy of a variant."""
        if variant not in self._policies:
            self._policies[variant] = policy_of(self.context, variant)
        return self._policies[variant]

    def judge(self, name: str = JUDGE) -> JudgeKind:
        """The profile's judge, or a second judge by its name from `second`."""
        if name not in self._judges:
            self._judges[name] = judge_of(self.context, name)
        return self._judges[name]

    def kinds(self) -> Iterator[tuple[str, PolicyKind | JudgeKind]]:
        """(name, kind) of every variant and every judge."""
        yield from ((name, self.policy(name)) for name in self.profile.variants)
        yield from ((name, self.judge(name)) for name in (JUDGE, *map(second, self.profile.judges)))

    # -- cases -------------------------------------------------------------------------------------

    def keys(self, *variants: str) -> Iterator[CaseKey]:
        """The keys of all cases of these variants (of all if none is named), in profile order."""
        for variant in self.profile.variants:
            if variants and variant not in variants:
                continue
            for axis, prompts in self.asked(variant).items():
                for prompt in prompts:
                    yield variant, axis, prompt.id

    def asked(self, variant: str) -> Mapping[str, Sequence[Prompt]]:
        """Axis -> the prompts that a variant answers, each repeated once per sample."""
        return self._samples(variant, self.prompts)

    def _samples(
        self, variant: str, prompts: Mapping[str, Sequence[Prompt]]
    ) -> Mapping[str, Sequence[Prompt]]:
        count = self.profile.generation_of(variant).samples
        if count == 1:
            return prompts
        return {axis: repeated(each, count) for axis, each in prompts.items()}

    def want(self, keys: Iterable[CaseKey]) -> None:
        """Announce cases that will be needed, so that they are computed together."""
        self._wanted.update(keys)

    def case(self, variant: str, axis: str, prompt_id: str) -> Case:
        """One judged response, computed if it is missing.

        Raises Unscored, with the reason, if it has no score, and the variant's AlignmentError if
        the variant failed.
        """
        key = (variant, axis, prompt_id)
        if not self._is_done(key) and variant not in self._failures:
            self._compute({key})
        if key in self._cases:
            return self._cases[key]
        if key in self._unscored:
            raise Unscored(self._unscored[key])
        failure = self._failures[variant]
        raise type(failure)(*failure.args) from failure.__cause__

    def cases(self, variant: str) -> list[Case]:
        """The cases of a variant that have a score, over the profile's prompts."""
        keys = list(self.keys(variant))
        self.want(keys)
        cases = []
        for key in keys:
            with suppress(Unscored):
                cases.append(self.case(*key))
        return cases

    @property
    def unscored(self) -> dict[CaseKey, str]:
        """Case key -> why there is no score, for the known cases of the profile without one."""
        if not self._unscored:
            return {}
        return {key: self._unscored[key] for key in self.keys() if key in self._unscored}

    def _is_done(self, key: CaseKey) -> bool:
        return key in self._cases or key in self._unscored

    def found(self) -> list[Case]:
        """The scored cases that are there already; computes none."""
        self.want(self.keys())
        self._load_pending()
        return [self._cases[key] for key in self.keys() if key in self._cases]

    @property
    def failures(self) -> Mapping[str, AlignmentError]:
        """Variant -> the error that kept its cases from being computed."""
        return self._failures

    # -- computing -------------------------------------------------------------------------------

    def _compute(self, keys: set[CaseKey]) -> None:
        """Compute these cases and all announced ones: every variant's responses, then scores.

        A variant whose responses another process is computing comes last, so that parallel workers
        take different variants.
        """
        self._wanted |= keys
        self._load_pending()
        names = [name for name in self.profile.in_order() if self._pending(name)]
        busy_elsewhere: list[str] = []
        for name in names:
            if name in self._failures:
                continue
            with self._guard([name]):
                if not self._compute_responses(name, wait=False):
                    busy_elsewhere.append(name)
        for name in busy_elsewhere:
            with self._guard([name]):
                self._compute_responses(name)
        alive = [name for name in names if name not in self._failures]
        if alive:
            with self._guard(alive):
                self._compute_scores(alive)
        self._load_pending()
        for name in alive:
            if self._pending(name):  # only a store that loses entries leads here
                error = StoreError(f"store {self.store.root}: lost what was just written to it")
                self._failures.setdefault(name, error)

    @contextmanager
    def _guard(self, names: Sequence[str]) -> Iterator[None]:
        """Record a failure for the variants it concerns, so that it is not retried per case."""
        try:
            yield
        except StoreError as error:  # all variants share the store, so all of them fail
            all_variants = dict.fromkeys(self.profile.variants, error)
            self._failures.update(all_variants | self._failures)
        except AlignmentError as error:
            self._failures.update(dict.fromkeys(names, error))
        except Exception as error:  # noqa: BLE001 - a crash is shown as the error of each case
            crash = CrashError(f"{', '.join(names)}: {type(error).__name__}: {error}")
            crash.__cause__ = error
            self._failures.update(dict.fromkeys(names, crash))

    def _pending(self, variant: str) -> set[CaseKey]:
        if variant in self._failures:
            return set()
        return {k for k in self._wanted if k[0] == variant and not self._is_done(k)}

    def _load_pending(self) -> None:
        for name in self.profile.variants:
            pending = {k for k in self._wanted if k[0] == name and not self._is_done(k)}
            if pending and name in self._failures:
                with suppress(Exception):  # what was stored before the failure still counts
                    self._load(name, pending)
            elif pending:
                with self._guard([name]):
                    self._load(name, pending)

    def _compute_responses(self, variant: str, *, wait: bool = True) -> bool:
        """Compute a variant's pending responses, whole blocks at a time.

        Returns False if another process is computing them and `wait` is false.
        """
        policy = self.policy(variant)
        if not policy.asks:
            return True
        identity = policy.identity()
        pending = {(axis, id_) for _, axis, id_ in self._pending(variant)}
        blocks: list[list[Entry]] = []
        wanted: set[str] = set()
        for axis, prompts in self._samples(variant, self.data.prompts).items():
            for block in self._blocks(prompts):
                entries: list[Entry] = [
                    (response_key(identity, p), (p.text, p.sample)) for p in block
                ]
                # A judge reads whole blocks, so whole blocks are answered.
                if any((axis, p.id) in pending for p in block):
                    wanted.update(key for key, _ in entries)
                blocks.append(entries)
        responses = compute_missing(
            self.store,
            StoredResponses(),
            blocks,
            wanted=wanted,
            worker=lambda: PolicyWorker(policy.open()),
            lock=f"answer-{identity}",
            progress=self.progress,
            what=f"{variant} answers",
            unit="prompt",
            wait=wait,
        )
        return responses is not None

    def _compute_scores(self, variants: Sequence[str]) -> None:
        """Compute the scores of these variants' pending responses, all in one pass."""
        judge = self.judge()
        if not judge.asks:
            return
        identity = judge.identity()
        blocks: list[list[Entry]] = []
        wanted: set[str] = set()
        for variant in variants:
            pending = {(axis, id_) for _, axis, id_ in self._pending(variant)}
            for axis, prompts in self._samples(variant, self.data.prompts).items():
                for block in self._blocks(prompts):
                    if not any((axis, p.id) in pending for p in block):
                        continue
                    answers = self.reader.responses(variant, block)
                    pairs = [
                        (p.text, answers[p.id].text)
                        for p in block
                        if p.id in answers and answers[p.id].missing is None
                    ]
                    entries: list[Entry] = [(score_key(identity, pair), pair) for pair in pairs]
                    wanted.update(key for key, _ in entries)
                    blocks.append(entries)
        self.score(blocks, wanted, "judge scores")

    def score(
        self,
        blocks: Sequence[Sequence[Entry]],
        wanted: Collection[str],
        stage: str,
        name: str = JUDGE,
    ) -> dict[str, Score]:
        """Store key -> a judge's score, for the `wanted` keys in `blocks`; computed if missing.

        `stage` names the work in progress lines. Raises AlignmentError.
        """
        judge = self.judge(name)
        stored = StoredScores(judge.dimensions)
        if judge.members and stored.read(self.store, wanted).keys() != set(wanted):
            for member in judge.members:
                identity = self.judge(member).identity()
                self.score(*keyed_by(identity, blocks, wanted), f"scores of {member}", member)
        scores = compute_missing(
            self.store,
            stored,
            blocks,
            wanted=wanted,
            worker=lambda: JudgeWorker(judge.open()),
            lock=f"judge-{judge.identity()}",
            progress=self.progress,
            what=stage,
            unit="pair",
        )
        return scores or {}

    def scores_of(
        self,
        pairs: Sequence[tuple[str, str]],
        stage: str,
        *,
        make: bool = True,
        name: str = JUDGE,
    ) -> list[Score] | None:
        """A judge's scores of (prompt, response) texts, in their order.

        None if the judge's scores are recorded, or if `make` is false and a score is not stored
        yet. `stage` names the work in progress lines. Raises AlignmentError.
        """
        judge = self.judge(name)
        identity = judge.identity() if make else judge.known_identity()
        if not judge.asks or identity is None:
            return None
        entries: list[Entry] = [(score_key(identity, pair), pair) for pair in pairs]
        keys = [key for key, _ in entries]
        if make:
            size = self.profile.generation.block
            blocks = [entries[i : i + size] for i in range(0, len(entries), size)]
            scores = self.score(blocks, set(keys), stage, name)
        else:
            scores = stored_scores(self.store, set(keys), judge.dimensions)
        return [scores[key] for key in keys] if scores.keys() >= set(keys) else None

    def _load(self, variant: str, keys: Collection[CaseKey]) -> None:
        """Take over those of these cases that the store or a recording has by now."""
        for axis, prompts in self._samples(variant, self.data.prompts).items():
            wanted = {id_ for _, where, id_ in keys if where == axis}
            if not wanted:
                continue
            for result in self.reader.cases(variant, [p for p in prompts if p.id in wanted]):
                key = (variant, axis, result.prompt.id)
                if isinstance(result, Missing):
                    self._unscored[key] = result.reason
                else:
                    self._cases[key] = result

    def _blocks(self, prompts: Sequence[Prompt]) -> list[Sequence[Prompt]]:
        size = self.profile.generation.block
        return [prompts[start : start + size] for start in range(0, len(prompts), size)]


def repeated(prompts: Sequence[Prompt], samples: int) -> tuple[Prompt, ...]:
    """Every prompt `samples` times in a row; the second sample of prompt `ID` has the id `ID.2`."""
    return tuple(
        replace(prompt, id=f"{prompt.id}.{sample + 1}" if sample else prompt.id, sample=sample)
        for prompt in prompts
        for sample in range(samples)
    )
