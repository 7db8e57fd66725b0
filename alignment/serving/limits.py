"""What a server may take of us: so long for an answer, and so many bytes.

The client's own timeout is for one read, so that a server that says a byte now and then would be
listened to for ever. Here the whole of an answer, from the name of its host to the last byte of its
body, is one task with a deadline. Importing this imports the client (0.7 s).
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
"""Bytes of an answer at most, as they are sent and as they are once unpacked: some 100,000 tokens
take a tenth of it."""

_ENDING = 5.0
"""Seconds in which what is under way has to let go when the connections are closed."""

# The library beneath the client, which has two names, by the client's version.
_http: Any = import_module(openai.DefaultAsyncHttpxClient.__base__.__module__.partition(".")[0])

Found = TypeVar("Found")


class TooMuchError(openai.OpenAIError):  # type: ignore[misc]
    """An answer is longer than any answer; asking again would not make it shorter."""


class BoundedClient(openai.DefaultAsyncHttpxClient):  # type: ignore[misc]
    """Gives answers that are there as a whole, within `seconds` and `BODY`."""

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
                    content = await _whole(response)
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


async def _whole(response: Any) -> bytes:
    """The body of a response. Raises TooMuchError."""
    if "," in response.headers.get("content-encoding", ""):
        raise TooMuchError("it is packed several times")
    content = bytearray()
    async for part in response.aiter_bytes():
        content += part
        if max(len(content), response.num_bytes_downloaded) > BODY:
            raise TooMuchError(f"it is longer than {BODY // 2**20} MiB")
    return bytes(content)


class Loop:
    """An event loop in a thread of its own, which other threads have coroutines run in."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name="alignment-endpoint", daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, Found]) -> Found:
        """What a coroutine gives; whoever stops waiting stops it. Raises CancelledError."""
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
        """Stop what is under way."""

        def cancel() -> None:
            for task in asyncio.all_tasks(self._loop):
                task.cancel()

        self._loop.call_soon_threadsafe(cancel)

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Stop all that is under way, do a last thing, and end the thread."""
        if self._loop.is_closed():
            last.close()
            return
        self.stop()
        asyncio.run_coroutine_threadsafe(self._end(last), self._loop)
        self._thread.join(_ENDING)

    async def _end(self, last: Coroutine[Any, Any, None]) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=_ENDING / 2)
        with suppress(Exception):
            await asyncio.wait_for(last, _ENDING / 2)
        self._loop.stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()
