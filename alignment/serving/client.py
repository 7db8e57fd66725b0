"""Requests to an OpenAI-compatible server with the `openai` client; each error is one line."""

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

Result = TypeVar("Result")

_SHOWN = 120
"""Characters of a server's message that an error shows."""

_SEARCHED = 16_384
"""Characters of a server's message that are searched for keys before it is shortened."""

_LIBRARIES = ("openai", "httpx", "httpx2", "httpcore", "httpcore2", "h11", "anyio", "asyncio")
"""Loggers of the libraries that take part in a request."""

_STOP_INTERVAL = 0.2
"""Seconds between attempts to stop the requests that are under way."""


class RefusedError(ModelError):
    """The server understood the request and refuses it (HTTP 400 or 422)."""


class Server:
    """A connection to an endpoint; any number of threads may use it.

    The client itself retries, with growing pauses; `alignment.serving.limits` limits the time and
    the length of an answer. Methods raise ModelError with one line.
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
                f"endpoint {endpoint.url}: cannot be asked ({_shown(first_line(error))}); correct "
                f"endpoint.url"
            ) from None
        from alignment.serving.limits import Loop  # noqa: PLC0415 - 0.7 s that only asking pays for

        redaction.guard_logs(*_LIBRARIES)
        self._loop = Loop()

    def ask(self, prompt: str | Sequence[Message], **settings: Any) -> Reply:
        """The answer to a text (`completions`) or to messages (`chat/completions`).

        `settings` are further parameters of the API. Raises RefusedError and ModelError.
        """
        api = self._client.completions
        if isinstance(prompt, str):
            settings["prompt"] = _sendable(prompt)
        else:
            api = self._client.chat.completions
            settings["messages"] = [{k: _sendable(v) for k, v in each.items()} for each in prompt]
        body = self._request(api, settings)
        try:
            return replies.read(json.loads(body), ends="".join(settings.get("stop", ())))
        except (ValueError, RecursionError) as error:
            no_json = isinstance(error, json.JSONDecodeError | UnicodeDecodeError)
            reason = _first_line(body) if no_json else first_line(error)
            raise ModelError(
                f"endpoint {self._endpoint.url}: what it answered is no completion "
                f"({_shown(reason)}); endpoint.url must be that of an OpenAI-compatible API, for "
                f"example http://127.0.0.1:8000/v1"
            ) from None

    def _request(self, api: Any, settings: Mapping[str, Any]) -> bytes:
        """The body of an answer. Raises RefusedError and ModelError."""
        try:
            return self._loop.do(_create(api, {"model": self._endpoint.model, **settings}))
        except CancelledError:
            raise ModelError(
                f"endpoint {self._endpoint.url}: was not waited for, because the run stops; "
                f"run again"
            ) from None
        except Exception as error:  # noqa: BLE001 - any error of three libraries
            refused = getattr(error, "status_code", None) in {400, 422}
            # The client's objects have the key in their headers: no chained exception.
            raise (RefusedError if refused else ModelError)(self._message_of(error)) from None

    def each(
        self, work: Callable[[int], Result], numbers: Iterable[int]
    ) -> Iterator[dict[int, Result]]:
        """Call `work` for every number, several at once, and yield {number: result} as they come.

        If a call raises, no further ones are started; the results of those under way are still
        yielded, then the first exception is raised.
        """
        error: BaseException | None = None
        with ThreadPoolExecutor(self._endpoint.concurrency) as pool:
            pending: dict[Future[Result], int] = {pool.submit(work, n): n for n in numbers}
            futures = list(pending)
            try:
                while pending:
                    done, _ = wait(pending, return_when=FIRST_COMPLETED)
                    ended = {future: pending.pop(future) for future in done}
                    results = {n: f.result() for f, n in ended.items() if f.exception() is None}
                    if len(results) < len(ended) and error is None:
                        error = next(e for f in ended if (e := f.exception()) is not None)
                        pending = {f: n for f, n in pending.items() if not f.cancel()}
                    if results:
                        yield results
            except BaseException:  # Ctrl-C, or the caller wants no more: stop the requests, too
                pool.shutdown(wait=False, cancel_futures=True)
                while running := [future for future in futures if not future.done()]:
                    self._loop.stop()
                    wait(running, timeout=_STOP_INTERVAL)
                raise
        if error is not None:
            raise error

    def close(self) -> None:
        """Close the connections."""
        self._loop.close(self._client.close())

    def _message_of(self, error: Any) -> str:
        """What happened, and what to do about it."""
        status = getattr(error, "status_code", None)
        problem, remedy = (
            self._explain_connection(error) if status is None else self._explain(status, error)
        )
        return f"endpoint {self._endpoint.url}: {problem}; {remedy}"

    def _explain_connection(self, error: Any) -> tuple[str, str]:
        """(problem, remedy) where there was no complete answer."""
        from openai import APITimeoutError  # noqa: PLC0415

        from alignment.serving.limits import TooMuchError  # noqa: PLC0415

        endpoint, times = self._endpoint, f"tried {self._endpoint.retries + 1} times"
        if isinstance(error, APITimeoutError):
            problem = f"gave no whole answer within {endpoint.timeout:g} s, {times}"
            return problem, "raise endpoint.timeout or lower endpoint.concurrency"
        cause = _root(error)
        if isinstance(cause, TooMuchError):
            problem = f"what it answers is no completion ({cause})"
            return problem, "look into what listens there, or correct endpoint.url"
        problem = f"cannot be reached ({_shown(_cause(cause))}), {times}"
        return problem, "start the server there, or correct endpoint.url"

    def _explain(self, status: int, error: Any) -> tuple[str, str]:
        """(problem, remedy) for an answer with an HTTP status that is an error."""
        endpoint, times = self._endpoint, f"tried {self._endpoint.retries + 1} times"
        reason = f"HTTP {status}: {_shown(_server_message(error))}"
        if status in {401, 403}:
            has_key = os.environ.get(endpoint.key_env)
            key = "the key in" if has_key else "asking without a key in"
            problem = f"refuses {key} ${endpoint.key_env} ({reason})"
            return problem, f"set ${endpoint.key_env} to a key that may use {endpoint.model!r}"
        if status == 404:
            problem = f"has no model {endpoint.model!r}, or no {endpoint.api} API there ({reason})"
            return problem, "correct endpoint.model, or endpoint.url up to the version (.../v1)"
        if status == 429:
            problem = f"gets too many requests ({reason}), {times}"
            return problem, "lower endpoint.concurrency or raise endpoint.retries"
        if status >= 500:
            return f"fails ({reason}), {times}", "look into the server's log"
        if status >= 400:
            return f"refuses the question ({reason})", "correct what the profile asks of it"
        return f"redirects to another address ({reason})", "set endpoint.url to that address"


def _client(endpoint: Endpoint) -> Any:
    """The package's client for an endpoint. No local variable of ours holds the key."""
    import openai  # noqa: PLC0415

    from alignment.serving.limits import BoundedClient  # noqa: PLC0415

    return openai.AsyncOpenAI(
        api_key=key_of(endpoint),
        base_url=endpoint.url,
        timeout=endpoint.timeout,
        max_retries=endpoint.retries,
        # No proxy for servers on this machine, and no redirects: prompts must not leave it.
        http_client=BoundedClient(
            endpoint.timeout, trust_env=not endpoint.local, follow_redirects=False
        ),
    )


async def _create(api: Any, settings: Mapping[str, Any]) -> bytes:
    """The body of the answer, unparsed: the package does not validate what it parses."""
    response = await api.with_raw_response.create(**settings)
    content: bytes = response.http_response.content
    return content


def _root(error: BaseException) -> BaseException:
    """The exception at the beginning of a chain; of a group, the first one's."""
    if isinstance(error, BaseExceptionGroup):
        return _root(error.exceptions[0])
    below = error.__cause__ or error.__context__
    return error if below is None else _root(below)


def _cause(error: BaseException) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number is None or number not in errno.errorcode:
        return first_line(error)
    return f"[Errno {number}] {os.strerror(number)}"


def _shown(text: str) -> str:
    """A server's message, safe to show: shortened, printable, and without keys."""
    return shown(redaction.redacted(text[:_SEARCHED]), _SHOWN)


def _first_line(body: bytes) -> str:
    text = body[:4096].decode("utf-8", "replace").strip()
    return first_line(ValueError(text or "an empty body"))


def key_of(endpoint: Endpoint) -> str:
    """The key to an endpoint, from the environment; `no-key` for a local server without one.

    Raises ModelError where a server elsewhere has none, or the key has unusable characters.
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
    """The key, read each time: a local variable that holds it could be shown with a traceback."""
    return os.environ.get(name, "").strip()


def check_client(endpoint: Endpoint) -> None:
    """Raise ModelError where the package `openai` is not installed, without importing it."""
    if find_spec("openai") is None:
        raise ModelError(
            f"endpoint {endpoint.url}: asking it needs the package openai, which is not installed; "
            f"pip install 'alignment-gate[endpoint]'"
        )


def _sendable(text: str) -> str:
    """The text without lone surrogates, which cannot be encoded as UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _server_message(error: Any) -> str:
    """A server's own message about an error, from wherever it is in the body."""
    body = error.body
    if isinstance(body, Mapping):
        body = body.get("message") or body.get("detail") or dict(body)
    try:
        return first_line(ValueError(body or error.message))
    except RecursionError:
        return "a body that nests too deep to be shown"
