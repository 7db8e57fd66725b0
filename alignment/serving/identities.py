"""What servers say that they are, kept in the store beside the answers that they gave."""

from __future__ import annotations

from typing import Any

from alignment.config.endpoints import Endpoint
from alignment.errors import ModelError
from alignment.prompts.transcripts import shown
from alignment.serving.replies import Reply
from alignment.store import Store

SERVED = "served"
"""The kind of record that says what servers said they are."""

_MOST = 32
"""So many different models and fingerprints are kept for one identity."""


class ServedIdentities:
    """What a server said it is while it gave the answers of one identity, kept in the store.

    One name stands for one model: a second name in its answers is an error. Fingerprints change
    with a server's configuration, at some providers from one answer to the next: they are listed.
    """

    def __init__(self, store: Store, identity: str, endpoint: Endpoint) -> None:
        self._store = store
        self._identity = identity
        self._endpoint = endpoint
        self._known = served_identities(store, identity)

    def note(self, reply: Reply) -> None:
        """Keep what is new. Raises ModelError where another model answers than before."""
        told = {"model": reply.model, "fingerprint": reply.fingerprint}
        if told in self._known:
            return
        if self._known and self._known[0]["model"] != reply.model:
            before, now = shown(str(self._known[0]["model"])), shown(str(reply.model))
            raise ModelError(
                f"endpoint {self._endpoint.url}: {self._endpoint.model!r} is now answered by "
                f"{now}, and was by {before}: the answers would be of two models; serve the first "
                f"one again, or give the variant (or judge) another `revision` to ask all anew"
            )
        if len(self._known) < _MOST:
            self._store.put(SERVED, {f"{self._identity}-{len(self._known)}": told})
            self._known.append(told)


def describe_served(
    endpoint: Endpoint, revision: str | None, store: Store, identity: str
) -> dict[str, Any]:
    """What a report says of a served model: the name it is asked by, and what servers said."""
    return {
        "endpoint": endpoint.url,
        "model": endpoint.model,
        "revision": revision,
        "served": served_identities(store, identity),
    }


def served_identities(store: Store, identity: str) -> list[dict[str, str | None]]:
    """What the servers said they are that gave the answers of an identity: `model`, `fingerprint`.

    In the order in which it was first said.
    """
    keys = [f"{identity}-{number}" for number in range(_MOST)]
    found = store.get(SERVED, keys)
    return [found[key] for key in keys if key in found]
