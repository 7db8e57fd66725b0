"""What a server may take of us: hostile ones on loopback, which never end by themselves."""

import gzip
import signal
import socket
import threading
import time
import zlib
from contextlib import closing, suppress

import pytest

from alignment.config.endpoints import Endpoint
from alignment.errors import ModelError
from alignment.serving import Server

SECONDS = 0.3
"""What these servers are given for an answer."""
SOON = 4.0
"""In which all of them are done with, on a machine that is busy."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


class Raw:
    """Answers every connection with what `speak(request)` yields, byte strings or pauses."""

    def __init__(self, speak):
        self.asked = 0
        self._speak, self._over = speak, threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def endpoint(self, **settings):
        given = {"url": self.url, "model": "m", "retries": 0, "timeout": SECONDS, **settings}
        return Endpoint(**given)

    def _accept(self):
        with suppress(OSError):
            while not self._over.is_set():
                connection, _ = self._socket.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        with closing(connection), suppress(OSError):
            connection.recv(65536)
            self.asked += 1
            for said in self._speak():
                if self._over.is_set():
                    return
                if isinstance(said, bytes):
                    connection.sendall(said)
                else:
                    self._over.wait(said)
            self._over.wait(30)

    def close(self):
        self._over.set()
        self._socket.close()


@pytest.fixture
def raw(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    servers = []

    def start(speak):
        servers.append(Raw(speak))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def failure(endpoint, *, within=SOON):
    """The one plain line that asking ends with, and ends with soon."""
    began = time.monotonic()
    with closing(Server(endpoint)) as server, pytest.raises(ModelError) as caught:
        began = time.monotonic()
        server.ask("a text")
    assert time.monotonic() - began < within
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) <= 500
    return line.removeprefix(f"endpoint {endpoint.url}: ")


def again(said, pause=0.0):
    """The same for ever."""
    while True:
        yield said
        if pause:
            yield pause


def then(first, rest):
    yield first
    yield from rest


LATE = "gave no whole answer within 0.3 s, tried 1 times; raise endpoint.timeout"
BYTE, CHUNK = b" ", b"1\r\n \r\n"
SLOW = {
    "never a byte": list,
    "a header that grows": lambda: then(HEAD, again(b"x", 0.05)),
    "one header after the other": lambda: then(HEAD, again(b"x: y\r\n", 0.05)),
    "informational answers": lambda: again(b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.01),
    "informational answers, fast": lambda: again(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50),
    "a body of which a byte comes now and then": lambda: then(
        HEAD + b"Content-Length: 1000000\r\n\r\n", again(BYTE, 0.05)
    ),
    "chunks now and then": lambda: then(CHUNKED, again(CHUNK, 0.05)),
    "a body that stops": lambda: [CHUNKED, CHUNK],
    "trailers now and then": lambda: then(CHUNKED + b"0\r\n", again(b"x: y\r\n", 0.05)),
    "a failure that drips": lambda: then(
        b"HTTP/1.1 500 Oops\r\nContent-Length: 1000000\r\n\r\n", again(BYTE, 0.05)
    ),
    "packed blocks of nothing": lambda: then(
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 1000000\r\n\r\n",
        then(packer().flush(zlib.Z_SYNC_FLUSH), again(b"\0\0\0\xff\xff", 0.05)),
    ),
}


def packer():
    return zlib.compressobj(9, zlib.DEFLATED, 31)


@pytest.mark.parametrize("speak", SLOW.values(), ids=SLOW)
def test_an_answer_that_does_not_end_in_time(raw, speak):
    assert failure(raw(speak).endpoint()).startswith(LATE)


def packed(kind, body):
    head = HEAD + f"Content-Encoding: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return lambda: [head, body]


def bombs():
    """A gigabyte of nothing, packed into a megabyte."""
    gzipped, deflated = packer(), zlib.compressobj(9)
    megabyte = b"\0" * 2**20
    yield "gzip", b"".join(gzipped.compress(megabyte) for _ in range(1024)) + gzipped.flush()
    yield "deflate", b"".join(deflated.compress(megabyte) for _ in range(1024)) + deflated.flush()


MEGABYTE = b"x" * 2**20
LONG = {
    "a body without an end": lambda: then(HEAD + b"\r\n", again(MEGABYTE)),
    "a very long body": lambda: then(
        HEAD + b"Content-Length: 10000000000\r\n\r\n", again(MEGABYTE)
    ),
    "chunks without an end": lambda: then(CHUNKED, again(b"100000\r\n" + MEGABYTE + b"\r\n")),
    "a failure without an end": lambda: then(b"HTTP/1.1 400 No\r\n\r\n", again(MEGABYTE)),
}


@pytest.mark.parametrize("speak", LONG.values(), ids=LONG)
def test_an_answer_that_is_longer_than_any(raw, speak):
    line = failure(raw(speak).endpoint(timeout=30), within=20)
    assert line == (
        "what it answers is no completion (it is longer than 8 MiB); look into what listens there, "
        "or correct endpoint.url"
    )


@pytest.mark.parametrize(("kind", "body"), list(bombs()), ids=["gzip", "deflate"])
def test_a_bomb(raw, kind, body):
    assert len(body) < 2 * 2**20
    line = failure(raw(packed(kind, body)).endpoint(timeout=30), within=20)
    assert line.startswith("what it answers is no completion (it is longer than 8 MiB)")


def test_a_bomb_in_a_bomb(raw):
    body = gzip.compress(gzip.compress(b"\0" * 2**24))
    line = failure(raw(packed("gzip, gzip", body)).endpoint(timeout=30))
    assert line.startswith("what it answers is no completion (it is compressed several times)")


def test_what_is_packed_as_asked_is_read(raw):
    body = gzip.compress(b'{"choices": [{"text": "ok", "finish_reason": "stop"}]}')
    with closing(Server(raw(packed("gzip", body)).endpoint())) as server:
        assert server.ask("a text").text == "ok"


@pytest.mark.parametrize(
    "speak",
    [
        lambda: then(HEAD, again(b"x" * 65536)),
        lambda: then(HEAD, again(b"x: y\r\n" * 1000)),
        lambda: then(CHUNKED, again(b"1;" + b"x" * 65536)),
        lambda: then(CHUNKED + b"0\r\n", again(b"x: y\r\n" * 1000)),
        lambda: [b"220 mail.example ESMTP\r\n\r\n"],
    ],
    ids=["a header", "headers", "a chunk's extension", "trailers", "no HTTP"],
)
def test_what_is_no_http_is_not_listened_to(raw, speak):
    line = failure(raw(speak).endpoint(timeout=30), within=20)
    assert line.startswith("cannot be reached (")


def test_a_pause_of_a_day_is_not_waited_for(raw):
    speak = lambda: [b"HTTP/1.1 429 No\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n"]  # noqa: E731
    server = raw(speak)
    assert failure(server.endpoint(timeout=5, retries=2)).startswith("gets too many requests")
    assert server.asked == 1


def test_a_handshake_that_is_never_answered(raw):
    server = raw(list)
    line = failure(server.endpoint(url=server.url.replace("http:", "https:")))
    assert line.startswith(LATE)


def test_a_name_that_nobody_looks_up(monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(20) and [])
    endpoint = Endpoint(url="http://localhost:9/v1", model="m", retries=0, timeout=SECONDS)
    assert failure(endpoint).startswith(LATE)
    over.set()


def test_the_deadline_holds_for_every_one_of_many(raw):
    endpoint = raw(lambda: then(CHUNKED, again(CHUNK, 0.05))).endpoint(concurrency=8)
    began, failed = time.monotonic(), []

    def work(number):
        try:
            server.ask("a text")
        except ModelError:
            failed.append(number)
        return number

    with closing(Server(endpoint)) as server:
        assert sum(len(batch) for batch in server.each(work, range(16))) == 16
    assert len(failed) == 16
    assert time.monotonic() - began < 2 * SOON


# -- stopping ------------------------------------------------------------------------------------


def test_ctrl_c_ends_what_is_under_way(raw):
    """Answers that would take ten minutes, and pauses before asking again."""
    endpoint = raw(list).endpoint(timeout=600, retries=3, concurrency=4)
    with closing(Server(endpoint)) as server:
        timer = threading.Timer(0.5, signal.pthread_kill, (threading.get_ident(), signal.SIGINT))
        timer.start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            list(server.each(lambda _: server.ask("a text"), range(20)))
        assert time.monotonic() - began < SOON


def test_ctrl_c_ends_a_pause(raw):
    speak = lambda: [b"HTTP/1.1 429 No\r\nRetry-After: 50\r\nContent-Length: 0\r\n\r\n"]  # noqa: E731
    with closing(Server(raw(speak).endpoint(timeout=600, retries=3))) as server:
        timer = threading.Timer(0.5, signal.pthread_kill, (threading.get_ident(), signal.SIGINT))
        timer.start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            list(server.each(lambda _: server.ask("a text"), range(3)))
        assert time.monotonic() - began < SOON


def test_who_wants_no_more_waits_for_nobody(scripted):
    over = threading.Event()

    def script(body, number):
        if body["prompt"] != "0":
            over.wait(20)
        return "ok"

    with closing(Server(scripted(script).endpoint(concurrency=4))) as server:
        answers = server.each(lambda n: server.ask(str(n)), range(20))
        assert list(next(answers)) == [0]
        began = time.monotonic()
        answers.close()
        assert time.monotonic() - began < SOON
    over.set()


def test_a_closed_connection_asks_nobody(scripted):
    asked = scripted(lambda body, number: "ok")
    server = Server(asked.endpoint())
    server.close()
    server.close()
    with pytest.raises(ModelError, match="was not waited for, because the run stops"):
        server.ask("a text")
    assert asked.requests == []


def test_nothing_is_left_running(scripted):
    before = set(threading.enumerate())  # others' servers may not have been closed
    with closing(Server(scripted(lambda body, number: "ok").endpoint())) as server:
        server.ask("a text")
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    assert "alignment-endpoint" not in left
