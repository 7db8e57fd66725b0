"""Compares two report folders, or two variants in them, by the rules of the gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from alignment.analysis.decision_rule import Evidence, GateRule, Key, decide
from alignment.analysis.pairing import Judged, pair
from alignment.analysis.rates import CAS
from alignment.analysis.score_test import score_changes
from alignment.analysis.shifts import combined_shift
from alignment.errors import ReportError
from alignment.gating import coverage
from alignment.gating.baseline import Manifest
from alignment.gating.comparability import differences
from alignment.records.decisions import Decision, GateResult, Shift
from alignment.reporting.saved import COMPLETE, read_report

REPORT = f"{COMPLETE}.json"
_NEEDED = ("axes", "cases", "manifests", "profile", "prompts", "unscored", "variants")


@dataclass(frozen=True, slots=True)
class ReportSide:
    """One side of a comparison: a report, one of its variants (None: all), and its name."""

    document: Mapping[str, Any]
    variant: str | None
    name: str


def side(spec: str, report: Path) -> ReportSide:
    """The side that `spec` names: `FOLDER`, `FOLDER:VARIANT`, or `VARIANT` for one of `report`.

    Raises ReportError where there is no such report or variant.
    """
    folder, _, variant = spec.rpartition(":")
    if folder and Path(folder).is_dir():
        return _side(Path(folder), variant, spec)
    if Path(spec).is_dir():
        return _side(Path(spec), None, spec)
    if (report / REPORT).is_file():
        return _side(report, spec, spec)
    raise ReportError(
        f"{spec}: there is no such report folder, and no {report / REPORT} in which it could be a "
        f"variant; name a report folder, FOLDER:VARIANT, or a VARIANT of --report"
    )


def _side(folder: Path, variant: str | None, name: str) -> ReportSide:
    document = load(folder)
    if variant is not None and variant not in document["variants"]:
        known = ", ".join(document["variants"])
        raise ReportError(f"{folder / REPORT}: there is no variant {variant!r}; it has {known}")
    return ReportSide(document, variant, name)


def load(folder: Path) -> dict[str, Any]:
    """The report in a folder. Raises ReportError where it is missing, damaged or too new."""
    return read_report(folder / REPORT, needed=_NEEDED)


def compare(before: ReportSide, after: ReportSide) -> GateResult:
    """The gate's decisions on two sides, with the margins of the profile of `after`.

    Whole reports are compared variant by variant; a variant that only one of them has is `invalid`.
    Raises ReportError where they have no variant in common, or where a report is damaged.
    """
    try:
        return _compare(before, after)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ReportError(
            f"{before.name} or {after.name}: its report is damaged ({type(error).__name__}: "
            f"{error}); run the suite again"
        ) from error


def _compare(before: ReportSide, after: ReportSide) -> GateResult:
    variant_pairs = _variant_pairs(before, after)
    axes = after.document["profile"]["axes"]
    rules = {
        axis: GateRule(settings["rate"], settings["gate"]["margin"], settings["gate"]["confidence"])
        for axis, settings in axes.items()
    }
    evidence = {
        (new, axis): _evidence(before, after, old, new, axis)
        for old, new in variant_pairs
        for axis in axes
    }
    decisions = decide(evidence, rules, before.name)
    scores = score_changes(
        {key: each.pairs for key, each in evidence.items() if not each.invalid},
        {axis: settings["comparison"] for axis, settings in axes.items()},
    )
    decisions = {key: replace(each, scores=scores.get(key)) for key, each in decisions.items()}
    return GateResult(
        against=before.name,
        decisions=tuple(_add_texts(each, after) for each in decisions.values()),
        shifts={new: _shifts(decisions, new) for _, new in variant_pairs},
        unchanged=tuple(new for old, new in variant_pairs if _unchanged(before, after, old, new)),
    )


def _variant_pairs(before: ReportSide, after: ReportSide) -> list[tuple[str, str]]:
    if before.variant is not None or after.variant is not None:
        old, new = before.variant or after.variant, after.variant or before.variant
        for side_, name in ((before, old), (after, new)):
            if name not in side_.document["variants"]:
                known = ", ".join(side_.document["variants"])
                raise ReportError(f"{side_.name}: there is no variant {name!r}; it has {known}")
        return [(str(old), str(new))]
    shared = [name for name in after.document["variants"] if name in before.document["variants"]]
    if not shared:
        raise ReportError(
            f"{before.name} and {after.name} have no variant in common; name one of each as "
            f"FOLDER:VARIANT"
        )
    names = dict.fromkeys((*before.document["variants"], *after.document["variants"]))
    return [(name, name) for name in names]


def _evidence(before: ReportSide, after: ReportSide, old: str, new: str, axis: str) -> Evidence:
    for side_, variant in ((before, old), (after, new)):
        if variant not in side_.document["variants"]:
            return Evidence(invalid=(f"{side_.name} has no variant {variant!r}",))
    differing = differences(
        _manifest(before, old), _manifest(after, new), (before.name, after.name)
    )
    if differing:
        return Evidence(invalid=tuple(differing.values()))
    earlier, later = _cases(before, old, axis), _cases(after, new, axis)
    unscored = _unscored(before, old, axis), _unscored(after, new, axis)
    asked = earlier.keys() | later.keys() | unscored[0] | unscored[1]
    sides = ((before, old, earlier, unscored[0]), (after, new, later, unscored[1]))
    for side_, variant, cases, without in sides:
        _require_all(side_, variant, axis, asked - cases.keys() - without)
    counts = {
        f"{variant!r} ({side_.name})": (len(cases), len(asked))
        for side_, variant, cases, _ in sides
    }
    votes = {
        f"{variant!r} ({side_.name})": (len(cases) - _incomplete(side_, variant, axis), len(cases))
        for side_, variant, cases, _ in sides
    }
    lacking = coverage.lacking(axis, counts) or coverage.lacking(axis, votes, coverage.VOTE)
    if lacking:
        return Evidence(invalid=lacking)
    prompts = after.document["prompts"]
    pairs = [
        pair(id_, prompts[id_]["cluster"], _judged_case(earlier[id_]), _judged_case(case))
        for id_, case in later.items()
        if id_ in earlier
    ]
    informative = after.document["axes"][axis]["informative"] is not False
    identical = _same_model(before, after, old, new) and _same_answers(before, after, old, new)
    return Evidence(pairs, informative=informative, identical=identical)


def _judged_case(case: Mapping[str, Any]) -> Judged:
    return Judged(case["passed"], case["score"], case.get("degenerate"))


def _manifest(side_: ReportSide, variant: str) -> Manifest:
    try:
        return Manifest.model_validate(side_.document["manifests"][variant])
    except (KeyError, ValidationError):
        raise ReportError(
            f"{side_.name}: its report does not say how {variant!r} was made; run the suite again"
        ) from None


def _cases(side_: ReportSide, variant: str, axis: str) -> dict[str, Mapping[str, Any]]:
    return {
        case["prompt"]: case
        for case in side_.document["cases"]
        if (case["variant"], case["axis"]) == (variant, axis)
    }


def _unscored(side_: ReportSide, variant: str, axis: str) -> set[str]:
    """The prompts whose response has no score."""
    return {
        each["prompt"]
        for each in side_.document["unscored"]
        if (each["variant"], each["axis"]) == (variant, axis)
    }


def _incomplete(side_: ReportSide, variant: str, axis: str) -> int:
    """How many scored responses lack a vote of the panel; 0 where the judge is none."""
    votes = side_.document.get("judge", {}).get("votes", {}).get(variant, {}).get(axis)
    return 0 if votes is None else int(votes["incomplete"])


def _require_all(side_: ReportSide, variant: str, axis: str, missing: set[str]) -> None:
    """Both sides were asked the same prompts: one without a verdict must be listed as unscored."""
    if missing:
        raise ReportError(
            f"{side_.name}: its report has no verdict of {variant!r} on {axis} for {len(missing)} "
            f"prompt{'s' * (len(missing) > 1)}, first {min(missing)}; run the suite again"
        )


def _identity(side_: ReportSide, variant: str) -> str | None:
    """The hash of a variant's weights, None where the report names none."""
    model = side_.document["variants"].get(variant, {}).get("model") or {}
    return model.get("identity")


def _unchanged(before: ReportSide, after: ReportSide, old: str, new: str) -> bool:
    """Whether both variants, not known to be one model, answer all shared prompts equally."""
    return _same_answers(before, after, old, new) and not _same_model(before, after, old, new)


def _same_model(before: ReportSide, after: ReportSide, old: str, new: str) -> bool:
    """Whether the reports name the same weights for both variants."""
    identity = _identity(before, old)
    return identity is not None and identity == _identity(after, new)


def _same_answers(before: ReportSide, after: ReportSide, old: str, new: str) -> bool:
    """Whether both variants answer all shared prompts equally, byte for byte."""
    earlier, later = (
        {
            (case["axis"], case["prompt"]): case.get("response")
            for case in side_.document["cases"]
            if case["variant"] == variant
        }
        for side_, variant in ((before, old), (after, new))
    )
    shared = earlier.keys() & later.keys()
    return bool(shared) and all(
        earlier[key] is not None and earlier[key] == later[key] for key in shared
    )


def _add_texts(decision: Decision, after: ReportSide) -> Decision:
    prompts = after.document["prompts"]
    flips = [replace(flip, text=prompts[flip.prompt]["text"]) for flip in decision.flips]
    return replace(decision, flips=tuple(flips))


def _shifts(decisions: Mapping[Key, Decision], variant: str) -> tuple[Shift, ...]:
    of_variant = [each.change for key, each in decisions.items() if key[0] == variant]
    changes = [each for each in of_variant if each is not None]
    return (combined_shift(changes, CAS),) if changes and len(changes) == len(of_variant) else ()
