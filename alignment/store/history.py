"""The history of a profile's runs: the store keeps a summary of each complete run.

Runs whose reports are equal but for `run` (times, machines, paths) count as one run, which was seen
several times.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alignment.records.decisions import worst
from alignment.store import RUN, Store, content_key

MOST = 50
"""Runs that a report shows at most."""


def remember(store: Store, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Store the summary of a complete run, and return the last `MOST` of its profile, it last.

    `document` is a report without `run.id` and `run.history`. Raises StoreError where the store
    cannot be written.
    """
    name = identity(document)
    now = document["run"]["started"]

    def count_run(record: dict[str, Any] | None) -> dict[str, Any]:
        if record is None:
            return {"profile": _profile(document), "run": _summarize(document, name, now)}
        run = record["run"]
        return record | {"run": run | {"last": now, "seen": run["seen"] + 1}}

    current = store.update(RUN, name, count_run)["run"]
    others = [run for run in recall(store, _profile(document)) if run["id"] != name]
    return [*others, current][-MOST:]


def recall(store: Store, profile: str) -> list[dict[str, Any]]:
    """The summaries of a profile's last `MOST` complete runs, the latest at the end."""
    return profiles(store).get(profile, [])[-MOST:]


def profiles(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Profile -> the summaries of all its complete runs, the latest at the end."""
    summaries: dict[str, list[dict[str, Any]]] = {}
    for record in store.values(RUN):
        summaries.setdefault(record["profile"], []).append(record["run"])
    return summaries


def identity(document: Mapping[str, Any]) -> str:
    """16 hex digits of a hash of the whole report but for `run`."""
    return content_key({key: value for key, value in document.items() if key != "run"})[:16]


def _profile(document: Mapping[str, Any]) -> str:
    return str(document["profile"]["name"])


def _summarize(document: Mapping[str, Any], name: str, now: str) -> dict[str, Any]:
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
                    for rate, each in results["rates"].items()
                },
                "scores": {axis: scores["mean"] for axis, scores in results["scores"].items()},
            }
            for variant, results in document["variants"].items()
        },
        "outcome": worst(*outcomes) if outcomes else None,
    }


def _basis(document: Mapping[str, Any]) -> str:
    """A hash that two runs must share for their rates to be points of one line in a plot.

    It is a hash of prompts, criteria and judge. A variant that samples several answers has each
    prompt several times in its manifest; therefore the manifest with the fewest answers is taken,
    and adding another variant does not change the hash.
    """
    manifests = document["manifests"].values()
    smallest: Mapping[str, Any] = min(manifests, key=_count_answers, default={})
    return content_key([smallest.get(key) for key in ("prompts", "criteria", "judge")])[:16]


def _count_answers(manifest: Mapping[str, Any]) -> int:
    """How many answers a variant gave: the digest of an axis' prompts begins with their number."""
    return sum(int(digest.split()[0]) for digest in manifest["prompts"].values())
