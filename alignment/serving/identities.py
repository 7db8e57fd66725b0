"""The model names and fingerprints that servers report, stored beside their answers."""

from __future__ import annotations

from typing import Any

from alignment.config.endpoints import Endpoint
from alignment.errors import ModelError
from alignment.prompts.transcripts import shown
from alignment.serving.replies import Reply
from alignment.store import Store

SERVED = "served"
"""The kind of these records in the store."""

_MOST = 32
"""Pairs of model and fingerprint that are stored for one identity, at most."""


class ServedIdentities:
    """The model names and fingerprints that a server reports in the answers of one identity.

    `identity` is that of a policy or a judge. A second model name in its answers is an error.
    Fingerprints may change with a server's configuration, at some providers with every answer: they
    are listed.
    """

    def __init__(self, store: Store, identity: str, endpoint: Endpoint) -> None:
        self._store = store
        self._identity = identity
        self._endpoint = endpoint
        self._known = served_identities(store, identity)

    def note(self, reply: Reply) -> None:
        """Store a new fingerprint. Raises ModelError where another model answers than before."""
        served = {"model": reply.model, "fingerprint": reply.fingerprint}
        if served in self._known:
            return
        if self._known and self._known[0]["model"] != reply.model:
            before, now = shown(str(self._known[0]["model"])), shown(str(reply.model))
            raise ModelError(
                f"endpoint {self._endpoint.url}: {self._endpoint.model!r} is now answered by "
                f"{now}, and was by {before}: the answers would be of two models; serve the first "
                f"one again, or give the variant (or judge) another `revision` to ask all anew"
            )
        if len(self._known) < _MOST:
            self._store.put(SERVED, {f"{self._identity}-{len(self._known)}": served})
            self._known.append(served)


def describe_served(
    endpoint: Endpoint, revision: str | None, store: Store, identity: str
) -> dict[str, Any]:
    """What a report says about a served model: where it is, and what its servers report."""
    return {
        "endpoint": endpoint.url,
        "model": endpoint.model,
        "revision": revision,
        "served": served_identities(store, identity),
    }


def served_identities(store: Store, identity: str) -> list[dict[str, str | None]]:
    """The `model` and `fingerprint` of all servers that gave the answers of an identity.

    They are in the order in which they were first reported.
    """
    keys = [f"{identity}-{number}" for number in range(_MOST)]
    records = store.get(SERVED, keys)
    return [records[key] for key in keys if key in records]
