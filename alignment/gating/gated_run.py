"""A run as the gate sees it: its cases, its rules, and the baselines of its gated variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from alignment.analysis.decision_rule import GateRule
from alignment.errors import AlignmentError
from alignment.gating.baseline import Baseline
from alignment.gating.comparability import SIDES, differences
from alignment.gating.coverage import lacking, lacking_votes
from alignment.gating.manifests import manifest
from alignment.gating.probe_set import probe_error
from alignment.gating.stored_baseline import StoredBaseline, stored_baseline
from alignment.labels.book import LabelBook, LabelFiles, collect_labels
from alignment.records import Case, JudgeTrial, Prompt, Rate
from alignment.study.study import Study
from alignment.study.trial import second_opinions, try_judge, try_nulls

Answers = Mapping[tuple[str, str], str]
"""(axis, prompt id) -> response, where the response is known."""


class GatedRun:
    """One study under the gate. `folder` holds the baselines, one file per variant.

    Everything is computed on first use and kept. `updating` says that this run is to create missing
    baselines; `declared` has the profile's files of labels, if they have been read already.
    """

    def __init__(
        self,
        study: Study,
        folder: Path,
        *,
        updating: bool = False,
        declared: LabelFiles | None = None,
    ) -> None:
        self.study = study
        self.profile = study.profile
        self.folder = folder
        self.updating = updating
        self._declared = declared
        self._differing: dict[str, dict[str, str]] = {}
        self._answers: dict[str, Answers] = {}
        self._answers_before: dict[str, Answers] = {}

    @property
    def reference(self) -> str | None:
        """The variant of this run that the others are compared with; None: with their baselines."""
        return self.profile.gate.reference

    @cached_property
    def rules(self) -> dict[str, GateRule]:
        """Axis -> how it is gated."""
        return {
            name: GateRule(axis.rate, axis.gate.margin, axis.gate.confidence)
            for name, axis in self.profile.axes.items()
        }

    @cached_property
    def cases(self) -> dict[str, list[Case] | str]:
        """Variant (gated ones and the reference) -> its cases, or why they cannot be made."""
        names = dict.fromkeys((*self.profile.gated(), self.reference))
        wanted = [name for name in names if name is not None]
        self.study.want(self.study.keys(*wanted))
        cases: dict[str, list[Case] | str] = {}
        for name in wanted:
            try:
                cases[name] = self.study.cases(name)
            except AlignmentError as error:
                cases[name] = str(error)
        return cases

    @cached_property
    def baselines(self) -> dict[str, StoredBaseline]:
        """Gated variant -> its baseline, or why there is none."""
        return {
            variant: stored_baseline(self.profile, self.folder, variant, updating=self.updating)
            for variant in self.profile.gated()
        }

    @cached_property
    def labels(self) -> LabelBook:
        """People's labels, unless `gate.labels` ignores them."""
        if self.profile.gate.labels == "ignore":
            return LabelBook()
        book = collect_labels(self.study, self._declared)
        if book.skipped:
            reasons = ", ".join(f"{count} ({reason})" for reason, count in book.skipped.items())
            self.study.progress.note(f"labels of the profile's files that were left out: {reasons}")
        return book

    @cached_property
    def trials(self) -> dict[str, JudgeTrial | None]:
        """Axis -> the judge's trial; None where it was not tested."""
        return {axis: try_judge(self.study, axis) for axis in self.profile.axes}

    @cached_property
    def nulls(self) -> dict[str, dict[str, Rate]]:
        """Axis -> what null policies would score; empty where that cannot be known."""
        return {axis: try_nulls(self.study, axis) or {} for axis in self.profile.axes}

    @cached_property
    def informative(self) -> dict[str, bool]:
        """Axis -> whether the judge is better than chance on it; True where it was not tested.

        Whatever else the report says of the judge is computed with it.
        """
        trials, _ = self.trials, self.nulls
        second_opinions(self.study)
        return {axis: trial is None or trial.informative for axis, trial in trials.items()}

    def prompts(self, variant: str, axis: str) -> Sequence[Prompt]:
        """The prompts of a variant on an axis."""
        return self.study.asked(variant)[axis]

    def answers(self, variant: str) -> Answers:
        """The responses of a variant of this run, where they are known."""
        if variant not in self._answers:
            cases = self.cases.get(variant, "")
            known = () if isinstance(cases, str) else cases
            self._answers[variant] = {
                (case.prompt.axis, case.prompt.id): case.response.text
                for case in known
                if case.response
            }
        return self._answers[variant]

    def answers_before(self, variant: str) -> Answers:
        """The responses that a variant's are compared with, where they are known."""
        if self.reference is not None:
            return self.answers(self.reference)
        if variant not in self._answers_before:
            baseline = self.baselines[variant]
            stored = {} if isinstance(baseline, str) else baseline.cases
            self._answers_before[variant] = {
                (axis, id_): case.response
                for axis, cases in stored.items()
                for id_, case in cases.items()
                if case.response is not None
            }
        return self._answers_before[variant]

    def lacking(self, variant: str, axis: str, before: int, after: int) -> tuple[str, ...]:
        """Why too few responses have a score (`before`, `after` have one); empty if enough do.

        A run with too few votes of a panel is accepted for no baseline, so this run's are counted.
        """
        total = len(self.prompts(variant, axis))
        reference = self.reference
        other = f"the baseline of {variant!r}" if reference is None else repr(reference)
        of_run = [name for name in (reference, variant) if name is not None]
        return lacking(axis, {other: (before, total), repr(variant): (after, total)}) or tuple(
            sentence for name in of_run for sentence in lacking_votes(self.study, name, axis)
        )

    def differences(self, variant: str, baseline: Baseline) -> dict[str, str]:
        """Why the run cannot be compared with a baseline: part of the manifest -> a sentence."""
        if variant not in self._differing:
            self._differing[variant] = self._find_differences(variant, baseline)
        return self._differing[variant]

    def _find_differences(self, variant: str, baseline: Baseline) -> dict[str, str]:
        differing = differences(baseline.manifest, manifest(self.study, variant), SIDES)
        if "judge" not in differing and "prompts" not in differing:
            error = probe_error(self.study, baseline)
            tolerance = self.profile.gate.probe_tolerance
            if error > tolerance:
                differing["judge"] = (
                    f"the judge's scores of the baseline's probe set differ from the stored ones "
                    f"by {error:.3g} on average; gate.probe_tolerance is {tolerance:g}"
                )
        return differing
