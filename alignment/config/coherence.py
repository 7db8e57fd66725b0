"""What the tables of a profile must have to do with each other, beyond what each is by itself."""

from __future__ import annotations

from pydantic import ValidationError

from alignment.config.judges import JudgeConfig
from alignment.config.recipes import is_hub_id
from alignment.config.schema import ProfileTables
from alignment.config.variants import Variant
from alignment.errors import quoted
from alignment.records import Criterion
from alignment.records.decisions import ABOVE, BEST

_JUDGE = "judge"
"""What the judge is called wherever models are called by name."""


def check(profile: ProfileTables) -> None:
    """Raise ValueError, one line that begins with the key, for the first thing that cannot be."""
    for rule in (
        *(_named, _parents, _claimed, _distinct, _gated, _decoded),
        *(_judged, _decidable, _pinned, _reachable),
    ):
        rule(profile)


def _named(profile: ProfileTables) -> None:
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
        asked = variant.recorded if isinstance(variant.recorded, dict) else {}
        for axis in asked:
            if axis not in profile.axes:
                known = ", ".join(profile.axes)
                raise ValueError(
                    f"variants.{name}.recorded: there is no axis {axis!r}; known: {known}"
                )


def _claimed(profile: ProfileTables) -> None:
    rates = (*(axis.rate for axis in profile.axes.values()), "CAS", "all metrics")
    for claim in profile.claims:
        found = BEST.fullmatch(claim) or ABOVE.fullmatch(claim)
        if found is None:
            raise ValueError(
                f"claims: {quoted(claim)} is not a claim; write `VARIANT is best on RATE` or "
                f"`VARIANT is above VARIANT on RATE`"
            )
        named = [value for key, value in found.groupdict().items() if key != "rate"]
        for name in named:
            if name not in profile.variants:
                known = ", ".join(profile.variants)
                raise ValueError(
                    f"claims: {quoted(claim)}: no variant {quoted(name)}; known: {known}"
                )
        if found["rate"] not in rates:
            raise ValueError(f"claims: {quoted(claim)}: the rates are {', '.join(rates)}")


def _parents(profile: ProfileTables) -> None:
    for name in profile.variants:
        profile.ancestors(name)


def _distinct(profile: ProfileTables) -> None:
    rates = [axis.rate for axis in profile.axes.values()]
    for name, axis in profile.axes.items():
        if rates.count(axis.rate) > 1:
            raise ValueError(f"axes.{name}.rate: {axis.rate!r} is also the rate of another axis")


def _gated(profile: ProfileTables) -> None:
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


def _decoded(profile: ProfileTables) -> None:
    for name in profile.variants:
        try:
            profile.generation_of(name)
        except ValidationError as error:
            text = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise ValueError(f"variants.{name}.generation: {text}") from None
        except ValueError as error:
            raise ValueError(f"variants.{name}.generation: {error}") from None


def _judged(profile: ProfileTables) -> None:
    for name, judge in profile.judges.items():
        for axis in judge.axes:
            if axis not in profile.axes:
                raise ValueError(f"judges.{name}.axes: there is no axis {axis!r}")


def _decidable(profile: ProfileTables) -> None:
    """A criterion that no score meets, or that every score does, decides nothing."""
    bars: list[tuple[str, JudgeConfig, Criterion]] = [
        (f"axes.{name}", profile.judge, axis.criterion) for name, axis in profile.axes.items()
    ]
    bars += [
        (f"judges.{other}.axes.{name}", judge, bar.criterion)
        for other, judge in profile.judges.items()
        for name, bar in judge.axes.items()
    ]
    for where, judge, criterion in bars:
        if criterion.dimension not in judge.dimensions:
            continue  # told with what the judge gives
        span = judge.span(criterion.dimension)
        if span is None:
            continue
        low, high = span
        # A probability hardly ever is 0 or 1: at the bounds nearly all pass, or nearly none.
        between = judge.activation is None or low < criterion.threshold < high
        if between and criterion.met_by(high) and not criterion.met_by(low):
            continue
        who = "every" if criterion.threshold <= low else "no"
        costs = ", as sign = -1 negates them" if high == 0 else ""
        raise ValueError(
            f"{where}.threshold: {who} response passes with `{criterion}`, because the judge's "
            f"scores are between {low:g} and {high:g}{costs}; choose another threshold"
        )


def _pinned(profile: ProfileTables) -> None:
    for name, pin in profile.pickles.items():
        if is_hub_id(name) and pin.revision is None:
            raise ValueError(f'pickles."{name}": a hub id needs a `revision` (the commit)')
    loaded: dict[str, Variant | JudgeConfig] = {
        **profile.variants,
        "judge": profile.judge,
        **profile.judges,
    }
    for name, recipe in loaded.items():
        known = profile.pickles.get(recipe.model or "")
        if known is not None and recipe.revision not in (None, known.revision):
            raise ValueError(
                f"{name}.revision: {recipe.revision!r} is not the revision of its pickled weights, "
                f'pickles."{recipe.model}".revision = {known.revision!r}'
            )


def _reachable(profile: ProfileTables) -> None:
    served = {f"variants.{name}": each.endpoint for name, each in profile.variants.items()}
    served["judge"] = profile.judge.endpoint
    served |= {f"judges.{name}": each.endpoint for name, each in profile.judges.items()}
    for name, endpoint in served.items():
        if endpoint is not None and not endpoint.local and not profile.network:
            raise ValueError(
                f"{name}.endpoint.url: {endpoint.url} is not on this machine; set "
                f"`network = true` to allow requests to it"
            )
