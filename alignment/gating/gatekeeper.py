"""The gate of a study: what is compared with what, and what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from statistics import fmean

from alignment.analysis import decision_rule as rules
from alignment.analysis import power, shifts
from alignment.analysis.paired import change as paired_change
from alignment.analysis.rates import CAS
from alignment.errors import AlignmentError, BaselineError
from alignment.gating import baseline as baselines
from alignment.gating.baseline import Baseline
from alignment.gating.coverage import lacking
from alignment.gating.manifests import SIDES, manifest
from alignment.gating.sides import (
    Earlier,
    Side,
    kind_of,
    known,
    of_cases,
    of_rows,
    paired,
    unchanged,
)
from alignment.records import Case, Interval
from alignment.records.decisions import ACCEPT, Change, Decision, Gate, PairedVerdict, Shift
from alignment.runtime.hardware import versions
from alignment.store import content_key
from alignment.study.study import Study
from alignment.study.trial import second_opinions, try_judge, try_nulls

_FLIPS = 0.2
"""The share of flips that a plan counts on at least; the paper's own pairs have 22 to 48 %."""

Found = Baseline | str
"""A baseline, or the sentence that says why there is none."""


class Gatekeeper:
    """The gate over one study. `folder` holds the baselines, one file per variant.

    `rescore` has the judge of this run score the responses that a baseline stores, where only the
    judge differs; `updating` says that a first baseline is to be made. The comparisons are those of
    the whole profile, whatever was selected.
    """

    def __init__(
        self, study: Study, folder: Path, *, rescore: bool = False, updating: bool = False
    ) -> None:
        self.study = study
        self.profile = study.profile
        self.folder = folder
        self._rescore = rescore
        self._updating = updating
        self._differing: dict[str, dict[str, str]] = {}
        self._drifts: dict[str, dict[str, Shift]] = {}

    @cached_property
    def gate(self) -> Gate:
        """Every decision, corrected for each other, with what is reported beside them."""
        evidence = {
            (variant, axis): self._evidence(variant, axis)
            for variant in self.profile.gated()
            for axis in self.profile.axes
        }
        against = self.profile.gate.against.replace("variant:", "variant ")
        decisions = rules.decide(evidence, self._rules, against)
        since = self.since_anchor
        found = tuple(
            self._explained(replace(each, anchor=self._explained(since[key], anchor=True)))
            if key in since and self._moved(key) and self.profile.gate.reference is None
            else self._explained(each)
            for key, each in decisions.items()
        )
        return Gate(
            against=against,
            decisions=found,
            shifts={v: self._shifts(v, evidence) for v in self.profile.gated()},
            drifts=self._drifts,
            unchanged=tuple(v for v in self.profile.gated() if self._unchanged(v)),
            plan=self._plan(found),
        )

    def decision(self, variant: str, axis: str) -> Decision:
        """The decision on one variant and axis. Raises AlignmentError where it is not gated."""
        for each in self.gate.decisions:
            if (each.variant, each.axis) == (variant, axis):
                return each
        gated = ", ".join(self.profile.gated())
        raise AlignmentError(f"variant {variant!r} is not gated on {axis}; gated: {gated}")

    # -- evidence --------------------------------------------------------------------------------

    @cached_property
    def _rules(self) -> dict[str, rules.Rule]:
        return {
            name: rules.Rule(axis.rate, axis.gate.margin, axis.gate.confidence)
            for name, axis in self.profile.axes.items()
        }

    @cached_property
    def cases(self) -> dict[str, list[Case] | str]:
        """Variant -> its cases, or what kept them from being made."""
        names = dict.fromkeys((*self.profile.gated(), self.profile.gate.reference))
        wanted = [name for name in names if name is not None]
        self.study.want(self.study.keys(*wanted))
        found: dict[str, list[Case] | str] = {}
        for name in wanted:
            try:
                found[name] = self.study.cases(name)
            except AlignmentError as error:
                found[name] = str(error)
        return found

    @cached_property
    def found(self) -> dict[str, Found]:
        """Gated variant -> its baseline, or why there is none."""
        return {variant: self._load(variant) for variant in self.profile.gated()}

    def _load(self, variant: str) -> Found:
        path = baselines.path_of(self.folder, variant)
        try:
            found = baselines.load(path)
        except BaselineError as error:
            return str(error)
        if found is not None and found.variant == variant:
            return found
        if found is not None:
            return (
                f"baseline {baselines.shown(path)}: it belongs to {found.variant!r}, not to "
                f"{variant!r}; restore the file, or accept this run with {ACCEPT}"
            )
        if self._updating:
            return f"no baseline yet at {baselines.shown(path)}; this run will create it"
        others = [v for v in self.profile.variants if v != variant]
        reference = self.profile.reference if self.profile.reference in others else None
        name = reference or (others[0] if others else "reference")
        more = "" if others else "--alignment-variant reference=./its-parent "
        return (
            f"no baseline for {variant!r} at {baselines.shown(path)}; "
            f"accept this run with --snapshot-update, or compare with a variant of this run with "
            f"{more}--alignment-set gate.against=variant:{name}"
        )

    @cached_property
    def _informative(self) -> dict[str, bool]:
        trials = {axis: try_judge(self.study, axis) for axis in self.profile.axes}
        for axis in self.profile.axes:
            try_nulls(self.study, axis)  # belongs to every report on a judge
        second_opinions(self.study)
        return {axis: trial is None or trial.informative for axis, trial in trials.items()}

    def _evidence(self, variant: str, axis: str) -> rules.Evidence:
        after = self.cases[variant]
        if isinstance(after, str):
            return rules.Evidence(invalid=(after,))
        rows, invalid = self._before(variant, axis)
        own = [case for case in after if case.prompt.axis == axis]
        invalid = invalid or self._lacking(variant, axis, len(rows), len(own))
        if invalid:
            return rules.Evidence(invalid=invalid)
        return rules.Evidence(paired(rows, own), informative=self._informative[axis])

    def _lacking(self, variant: str, axis: str, before: int, after: int) -> tuple[str, ...]:
        """What forbids a comparison in which so many responses have a score, before and after."""
        total = len(self.study.asked(variant)[axis])
        reference = self.profile.gate.reference
        other = f"the baseline of {variant!r}" if reference is None else repr(reference)
        return lacking(axis, {other: (before, total), repr(variant): (after, total)})

    def _before(self, variant: str, axis: str) -> Side:
        """What a variant is compared with on an axis."""
        reference = self.profile.gate.reference
        if reference is not None:
            return self._reference(variant, reference, axis)
        return self._baseline(variant, axis)

    def _reference(self, variant: str, reference: str, axis: str) -> Side:
        cases = self.cases[reference]
        if isinstance(cases, str):
            return {}, (cases,)
        otherwise = self._asked_otherwise(variant, reference)
        if otherwise:
            return {}, otherwise
        return of_cases(case for case in cases if case.prompt.axis == axis), ()

    def _baseline(self, variant: str, axis: str) -> Side:
        found = self.found[variant]
        if isinstance(found, str):
            return {}, (found,)
        differing = self.differences(variant, found)
        if differing.keys() == {"judge"} and self._rescore:
            return self._rescored(variant, axis, found)
        if differing:
            return {}, tuple(differing.values())
        return of_rows(found.cases[axis], self.study.asked(variant)[axis]), ()

    def _asked_otherwise(self, variant: str, reference: str) -> tuple[str, ...]:
        """Where two variants of a run were not asked the same in the same way.

        The dialogue format may differ: how a model wants to be addressed belongs to the model.
        """
        pair = manifest(self.study, reference), manifest(self.study, variant)
        found = baselines.differences(*pair, (reference, variant))
        return tuple(text for part, text in found.items() if part != "format")

    def differences(self, variant: str, found: Baseline) -> dict[str, str]:
        """What keeps the run from being compared with a baseline: part -> a sentence."""
        if variant not in self._differing:
            self._differing[variant] = self._find_differences(variant, found)
        return self._differing[variant]

    def _find_differences(self, variant: str, found: Baseline) -> dict[str, str]:
        differing = baselines.differences(found.manifest, manifest(self.study, variant), SIDES)
        if "judge" not in differing and "prompts" not in differing:
            off = self._probe_error(found)
            tolerance = self.profile.gate.probe_tolerance
            if off > tolerance:
                differing["judge"] = (
                    f"the judge's scores of the baseline's probe set differ from the stored ones "
                    f"by {off:.3g} on average; gate.probe_tolerance is {tolerance:g}"
                )
        return differing

    def _probe_error(self, found: Baseline) -> float:
        """Mean absolute difference of the probe set's scores, in the judge's unit."""
        texts = {p.id: p for prompts in self.study.prompts.values() for p in prompts}
        known = [probe for probe in found.probe if probe.prompt in texts]
        asked = [(texts[probe.prompt].text, probe.response) for probe in known]
        scores = self.study.scores_of(asked, "baseline's probe set") if asked else None
        if not scores:
            return 0.0
        axes = [self.profile.axes[texts[probe.prompt].axis] for probe in known]
        found_off = [
            abs(score.values[axis.dimension] - probe.score)
            for score, axis, probe in zip(scores, axes, known, strict=True)
            if score.unscored is None
        ]
        # A judge that scores none of them is found by what it leaves unscored.
        return fmean(found_off) if found_off else 0.0

    def _rescored(self, variant: str, axis: str, found: Baseline) -> Side:
        """The baseline's responses scored by this run's judge; notes what the judge alone did."""
        rows = found.cases[axis]
        prompts = [p for p in self.study.asked(variant)[axis] if p.id in rows]
        asked = [(p.text, text) for p in prompts if (text := rows[p.id].response) is not None]
        if len(asked) < len(prompts):
            missing = (
                f"the baseline of {variant!r} stores no responses that could be scored again; "
                f"accept a run of the earlier judge with {ACCEPT} --alignment-set "
                f"gate.responses=true"
            )
            return {}, (missing,)
        scores = self.study.scores_of(asked, f"baseline of {variant}, scored again")
        if scores is None:
            return {}, ("recorded scores cannot be computed again; name a judge",)
        criterion, dimension = self.profile.axes[axis].criterion, self.profile.axes[axis].dimension
        scored = [
            (p, score.values[dimension])
            for p, score in zip(prompts, scores, strict=True)
            if score.unscored is None
        ]
        fresh = {
            p.id: Earlier(criterion.met_by(v), v, kind_of(rows[p.id], p.text)) for p, v in scored
        }
        if not fresh:
            return fresh, ()  # told as what lacks a score
        pairs = [
            PairedVerdict(
                p.id, p.cluster, rows[p.id].passed, fresh[p.id].passed, rows[p.id].score, v
            )
            for p, v in scored
        ]
        rule = self._rules[axis]
        judged = paired_change(rule.rate, pairs, rule.confidence)
        shift = Shift(rule.rate, judged.difference, judged.interval)
        self._drifts.setdefault(variant, {})[rule.rate] = shift
        return fresh, ()

    @cached_property
    def since_anchor(self) -> dict[rules.Key, Decision]:
        """The same question asked of the change since the anchor, where there is a baseline."""
        evidence: dict[rules.Key, rules.Evidence] = {}
        for variant in self.profile.gated():
            found, after = self.found[variant], self.cases[variant]
            if isinstance(found, str) or isinstance(after, str):
                continue
            if self.differences(variant, found):
                continue
            for axis, rows in found.cases.items():
                before = of_rows(rows, self.study.asked(variant)[axis], anchor=True)
                own = [case for case in after if case.prompt.axis == axis]
                if self._lacking(variant, axis, len(rows), len(own)):
                    continue  # told of the run itself
                pairs = paired(before, own)
                informative = self._informative[axis]
                evidence[variant, axis] = rules.Evidence(pairs, informative=informative)
        return rules.decide(evidence, self._rules, "anchor")

    def _moved(self, key: rules.Key) -> bool:
        """Whether the baseline's verdicts are no longer those of its anchor."""
        found = self.found[key[0]]
        return isinstance(found, Baseline) and any(
            row.anchor != row.passed for row in found.cases[key[1]].values()
        )

    # -- what is told ----------------------------------------------------------------------------

    def _explained(self, decision: Decision, *, anchor: bool = False) -> Decision:
        """With the flipped prompts' texts and responses, as far as they are known."""
        prompts = {p.id: p for p in self.study.asked(decision.variant)[decision.axis]}
        after, before = self._answers(decision.variant), self._answers_before(decision.variant)
        flips = tuple(
            replace(
                flip,
                text=prompts[flip.prompt].text,
                response_before=None if anchor else before.get((decision.axis, flip.prompt)),
                response_after=after.get((decision.axis, flip.prompt)),
            )
            for flip in decision.flips
        )
        return replace(decision, flips=flips)

    def _unchanged(self, variant: str) -> bool:
        """Whether a variant says what its baseline stores, and is not known to be that model."""
        found, cases = self.found[variant], self.cases[variant]
        if isinstance(found, str) or isinstance(cases, str) or self.profile.gate.reference:
            return False
        if not unchanged(found, cases):
            return False
        model = self.study.policy(variant).baseline_model()
        return not (known(model) and model == found.model)

    def _answers(self, variant: str) -> dict[tuple[str, str], str]:
        cases = self.cases.get(variant, "")
        if isinstance(cases, str):
            return {}
        return {(c.prompt.axis, c.prompt.id): c.response.text for c in cases if c.response}

    def _answers_before(self, variant: str) -> dict[tuple[str, str], str]:
        if self.profile.gate.reference is not None:
            return self._answers(self.profile.gate.reference)
        found = self.found[variant]
        if isinstance(found, str):
            return {}
        return {
            (axis, id_): row.response
            for axis, rows in found.cases.items()
            for id_, row in rows.items()
            if row.response is not None
        }

    def _shifts(
        self, variant: str, evidence: Mapping[rules.Key, rules.Evidence]
    ) -> tuple[Shift, ...]:
        """CAS and the mean scores, where every axis can be compared."""
        own = {axis: evidence[variant, axis] for axis in self.profile.axes}
        if any(found.invalid for found in own.values()):
            return ()
        changes: list[Change] = [
            paired_change(axis, found.pairs, self.profile.confidence) for axis, found in own.items()
        ]
        means = [self._mean(axis, found.pairs) for axis, found in own.items()]
        return (shifts.combined_shift(changes, CAS), *means)

    def _mean(self, axis: str, pairs: Sequence[PairedVerdict]) -> Shift:
        """A bootstrap is computed once: a run in which everything is stored has no time for it."""
        settings = self.profile.gate
        told = [(p.cluster, p.score_before, p.score_after) for p in pairs]
        spec = (self.profile.confidence, settings.resamples, self.profile.seed)
        key = content_key("bca", 2, told, spec, versions("scipy", "numpy"))

        def compute() -> list[float]:
            confidence, resamples, seed = spec
            found = shifts.mean_shift(axis, pairs, confidence, resamples=resamples, seed=seed)
            return [found.difference, found.interval.low, found.interval.high]

        difference, low, high = self.study.store.cached("bootstrap", key, compute)
        return Shift(axis, difference, Interval(low, high))

    def _plan(self, decisions: Iterable[Decision]) -> str:
        """What these prompts can show, for the smallest axis and the flips that were seen."""
        changes = [each.change for each in decisions if each.change is not None]
        if not changes:
            return ""
        total = min(each.total for each in changes)
        flips = fmean((each.lost + each.gained) / each.total for each in changes)
        rule = min(self._rules.values(), key=lambda rule: rule.margin)
        # A drop needs flips: with as few as a quiet run has, none of the margin's size could be.
        flips = min(1.0, max(flips, _FLIPS, 1.5 * rule.margin / 100))
        return power.plan_line(total, flips, rule.margin, rule.confidence, len(changes))
