"""Asking an OpenAI-compatible server: the `openai` client, and its failures in one plain line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, TypeVar

from alignment.errors import ModelError
from alignment.hardware import first_line
from alignment.prompts.transcripts import shown
from alignment.recipes import Endpoint
from alignment.store import Store

Message = Mapping[str, str]
"""`role` and `content`."""

Found = TypeVar("Found")

SERVED = "served"
"""The kind of record that says what servers said they are."""

_MOST = 32
"""So many different models and fingerprints are kept for one identity."""

_SHOWN = 120
"""Characters of a server's own words in an error."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered: the text, why it ended, its tokens, and what it says it is."""

    text: str
    ended: str | None
    tokens: int | None
    model: str | None
    fingerprint: str | None


class RefusedError(ModelError):
    """The server understood the question and will not have it (HTTP 400 or 422)."""


class Server:
    """A connection to an endpoint, for as many threads as like. Raises ModelError, one line each.

    Retries, their growing pauses and timeouts are the client's own.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._key = key_of(endpoint)
        check_client(endpoint)
        import openai  # noqa: PLC0415 - 0.7 s that only asking pays for

        self._client: Any = openai.OpenAI(
            api_key=self._key,
            base_url=endpoint.url,
            timeout=endpoint.timeout,
            max_retries=endpoint.retries,
            # A proxy or a redirect would take what is meant for this machine off it.
            http_client=openai.DefaultHttpxClient(
                trust_env=not endpoint.local, follow_redirects=False
            ),
        )

    def ask(self, said: str | Sequence[Message], **settings: Any) -> Reply:
        """The answer to a text (`completions`) or to messages (`chat/completions`).

        `settings` go to the API as they are. Raises RefusedError and ModelError.
        """
        from openai import OpenAIError  # noqa: PLC0415

        api = self._client.completions
        if isinstance(said, str):
            settings["prompt"] = _sendable(said)
        else:
            api = self._client.chat.completions
            settings["messages"] = [{k: _sendable(v) for k, v in each.items()} for each in said]
        try:
            return _reply(api.create(model=self._endpoint.model, **settings))
        except OpenAIError as error:
            refused = getattr(error, "status_code", None) in {400, 422}
            # What the client holds has the key in its headers: no chain.
            raise (RefusedError if refused else ModelError)(self._plain(error)) from None
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            # No JSON, or JSON of another shape than the client promises.
            raise ModelError(
                f"endpoint {self._endpoint.url}: what it answered is no completion "
                f"({self._told(first_line(error))}); endpoint.url must be that of an "
                f"OpenAI-compatible API, for example http://127.0.0.1:8000/v1"
            ) from None

    def each(
        self, work: Callable[[int], Found], numbers: Iterable[int]
    ) -> Iterator[dict[int, Found]]:
        """`work` done on every number, several at once; whatever is done is given at once.

        Where it raises, nothing new is begun, what is under way is still given, then it is raised.
        """
        error: BaseException | None = None
        with ThreadPoolExecutor(self._endpoint.concurrency) as pool:
            waiting: dict[Future[Found], int] = {pool.submit(work, n): n for n in numbers}
            try:
                while waiting:
                    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                    ended = {future: waiting.pop(future) for future in done}
                    good = {n: f.result() for f, n in ended.items() if f.exception() is None}
                    if len(good) < len(ended) and error is None:
                        error = next(e for f in ended if (e := f.exception()) is not None)
                        waiting = {f: n for f, n in waiting.items() if not f.cancel()}
                    if good:
                        yield good
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        if error is not None:
            raise error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _told(self, text: str) -> str:
        """A server's words: hostile, and some of them repeat the key."""
        return shown(text.replace(self._key, "***"), _SHOWN)

    def _plain(self, error: Any) -> str:
        """What happened, and what to do about it."""
        status = getattr(error, "status_code", None)
        found, remedy = self._unreached(error) if status is None else self._answered(status, error)
        return f"endpoint {self._endpoint.url}: {found}; {remedy}"

    def _unreached(self, error: Any) -> tuple[str, str]:
        from openai import APITimeoutError  # noqa: PLC0415

        own, times = self._endpoint, f"tried {self._endpoint.retries + 1} times"
        if isinstance(error, APITimeoutError):
            found = f"gave no answer within {own.timeout:g} s, {times}"
            return found, "raise endpoint.timeout or lower endpoint.concurrency"
        cause = self._told(first_line(error.__cause__ or error))
        found = f"cannot be reached ({cause}), {times}"
        return found, "start the server there, or correct endpoint.url"

    def _answered(self, status: int, error: Any) -> tuple[str, str]:
        own, times = self._endpoint, f"tried {self._endpoint.retries + 1} times"
        said = f"HTTP {status}: {self._told(_words(error))}"
        if status in {401, 403}:
            given = "the key in" if os.environ.get(own.key_env) else "asking without a key in"
            found = f"refuses {given} ${own.key_env} ({said})"
            return found, f"set ${own.key_env} to a key that may use {own.model!r}"
        if status == 404:
            found = f"has no model {own.model!r}, or no {own.api} API there ({said})"
            return found, "correct endpoint.model, or endpoint.url up to the version (.../v1)"
        if status == 429:
            found = f"is asked too much ({said}), {times}"
            return found, "lower endpoint.concurrency or raise endpoint.retries"
        if status >= 500:
            return f"fails ({said}), {times}", "look into the server's log"
        if status >= 400:
            return f"refuses the question ({said})", "correct what the profile asks of it"
        return f"sends elsewhere ({said})", "name the place itself as endpoint.url"


def key_of(endpoint: Endpoint) -> str:
    """The key to an endpoint, from the environment; a made-up one for servers on this machine.

    Raises ModelError where a server elsewhere has none.
    """
    key = os.environ.get(endpoint.key_env, "").strip()
    if not key.isascii() or not key.isprintable():
        raise ModelError(
            f"endpoint {endpoint.url}: ${endpoint.key_env} holds characters that no key has; "
            f"set it anew"
        )
    if not key and not endpoint.local:
        raise ModelError(
            f"endpoint {endpoint.url}: is not on this machine, and ${endpoint.key_env} is not set; "
            f"set it to the server's key (to any word where the server wants none)"
        )
    return key or "no-key"


def check_client(endpoint: Endpoint) -> None:
    """Raise ModelError where the client is not installed; it is not imported."""
    if find_spec("openai") is None:
        raise ModelError(
            f"endpoint {endpoint.url}: asking it needs the package openai, which is not installed; "
            f"pip install 'alignment-gate[endpoint]'"
        )


def _reply(found: Any) -> Reply:
    """The first choice of a completion. Raises some error for anything else."""
    choices = getattr(found, "choices", None)
    if not isinstance(choices, list) or not choices:
        raise ValueError(found if isinstance(found, str) else "it has no choices")
    message = getattr(choices[0], "message", None)
    if message is None:
        text = getattr(choices[0], "text", None)
    else:  # a model that declines through the API has said something too
        text = message.content or getattr(message, "refusal", None) or ""
    if not isinstance(text, str):
        raise ValueError("its first choice has no text")  # noqa: TRY004 - of a server's, not ours
    tokens = getattr(getattr(found, "usage", None), "completion_tokens", None)
    return Reply(
        text=text,
        ended=_named(choices[0], "finish_reason"),
        tokens=tokens if isinstance(tokens, int) else None,
        model=_named(found, "model"),
        fingerprint=_named(found, "system_fingerprint"),
    )


def _named(found: Any, key: str) -> str | None:
    value = getattr(found, key, None)
    return value if isinstance(value, str) else None


def _sendable(text: str) -> str:
    """Without lone surrogates: nothing with them can be sent."""
    return text.encode("utf-8", "replace").decode()


def _words(error: Any) -> str:
    """What a server says of an error, wherever in the body it says it."""
    body = error.body
    if isinstance(body, Mapping):
        body = body.get("message") or body.get("detail") or dict(body)
    return first_line(ValueError(body or error.message))


class Register:
    """What a server said it is while it gave the answers of one identity, kept in the store.

    One name stands for one model: a second name in its answers is an error. Fingerprints change
    with a server's configuration, at some providers from one answer to the next: they are listed.
    """

    def __init__(self, store: Store, identity: str, endpoint: Endpoint) -> None:
        self._store = store
        self._identity = identity
        self._endpoint = endpoint
        self._known = said(store, identity)

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


def said(store: Store, identity: str) -> list[dict[str, str | None]]:
    """What the servers said they are that gave the answers of an identity: `model`, `fingerprint`.

    In the order in which it was first said.
    """
    keys = [f"{identity}-{number}" for number in range(_MOST)]
    found = store.get(SERVED, keys)
    return [found[key] for key in keys if key in found]
