"""Limits on the time and the length of a server's answer.

The client's own timeout is for a single read: a server that sends one byte now and then could keep
it waiting for ever. Here a whole request, from resolving the host to the last byte of the body, is
one task with a deadline. Importing this module imports the client (0.7 s).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import Any, TypeVar

import openai

BODY = 8 * 2**20
"""Bytes of an answer at most, both compressed and decompressed: 100,000 tokens take a tenth."""

_CLOSING = 5.0
"""Seconds in which requests that are under way must end when the connections are closed."""

# The client's HTTP library: `httpx` or `httpx2`, by the client's version.
_http: Any = import_module(openai.DefaultAsyncHttpxClient.__base__.__module__.partition(".")[0])

Result = TypeVar("Result")


class TooMuchError(openai.OpenAIError):  # type: ignore[misc]
    """An answer is too long to be a completion; the request is not repeated."""


class BoundedClient(openai.DefaultAsyncHttpxClient):  # type: ignore[misc]
    """An HTTP client whose responses are complete, within `seconds` and `BODY` bytes."""

    def __init__(self, seconds: float, **settings: Any) -> None:
        super().__init__(timeout=seconds, **settings)
        self._seconds = seconds

    async def send(self, request: Any, **settings: Any) -> Any:
        """Send a request. Raises the library's own errors, and TooMuchError."""
        settings["stream"] = True
        try:
            async with asyncio.timeout(self._seconds):
                response = await super().send(request, **settings)
                try:
                    content = await _read_body(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise _http.ReadTimeout("no whole answer in time", request=request) from None
        headers = [
            (name, value)
            for name, value in response.headers.multi_items()
            if name.lower() not in {"content-encoding", "content-length", "transfer-encoding"}
        ]
        return _http.Response(
            response.status_code, headers=headers, content=content, request=request
        )


async def _read_body(response: Any) -> bytes:
    """The body of a response. Raises TooMuchError."""
    if "," in response.headers.get("content-encoding", ""):
        raise TooMuchError("it is compressed several times")
    content = bytearray()
    async for part in response.aiter_bytes():
        content += part
        if max(len(content), response.num_bytes_downloaded) > BODY:
            raise TooMuchError(f"it is longer than {BODY // 2**20} MiB")
    return bytes(content)


class Loop:
    """An event loop in its own thread, which runs coroutines for other threads."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name="alignment-endpoint", daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine and return its result; an exception while waiting cancels it.

        Raises CancelledError when the loop was stopped, and whatever the coroutine raises.
        """
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:  # it is closed
            work.close()
            raise CancelledError from None
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """Cancel all coroutines that are under way."""

        def cancel() -> None:
            for task in asyncio.all_tasks(self._loop):
                task.cancel()

        self._loop.call_soon_threadsafe(cancel)

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Cancel all coroutines that are under way, run a last one, and end the thread."""
        if self._loop.is_closed():
            last.close()
            return
        self.stop()
        asyncio.run_coroutine_threadsafe(self._end(last), self._loop)
        self._thread.join(_CLOSING)

    async def _end(self, last: Coroutine[Any, Any, None]) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=_CLOSING / 2)
        with suppress(Exception):
            await asyncio.wait_for(last, _CLOSING / 2)
        self._loop.stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()
