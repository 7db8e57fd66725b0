"""Rules about a profile that concern several of its tables."""

from __future__ import annotations

from pydantic import ValidationError

from alignment.config.judges import JudgeConfig
from alignment.config.panel import check_panel
from alignment.config.recipes import is_hub_id
from alignment.config.schema import ProfileTables
from alignment.config.variants import Variant
from alignment.errors import quoted
from alignment.records import Criterion
from alignment.records.decisions import ABOVE, BEST

_JUDGE = "judge"
"""The judge's name beside those of the variants."""


def check(profile: ProfileTables) -> None:
    """Raise ValueError for the first rule that is broken: one line that begins with the key."""
    for rule in (
        *(_check_names, _check_parents, _check_claims, _check_rates, _check_gate),
        *(_check_generation, _check_second_judges, check_panel, _check_thresholds, _check_pickles),
        *(_check_network, _check_labels),
    ):
        rule(profile)


def _check_names(profile: ProfileTables) -> None:
    if _JUDGE in map(str.casefold, profile.variants):
        raise ValueError(f"variants: {_JUDGE!r} is the judge's name; give this variant another")
    seen: dict[str, str] = {}
    for name in profile.variants:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise ValueError(
                f"variants: {other!r} and {name!r} are the same file name on file systems that "
                f"ignore case; rename one"
            )
    for name, variant in profile.variants.items():
        files = variant.recorded if isinstance(variant.recorded, dict) else {}
        for axis in files:
            if axis not in profile.axes:
                known = ", ".join(profile.axes)
                raise ValueError(
                    f"variants.{name}.recorded: there is no axis {axis!r}; known: {known}"
                )


def _check_claims(profile: ProfileTables) -> None:
    rates = (*(axis.rate for axis in profile.axes.values()), "CAS", "all metrics")
    for claim in profile.claims:
        match = BEST.fullmatch(claim) or ABOVE.fullmatch(claim)
        if match is None:
            raise ValueError(
                f"claims: {quoted(claim)} is not a claim; write `VARIANT is best on RATE` or "
                f"`VARIANT is above VARIANT on RATE`"
            )
        names = [value for key, value in match.groupdict().items() if key != "rate"]
        for name in names:
            if name not in profile.variants:
                known = ", ".join(profile.variants)
                raise ValueError(
                    f"claims: {quoted(claim)}: no variant {quoted(name)}; known: {known}"
                )
        if match["rate"] not in rates:
            raise ValueError(f"claims: {quoted(claim)}: the rates are {', '.join(rates)}")


def _check_parents(profile: ProfileTables) -> None:
    for name in profile.variants:
        profile.ancestors(name)


def _check_rates(profile: ProfileTables) -> None:
    rates = [axis.rate for axis in profile.axes.values()]
    for name, axis in profile.axes.items():
        if rates.count(axis.rate) > 1:
            raise ValueError(f"axes.{name}.rate: {axis.rate!r} is also the rate of another axis")


def _check_gate(profile: ProfileTables) -> None:
    known = ", ".join(profile.variants)
    if profile.gate.reference is not None and profile.gate.reference not in profile.variants:
        raise ValueError(
            f"gate.against: there is no variant {profile.gate.reference!r}; known: {known}"
        )
    for name in profile.gate.variants:
        if name not in profile.variants:
            raise ValueError(f"gate.variants: there is no variant {name!r}; known: {known}")
    if profile.variants and not profile.gated():
        raise ValueError(
            f"gate.against: there is no other variant to compare with "
            f"{profile.gate.reference!r}; add one"
        )


def _check_labels(profile: ProfileTables) -> None:
    for number, table in enumerate(profile.labels.tables):
        if table.axis not in profile.axes:
            known = ", ".join(profile.axes)
            raise ValueError(
                f"labels.tables.{number}.axis: there is no axis {quoted(table.axis)}; "
                f"known: {known}"
            )


def _check_generation(profile: ProfileTables) -> None:
    for name in profile.variants:
        try:
            profile.generation_of(name)
        except ValidationError as error:
            text = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise ValueError(f"variants.{name}.generation: {text}") from None
        except ValueError as error:
            raise ValueError(f"variants.{name}.generation: {error}") from None


def _check_second_judges(profile: ProfileTables) -> None:
    for name, judge in profile.judges.items():
        for axis in judge.axes:
            if axis not in profile.axes:
                raise ValueError(f"judges.{name}.axes: there is no axis {axis!r}")


def _check_thresholds(profile: ProfileTables) -> None:
    """Refuse a threshold that no score or every score passes."""
    criteria: list[tuple[str, JudgeConfig, Criterion]] = [
        (f"axes.{name}", profile.judge, axis.criterion) for name, axis in profile.axes.items()
    ]
    criteria += [
        (f"judges.{other}.axes.{name}", judge, axis.criterion)
        for other, judge in profile.judges.items()
        for name, axis in judge.axes.items()
    ]
    for where, judge, criterion in criteria:
        if criterion.dimension not in judge.dimensions:
            continue  # reported elsewhere, with the judge's dimensions
        span = judge.span(criterion.dimension)
        if span is None:
            continue
        low, high = span
        # Probabilities are hardly ever 0 or 1: with a threshold there, nearly all or none pass.
        inside = judge.activation is None or low < criterion.threshold < high
        if inside and criterion.met_by(high) and not criterion.met_by(low):
            continue
        passing = "every" if criterion.threshold <= low else "no"
        negated = ", as sign = -1 negates them" if high == 0 else ""
        raise ValueError(
            f"{where}.threshold: {passing} response passes with `{criterion}`, because the judge's "
            f"scores are between {low:g} and {high:g}{negated}; choose another threshold"
        )


def _check_pickles(profile: ProfileTables) -> None:
    for name, pin in profile.pickles.items():
        if is_hub_id(name) and pin.revision is None:
            raise ValueError(f'pickles."{name}": a hub id needs a `revision` (the commit)')
    models: dict[str, Variant | JudgeConfig] = {
        **{f"variants.{name}": each for name, each in profile.variants.items()},
        "judge": profile.judge,
        **{f"judges.{name}": each for name, each in profile.judges.items()},
    }
    for name, model in models.items():
        allowed = profile.pickles.get(model.model or "")
        if allowed is not None and model.revision not in (None, allowed.revision):
            raise ValueError(
                f"{name}.revision: {model.revision!r} is not the revision of its pickled weights, "
                f'pickles."{model.model}".revision = {allowed.revision!r}'
            )


def _check_network(profile: ProfileTables) -> None:
    endpoints = {f"variants.{name}": each.endpoint for name, each in profile.variants.items()}
    endpoints["judge"] = profile.judge.endpoint
    endpoints |= {f"judges.{name}": each.endpoint for name, each in profile.judges.items()}
    for name, endpoint in endpoints.items():
        if endpoint is not None and not endpoint.local and not profile.network:
            raise ValueError(
                f"{name}.endpoint.url: {endpoint.url} is not on this machine; set "
                f"`network = true` to allow requests to it"
            )
