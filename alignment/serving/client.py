"""Asking an OpenAI-compatible server: the `openai` client, and its failures in one plain line."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Future,
    ThreadPoolExecutor,
    wait,
)
from importlib.util import find_spec
from typing import Any, TypeVar

from alignment import redaction
from alignment.config.endpoints import Endpoint
from alignment.errors import ModelError
from alignment.prompts.transcripts import shown
from alignment.runtime.hardware import first_line
from alignment.serving import replies
from alignment.serving.replies import Reply

Message = Mapping[str, str]
"""`role` and `content`."""

Found = TypeVar("Found")

_SHOWN = 120
"""Characters of a server's own words in an error."""

_LOOKED_AT = 16_384
"""Characters of them that are searched for keys before they are cut."""

_LIBRARIES = ("openai", "httpx", "httpx2", "httpcore", "httpcore2", "h11", "anyio", "asyncio")
"""What takes part in asking, and logs."""

_AGAIN = 0.2
"""Seconds after which what did not stop is told again."""


class RefusedError(ModelError):
    """The server understood the question and will not have it (HTTP 400 or 422)."""


class Server:
    """A connection to an endpoint, for as many threads as like. Raises ModelError, one line each.

    Retries and their growing pauses are the client's own; how long an answer may take, and how long
    it may be, is held by `alignment.serving.limits`.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        check_client(endpoint)
        try:
            self._client: Any = _client(endpoint)
        except ModelError:
            raise
        except Exception as error:  # noqa: BLE001 - its frames hold the key: no chain
            raise ModelError(
                f"endpoint {endpoint.url}: cannot be asked ({_told(first_line(error))}); correct "
                f"endpoint.url"
            ) from None
        from alignment.serving.limits import Loop  # noqa: PLC0415 - 0.7 s that only asking pays for

        redaction.guard_logs(*_LIBRARIES)
        self._loop = Loop()

    def ask(self, said: str | Sequence[Message], **settings: Any) -> Reply:
        """The answer to a text (`completions`) or to messages (`chat/completions`).

        `settings` go to the API as they are. Raises RefusedError and ModelError.
        """
        api = self._client.completions
        if isinstance(said, str):
            settings["prompt"] = _sendable(said)
        else:
            api = self._client.chat.completions
            settings["messages"] = [{k: _sendable(v) for k, v in each.items()} for each in said]
        body = self._asked(api, settings)
        try:
            return replies.read(json.loads(body), ends="".join(settings.get("stop", ())))
        except (ValueError, RecursionError) as error:
            page = isinstance(error, json.JSONDecodeError | UnicodeDecodeError)
            told = _first_line(body) if page else first_line(error)
            raise ModelError(
                f"endpoint {self._endpoint.url}: what it answered is no completion "
                f"({_told(told)}); endpoint.url must be that of an OpenAI-compatible API, for "
                f"example http://127.0.0.1:8000/v1"
            ) from None

    def _asked(self, api: Any, settings: Mapping[str, Any]) -> bytes:
        """The body of an answer."""
        try:
            return self._loop.do(_body(api, {"model": self._endpoint.model, **settings}))
        except CancelledError:
            raise ModelError(
                f"endpoint {self._endpoint.url}: was not waited for, because the run stops; "
                f"run again"
            ) from None
        except Exception as error:  # noqa: BLE001 - of three libraries, and of what a server sends
            refused = getattr(error, "status_code", None) in {400, 422}
            # What the client holds has the key in its headers: no chain.
            raise (RefusedError if refused else ModelError)(self._plain(error)) from None

    def each(
        self, work: Callable[[int], Found], numbers: Iterable[int]
    ) -> Iterator[dict[int, Found]]:
        """`work` done on every number, several at once; whatever is done is given at once.

        Where it raises, nothing new is begun, what is under way is still given, then it is raised.
        """
        error: BaseException | None = None
        with ThreadPoolExecutor(self._endpoint.concurrency) as pool:
            waiting: dict[Future[Found], int] = {pool.submit(work, n): n for n in numbers}
            everything = list(waiting)
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
            except BaseException:  # Ctrl-C, or nobody wants the rest: what is under way stops too
                pool.shutdown(wait=False, cancel_futures=True)
                while left := [future for future in everything if not future.done()]:
                    self._loop.stop()
                    wait(left, timeout=_AGAIN)
                raise
        if error is not None:
            raise error

    def close(self) -> None:
        """Close the connections."""
        self._loop.close(self._client.close())

    def _plain(self, error: Any) -> str:
        """What happened, and what to do about it."""
        status = getattr(error, "status_code", None)
        found, remedy = self._unreached(error) if status is None else self._answered(status, error)
        return f"endpoint {self._endpoint.url}: {found}; {remedy}"

    def _unreached(self, error: Any) -> tuple[str, str]:
        from openai import APITimeoutError  # noqa: PLC0415

        from alignment.serving.limits import TooMuchError  # noqa: PLC0415

        own, times = self._endpoint, f"tried {self._endpoint.retries + 1} times"
        if isinstance(error, APITimeoutError):
            found = f"gave no whole answer within {own.timeout:g} s, {times}"
            return found, "raise endpoint.timeout or lower endpoint.concurrency"
        cause = _root(error)
        if isinstance(cause, TooMuchError):
            found = f"what it answers is no completion ({cause})"
            return found, "look into what listens there, or correct endpoint.url"
        found = f"cannot be reached ({_told(_cause(cause))}), {times}"
        return found, "start the server there, or correct endpoint.url"

    def _answered(self, status: int, error: Any) -> tuple[str, str]:
        own, times = self._endpoint, f"tried {self._endpoint.retries + 1} times"
        said = f"HTTP {status}: {_told(_words(error))}"
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


def _client(endpoint: Endpoint) -> Any:
    """The package's client for an endpoint. No frame of ours that could be shown has the key."""
    import openai  # noqa: PLC0415

    from alignment.serving.limits import BoundedClient  # noqa: PLC0415

    return openai.AsyncOpenAI(
        api_key=key_of(endpoint),
        base_url=endpoint.url,
        timeout=endpoint.timeout,
        max_retries=endpoint.retries,
        # A proxy or a redirect would take what is meant for this machine off it.
        http_client=BoundedClient(
            endpoint.timeout, trust_env=not endpoint.local, follow_redirects=False
        ),
    )


async def _body(api: Any, settings: Mapping[str, Any]) -> bytes:
    """What the server sends. The package would make objects of it, whatever it is."""
    found = await api.with_raw_response.create(**settings)
    content: bytes = found.http_response.content
    return content


def _root(error: BaseException) -> BaseException:
    """What lies beneath an error of three libraries, the first of several."""
    if isinstance(error, BaseExceptionGroup):
        return _root(error.exceptions[0])
    below = error.__cause__ or error.__context__
    return error if below is None else _root(below)


def _cause(error: BaseException) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number is None or number not in errno.errorcode:
        return first_line(error)
    return f"[Errno {number}] {os.strerror(number)}"


def _told(text: str) -> str:
    """A server's words: hostile, and some of them repeat the key."""
    return shown(redaction.redacted(text[:_LOOKED_AT]), _SHOWN)


def _first_line(body: bytes) -> str:
    text = body[:4096].decode("utf-8", "replace").strip()
    return first_line(ValueError(text or "an empty body"))


def key_of(endpoint: Endpoint) -> str:
    """The key to an endpoint, from the environment; a made-up one for servers on this machine.

    Raises ModelError where a server elsewhere has none.
    """
    name = endpoint.key_env
    if not (_key(name).isascii() and _key(name).isprintable()):
        raise ModelError(
            f"endpoint {endpoint.url}: ${name} holds characters that no key has; set it anew"
        )
    if not (_key(name) or endpoint.local):
        raise ModelError(
            f"endpoint {endpoint.url}: is not on this machine, and ${name} is not set; set it to "
            f"the server's key (to any word where the server wants none)"
        )
    redaction.remember(_key(name))
    return _key(name) or "no-key"


def _key(name: str) -> str:
    """Asked for each time: a frame that holds it would be shown with an error's local variables."""
    return os.environ.get(name, "").strip()


def check_client(endpoint: Endpoint) -> None:
    """Raise ModelError where the client is not installed; it is not imported."""
    if find_spec("openai") is None:
        raise ModelError(
            f"endpoint {endpoint.url}: asking it needs the package openai, which is not installed; "
            f"pip install 'alignment-gate[endpoint]'"
        )


def _sendable(text: str) -> str:
    """Without lone surrogates: nothing with them can be sent."""
    return text.encode("utf-8", "replace").decode()


def _words(error: Any) -> str:
    """What a server says of an error, wherever in the body it says it."""
    body = error.body
    if isinstance(body, Mapping):
        body = body.get("message") or body.get("detail") or dict(body)
    try:
        return first_line(ValueError(body or error.message))
    except RecursionError:
        return "a body that nests too deep to be shown"
