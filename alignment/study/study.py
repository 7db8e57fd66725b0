"""The way of the data: profile -> prompts -> policies -> responses -> scores -> verdicts.

`Study` is what tests pull from. Whatever is asked of it is found in the store, or computed for all
the cases that were wanted, in batches, and then found there.
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
)
from alignment.study.inputs import StudyData
from alignment.study.stored import Missing, Reader
from alignment.training.context import JUDGE, ModelContext, second

CaseKey = tuple[str, str, str]
"""variant, axis, prompt id."""


class Study:
    """One profile over one store: models, responses, scores and cases, each made when asked for.

    `limit` keeps the first prompts of every axis, for a quick look. A failure of one variant is
    remembered: its cases raise it again, nothing is tried twice, and the other variants go on.
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
        """What is known without computing anything."""
        return Reader(self.profile, self.store, self.policy, self.judge())

    # -- who answers and who scores ----------------------------------------------------------------

    def policy(self, variant: str) -> PolicyKind:
        """The policy of a variant."""
        if variant not in self._policies:
            self._policies[variant] = policy_of(self.context, variant)
        return self._policies[variant]

    def judge(self, name: str = JUDGE) -> JudgeKind:
        """The judge, or a second one (`second`)."""
        if name not in self._judges:
            self._judges[name] = judge_of(self.context, name)
        return self._judges[name]

    def kinds(self) -> Iterator[tuple[str, PolicyKind | JudgeKind]]:
        """Every variant and every judge by name."""
        yield from ((name, self.policy(name)) for name in self.profile.variants)
        yield from ((name, self.judge(name)) for name in (JUDGE, *map(second, self.profile.judges)))

    # -- what tests ask for ----------------------------------------------------------------------

    def keys(self, *variants: str) -> Iterator[CaseKey]:
        """Every case of these variants, or of all, in the profile's order."""
        for variant in self.profile.variants:
            if variants and variant not in variants:
                continue
            for axis, prompts in self.asked(variant).items():
                for prompt in prompts:
                    yield variant, axis, prompt.id

    def asked(self, variant: str) -> Mapping[str, Sequence[Prompt]]:
        """What a variant answers by axis: each prompt as often as it is sampled."""
        return self._samples(variant, self.prompts)

    def _samples(
        self, variant: str, prompts: Mapping[str, Sequence[Prompt]]
    ) -> Mapping[str, Sequence[Prompt]]:
        count = self.profile.generation_of(variant).samples
        if count == 1:
            return prompts
        return {axis: repeated(each, count) for axis, each in prompts.items()}

    def want(self, keys: Iterable[CaseKey]) -> None:
        """Announce cases that will be asked for, so that they are computed together."""
        self._wanted.update(keys)

    def case(self, variant: str, axis: str, prompt_id: str) -> Case:
        """One judged answer. Raises the AlignmentError that kept it from being made.

        Raises Unscored, with the reason, where the judge gave it no score.
        """
        key = (variant, axis, prompt_id)
        if not self._done(key) and variant not in self._failures:
            self._compute({key})
        if key in self._cases:
            return self._cases[key]
        if key in self._unscored:
            raise Unscored(self._unscored[key])
        failure = self._failures[variant]
        raise type(failure)(*failure.args) from failure.__cause__

    def cases(self, variant: str) -> list[Case]:
        """All answers of a variant that have a score, over the profile's prompts."""
        keys = list(self.keys(variant))
        self.want(keys)
        found = []
        for key in keys:
            with suppress(Unscored):
                found.append(self.case(*key))
        return found

    @property
    def unscored(self) -> dict[CaseKey, str]:
        """What the judge gave no score among the cases of the profile that are there, and why."""
        if not self._unscored:
            return {}
        return {key: self._unscored[key] for key in self.keys() if key in self._unscored}

    def _done(self, key: CaseKey) -> bool:
        return key in self._cases or key in self._unscored

    def found(self) -> list[Case]:
        """The cases that are there, without computing any."""
        self.want(self.keys())
        self._load_pending()
        return [self._cases[key] for key in self.keys() if key in self._cases]

    @property
    def failures(self) -> Mapping[str, AlignmentError]:
        """Variant -> what kept its cases from being made."""
        return self._failures

    # -- computing -------------------------------------------------------------------------------

    def _compute(self, asked: set[CaseKey]) -> None:
        """Make what was asked and all that is wanted: answers of every variant, then scores.

        A variant that another worker has answer is left for later: each takes one of its own.
        """
        self._wanted |= asked
        self._load_pending()
        names = [name for name in self.profile.in_order() if self._pending(name)]
        later: list[str] = []
        for name in names:
            if name in self._failures:
                continue
            with self._guard([name]):
                if not self._answer(name, wait=False):
                    later.append(name)
        for name in later:
            with self._guard([name]):
                self._answer(name)
        alive = [name for name in names if name not in self._failures]
        if alive:
            with self._guard(alive):
                self._judge(alive)
        self._load_pending()
        for name in alive:
            if self._pending(name):  # a guard against a store that forgets, never against a model
                error = StoreError(f"store {self.store.root}: lost what was just written to it")
                self._failures.setdefault(name, error)

    @contextmanager
    def _guard(self, names: Sequence[str]) -> Iterator[None]:
        """Remember a failure for the variants it concerns instead of trying again per case."""
        try:
            yield
        except StoreError as error:  # one store for all: nobody else would get further
            everybody = dict.fromkeys(self.profile.variants, error)
            self._failures.update(everybody | self._failures)
        except AlignmentError as error:
            self._failures.update(dict.fromkeys(names, error))
        except Exception as error:  # noqa: BLE001 - a crash is shown once per case, as an error
            crash = CrashError(f"{', '.join(names)}: {type(error).__name__}: {error}")
            crash.__cause__ = error
            self._failures.update(dict.fromkeys(names, crash))

    def _pending(self, variant: str) -> set[CaseKey]:
        if variant in self._failures:
            return set()
        return {k for k in self._wanted if k[0] == variant and not self._done(k)}

    def _load_pending(self) -> None:
        for name in self.profile.variants:
            pending = {k for k in self._wanted if k[0] == name and not self._done(k)}
            if pending and name in self._failures:
                with suppress(Exception):  # what was committed before it failed still counts
                    self._load(name, pending)
            elif pending:
                with self._guard([name]):
                    self._load(name, pending)

    def _answer(self, variant: str, *, wait: bool = True) -> bool:
        """Have a variant answer what is pending, whole blocks at a time.

        False, without `wait`, where another process has it answer.
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

    def _judge(self, variants: Sequence[str]) -> None:
        """Have the judge score the pending answers of these variants, in one go."""
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
        what: str,
        name: str = JUDGE,
    ) -> dict[str, Score]:
        """A judge's scores of these entries, by key. Raises AlignmentError."""
        judge = self.judge(name)
        scores = compute_missing(
            self.store,
            StoredScores(judge.config.dimensions),
            blocks,
            wanted=wanted,
            worker=lambda: JudgeWorker(judge.open()),
            lock=f"judge-{judge.identity()}",
            progress=self.progress,
            what=what,
            unit="pair",
        )
        return scores or {}

    def scores_of(
        self,
        pairs: Sequence[tuple[str, str]],
        what: str,
        *,
        make: bool = True,
        name: str = JUDGE,
    ) -> list[Score] | None:
        """A judge's scores of (prompt, response) texts, in their order.

        None where scores are recorded and, without `make`, where one is not there yet.
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
            scores = self.score(blocks, set(keys), what, name)
        else:
            scores = stored_scores(self.store, set(keys), judge.config.dimensions)
        return [scores[key] for key in keys] if scores.keys() >= set(keys) else None

    def _load(self, variant: str, keys: Collection[CaseKey]) -> None:
        """Remember what is known of these cases by now."""
        for axis, asked in self._samples(variant, self.data.prompts).items():
            wanted = {id_ for _, where, id_ in keys if where == axis}
            if not wanted:
                continue
            for found in self.reader.cases(variant, [p for p in asked if p.id in wanted]):
                key = (variant, axis, found.prompt.id)
                if isinstance(found, Missing):
                    self._unscored[key] = found.reason
                else:
                    self._cases[key] = found

    def _blocks(self, prompts: Sequence[Prompt]) -> list[Sequence[Prompt]]:
        size = self.profile.generation.block
        return [prompts[start : start + size] for start in range(0, len(prompts), size)]


def repeated(prompts: Sequence[Prompt], samples: int) -> tuple[Prompt, ...]:
    """Every prompt `samples` times, the further ones with ids of their own."""
    return tuple(
        replace(prompt, id=f"{prompt.id}.{sample + 1}" if sample else prompt.id, sample=sample)
        for prompt in prompts
        for sample in range(samples)
    )
