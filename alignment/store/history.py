"""What earlier runs of a profile found: a summary of each stays in the store.

A run whose report says the same as that of an earlier one, whatever happened at its side (times,
machines, paths), is that run seen once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alignment.records.decisions import worst
from alignment.store import RUN, Store, content_key

MOST = 50
"""Runs that a report shows."""


def remember(store: Store, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Keep the summary of a complete run's report; the last `MOST` runs of its profile, it last.

    `document` is a report without `run.id` and `run.history`. Raises StoreError where the store
    cannot be written.
    """
    name = identity(document)
    now = document["run"]["started"]

    def seen(before: dict[str, Any] | None) -> dict[str, Any]:
        if before is None:
            return {"profile": _profile(document), "run": _summary(document, name, now)}
        run = before["run"]
        return before | {"run": run | {"last": now, "seen": run["seen"] + 1}}

    this = store.update(RUN, name, seen)["run"]
    others = [run for run in recall(store, _profile(document)) if run["id"] != name]
    return [*others, this][-MOST:]


def recall(store: Store, profile: str) -> list[dict[str, Any]]:
    """The summaries of the last `MOST` complete runs of a profile: the one seen last comes last."""
    return profiles(store).get(profile, [])[-MOST:]


def profiles(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Profile -> the summaries of all its complete runs: the one seen last comes last."""
    found: dict[str, list[dict[str, Any]]] = {}
    for kept in store.values(RUN):
        found.setdefault(kept["profile"], []).append(kept["run"])
    return found


def identity(document: Mapping[str, Any]) -> str:
    """16 hex digits of all that a report says, but for `run`: equal runs have equal ones."""
    return content_key({key: value for key, value in document.items() if key != "run"})[:16]


def _profile(document: Mapping[str, Any]) -> str:
    return str(document["profile"]["name"])


def _summary(document: Mapping[str, Any], name: str, now: str) -> dict[str, Any]:
    gate = document["gate"]
    outcomes = [each["outcome"] for each in gate["decisions"]] if gate else []
    return {
        "id": name,
        "started": now,
        "last": now,
        "seen": 1,
        "basis": _basis(document),
        "confidence": document["profile"]["confidence"],
        "variants": {
            variant: {
                "rates": {
                    rate: {"percent": each["percent"], "interval": each["interval"]}
                    for rate, each in found["rates"].items()
                },
                "scores": {axis: scores["mean"] for axis, scores in found["scores"].items()},
            }
            for variant, found in document["variants"].items()
        },
        "outcome": worst(*outcomes) if outcomes else None,
    }


def _basis(document: Mapping[str, Any]) -> str:
    """What two runs must share for their rates to be points of one line.

    Of variants that are sampled a prompt counts as often as it was asked, so the one that was asked
    least tells which prompts there are: another variant more or less does not change the basis.
    """
    manifests = document["manifests"].values()
    least: Mapping[str, Any] = min(manifests, key=_asked, default={})
    return content_key([least.get(key) for key in ("prompts", "criteria", "judge")])[:16]


def _asked(manifest: Mapping[str, Any]) -> int:
    """How many answers a variant gave: a digest of prompts begins with their number."""
    return sum(int(digest.split()[0]) for digest in manifest["prompts"].values())
