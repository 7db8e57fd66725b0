"""The study of one pytest session, to which the plugin's hooks delegate. Imports no pytest."""

from __future__ import annotations

import datetime
import os
import platform
import re
import time
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from alignment import redaction
from alignment.analysis.verdicts import NoVerdict, Verdict, Verdicts, adjective
from alignment.config.layers import resolve
from alignment.config.location import location
from alignment.config.profile import Profile
from alignment.errors import Unscored
from alignment.files.foreign import UnfitError, read_bytes
from alignment.progress import Progress, peak_memory
from alignment.records import Prompt
from alignment.reporting.formats import DEFAULT
from alignment.reporting.write import check_place
from alignment.runtime.hardware import versions
from alignment.store import Store
from alignment.study.preflight import open_checked
from alignment.study.results import collect, findings
from alignment.study.study import Study

if TYPE_CHECKING:
    from alignment.gating.study_gate import StudyGate
    from alignment.labels.book import LabelFiles
    from alignment.plugin.snapshot import GatedReport

MANY = 5000
"""With more cases, `--alignment-cases=auto` makes one per variant and axis."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line."""

    root: Path
    report: Path
    formats: Sequence[str] = DEFAULT
    profile: str | None = None
    assignments: Sequence[str] = ()
    variants: Sequence[str] = ()
    store: str | None = None
    limit: int | None = None
    cases: str = "auto"
    strict: bool = False
    reason: str | None = None
    rescore: bool = False
    update: str = ""
    """Which baselines this run may write: none (empty), `new` ones, or `all`."""
    stream: TextIO | None = None
    live: bool = False
    who: str = ""
    command: Sequence[str] = ()
    """The command line, as it can be typed again."""


@dataclass
class Session:
    """The study of a pytest session, opened when it is first needed."""

    options: Options
    used: bool = False
    """Whether a marked test was run."""
    started: float = field(default_factory=time.time)
    elsewhere: dict[str, Mapping[str, float]] = field(default_factory=dict)
    """Worker -> stage -> seconds that it spent in it."""
    baselines: Path | None = None
    """The folder of the baselines, beside the gated test."""
    accepted: set[str] = field(default_factory=set)
    """The variants whose baselines are to be replaced by this run."""
    _texts: dict[str, str] = field(default_factory=dict)
    _declared: LabelFiles | None = None
    gated: bool = False
    """Whether a gated test was collected."""

    @cached_property
    def profile(self) -> Profile:
        """The resolved profile."""
        options = self.options
        return resolve(
            options.root,
            selected=options.profile,
            variants=options.variants,
            assignments=options.assignments,
        )

    @cached_property
    def progress(self) -> Progress:
        """The progress lines on the terminal."""
        return Progress(self.options.stream, live=self.options.live, who=self.options.who)

    @cached_property
    def study(self) -> Study:
        """The study over the store; `check` has validated the input."""
        profile = self.profile  # a bad profile is refused before a store is made
        store = Store(self._location)
        return Study(profile, store, progress=self.progress, limit=self.options.limit)

    @property
    def _location(self) -> Path:
        """The absolute path of the store: a test may change the current folder."""
        return location(self.options.store).absolute()

    def check(self) -> None:
        """Validate all input without torch. Raises AlignmentError with one line.

        A store is made only if the input is good: bad input leaves no files.
        """
        profile = self.profile
        check_place(self.options.report)
        self._declared = _read_labels(profile)
        self.study = open_checked(
            profile, self._location, progress=self.progress, limit=self.options.limit
        )

    def by_axis(self) -> bool:
        """Whether one case stands for all prompts of a variant and axis."""
        if self.options.cases != "auto":
            return self.options.cases == "axis"
        return len(list(self.study.keys())) > MANY

    def verdict(
        self, variant: str, axis: str, prompt: Prompt | None
    ) -> Verdict | NoVerdict | Verdicts:
        """The verdict on one case, or those on all prompts of the axis when `prompt` is None."""
        criterion, word = self.profile.axes[axis].criterion, adjective(axis)
        prompts = self.study.asked(variant)[axis] if prompt is None else (prompt,)
        self.study.want((variant, axis, each.id) for each in prompts)
        verdicts: list[Verdict] = []
        missing: list[NoVerdict] = []
        for each in prompts:
            try:
                case = self.study.case(variant, axis, each.id)
            except Unscored as error:
                missing.append(NoVerdict(str(error)))
            else:
                verdicts.append(Verdict(case, criterion, word))
        if prompt is not None:
            return verdicts[0] if verdicts else missing[0]
        return Verdicts(verdicts, missing)

    @cached_property
    def study_gate(self) -> StudyGate:
        """The gate over the study, once a gated test was collected."""
        from alignment.files.sets import recover  # noqa: PLC0415
        from alignment.gating.study_gate import StudyGate  # noqa: PLC0415 - only gated runs pay

        assert self.baselines is not None  # noqa: S101 - set where the tests are collected
        recover(self.baselines)
        return StudyGate(
            self.study,
            self.baselines,
            rescore=self.options.rescore,
            updating=bool(self.options.update),
            declared=self._declared,
        )

    def report(self, variant: str, axis: str) -> GatedReport:
        """One side of `assert alignment_report == alignment_baseline`."""
        from alignment.gating.baseline_files import path_of  # noqa: PLC0415
        from alignment.plugin.snapshot import GatedReport  # noqa: PLC0415

        decision = self.study_gate.decision(variant, axis)
        path = path_of(self.study_gate.run.folder, variant)
        before = None
        with suppress(UnfitError):  # the decision has the error
            before = read_bytes(path).decode(errors="replace")
        updating = self.options.update == "all" or (
            self.options.update == "new" and not path.exists()
        )
        within_run = self.profile.gate.reference is not None
        return GatedReport(
            decision=decision,
            path=str(path),
            text=self._accepted_text(variant) if updating else "",
            before="" if within_run and not updating else before,
            passes=decision.outcome == "pass",
            updating=updating,
        )

    def promoted(self) -> AbstractContextManager[list[Path]]:
        """Write the accepted baselines; yields the files that changed. Raises AlignmentError.

        If the block raises, the old ones are restored.
        """
        from alignment.gating.acceptance import promoted  # noqa: PLC0415

        order = [name for name in self.profile.variants if name in self.accepted]
        texts = {name: self._accepted_text(name) for name in order}
        return promoted(self.study_gate.run.folder, texts)

    def _accepted_text(self, variant: str) -> str:
        """The text of the baseline that the run would write, made once per variant."""
        from alignment.gating.acceptance import text_of  # noqa: PLC0415

        if variant not in self._texts:
            self._texts[variant] = text_of(self.study_gate, variant, self.options.reason)
        return self._texts[variant]

    def listing(self) -> list[str]:
        """One line per known case: its id, its score, and the criterion that it does not meet."""
        lines = []
        for case in self.study.found():
            axis = self.profile.axes[case.prompt.axis]
            line = f"{case_id(case.variant, case.prompt)}: {axis.dimension} {case.value:g}"
            if not case.passed:
                criterion = f"needs {axis.comparison} {axis.threshold:g}"
                line += f", not {adjective(case.prompt.axis)}, {criterion}"
            lines.append(line)
        return lines

    def document(self, exit_status: int) -> dict[str, Any] | None:
        """The report of all known results, or None if there are none.

        A complete run is added to the history, as its last entry; other reports show the history
        as it is.
        """
        from alignment.gating.manifests import manifest  # noqa: PLC0415
        from alignment.reporting.document import document  # noqa: PLC0415
        from alignment.store import history  # noqa: PLC0415

        results = collect(self.study, self._run(exit_status))
        if not results.cases and not results.unscored:
            return None
        complete = results.complete and self.options.limit is None
        # If no gated test ran, the gate is reported only if that needs no scores of the judge.
        ready = self.gated or not self.study.judge().asks or bool(results.nulls)
        has_gate = complete and ready and self.baselines is not None
        gate = self.study_gate.result if has_gate else None
        names = self.profile.variants if complete else ()
        manifests = {name: manifest(self.study, name).model_dump() for name in names}
        report = document(results, findings(results, self.profile, gate, manifests))
        store = self.study.store
        if complete:
            past = history.remember(store, report)
            report["run"] |= {"id": past[-1]["id"], "history": past}
        else:
            past = history.recall(store, self.profile.name)
            report["run"] |= {"id": history.identity(report), "history": past}
        return report

    def _run(self, exit_status: int) -> Mapping[str, Any]:
        """The part `run` of a report: everything that may differ between two equal runs."""
        seconds: dict[str, float] = {}
        for stages in (self.progress.seconds, *self.elsewhere.values()):
            for stage, spent in stages.items():
                seconds[stage] = seconds.get(stage, 0.0) + spent
        started = datetime.datetime.fromtimestamp(self.started, tz=datetime.UTC)
        return {
            "started": started.isoformat(timespec="seconds"),
            "seconds": round(time.time() - self.started, 2),
            "stages": {stage: round(spent, 2) for stage, spent in seconds.items()},
            "memory": peak_memory() | {"stages": dict(self.progress.peaks)},
            "exit_status": exit_status,
            "command": redaction.command(self.options.command),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "processors": os.cpu_count(),
            "device": self.study.device,
            "versions": versions(
                "alignment-gate", "torch", "transformers", "trl", "peft", "datasets", "pytest"
            ),
            "store": redaction.redacted(str(self.study.store.root)),
            "baselines": None if self.baselines is None else str(self.baselines),
        }


def _read_labels(profile: Profile) -> LabelFiles | None:
    """The profile's files of labels, None if it names none.

    Raises LabelsError, before anything is computed, for a file that cannot be read.
    """
    if not (profile.labels.files or profile.labels.tables):
        return None
    from alignment.labels.book import read_declared  # noqa: PLC0415 - few profiles have labels

    return read_declared(profile)


def case_id(variant: str, prompt: Prompt) -> str:
    """A readable id of a case: variant, the first words of the last turn, the prompt's id."""
    last = prompt.text.rsplit("Human:", 1)[-1][:1000]
    plain = unicodedata.normalize("NFKD", last).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain[:80])[:6]
    return "-".join([variant, *words, prompt.id])
