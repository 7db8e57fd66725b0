"""The history of a profile: as a table for a terminal, and as a report with nothing else in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alignment.reporting import numbers
from alignment.reporting.columns import Column, tables
from alignment.reporting.document import SCHEMA
from alignment.reporting.text import safe, wrapped

Runs = Sequence[Mapping[str, Any]]
"""Summaries of runs, oldest first, as in `run.history` of a report."""

_ELSEWHERE = "*"


def table(profile: str, runs: Runs, width: int) -> list[str]:
    """Lines of at most `width` (at least 54) characters: a row per run, with outcome and rates.

    Runs with other prompts, criteria or another judge than the last one are marked: their rates
    cannot be compared.
    """
    last = runs[-1]["basis"]
    marks = ["" if run["basis"] == last else f" {_ELSEWHERE}" for run in runs]
    names = [f"{_format_time(run['last'])}{mark}" for run, mark in zip(runs, marks, strict=True)]
    pairs = dict.fromkeys(
        (variant, rate)
        for run in runs
        for variant, about in run["variants"].items()
        for rate in about["rates"]
    )
    columns = [
        Column("run", [run["id"] for run in runs]),
        Column("outcome", [(run["outcome"] or numbers.NOTHING).upper() for run in runs]),
        Column("seen", [str(run["seen"]) for run in runs]),
    ]
    columns += [
        Column(
            f"{safe(variant)} {safe(rate)}",
            numbers.rates(
                run["variants"].get(variant, {"rates": {}})["rates"].get(rate) for run in runs
            ),
        )
        for variant, rate in pairs
    ]
    lines = wrapped(f"{safe(profile)}: rates in % of complete runs, {len(runs)} so far", width)
    lines += tables(Column("last seen (UTC)", names), columns, max(width, _LEAST_WIDTH))
    if any(marks):
        lines += wrapped(
            f"{_ELSEWHERE} other prompts, criteria or judge than the last run: not comparable",
            width,
        )
    return lines


_LEAST_WIDTH = 54
"""Three times the width of a time and its mark, as `tables` cuts names to a third of the width."""


def _format_time(text: str) -> str:
    """`2025-01-01T10:20:30+00:00` as `2025-01-01 10:20`."""
    return safe(text[:16].replace("T", " "))


def blank(profile: str, runs: Runs) -> dict[str, Any]:
    """A report that holds only the runs of a profile and the last rates of each variant."""
    return {
        "schema": SCHEMA,
        "complete": True,
        "limit": None,
        "profile": {"name": profile, "axes": {}, "confidence": runs[-1]["confidence"]},
        "axes": {},
        "judge": {
            "identity": None,
            "trials": {},
            "agreement": {},
            "nulls": {},
            "others": {},
            "disagreements": {},
            "votes": {},
        },
        "noise": {},
        "variants": {name: _rates_only(rates) for name, rates in _last_rates(runs).items()},
        "comparisons": [],
        "claims": [],
        "manifests": {},
        "gate": None,
        "prompts": {},
        "cases": [],
        "unscored": [],
        "run": {"id": runs[-1]["id"], "history": list(runs)},
    }


def _last_rates(runs: Runs) -> dict[str, Mapping[str, Any]]:
    """Variant -> its rates in the last run that had it; variants of the last run come first."""
    rates: dict[str, Mapping[str, Any]] = {}
    for run in reversed(runs):
        for name, about in run["variants"].items():
            rates.setdefault(name, about["rates"])
    return rates


def _rates_only(rates: Mapping[str, Any]) -> dict[str, Any]:
    """A variant of which only the rates are known."""
    empty: dict[str, Any] = {"scores": {}, "change": {}, "degenerate": {}, "unscored": {}}
    shown = {name: dict(rate) | {"informative": None} for name, rate in rates.items()}
    return {"rates": shown, **empty, "responses": 0, "model": None}
