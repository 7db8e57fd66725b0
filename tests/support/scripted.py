"""A server with an OpenAI-compatible API on loopback, whose answers a test scripts."""

import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from alignment.config.endpoints import Endpoint, JudgeEndpoint


class Scripted:
    """Answers with `script(body, number)`: a text, an object, or (status, text or object).

    A text is that of a completion, an object is given as it is. `requests` keeps (path, headers,
    body) of all that was asked.
    """

    def __init__(self, script):
        self.script, self.requests = script, []
        self.model, self.fingerprint = "served-1", "fp-1"
        self.headers = {}
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"scripted": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def endpoint(self, **settings):
        """As a profile's endpoint."""
        return Endpoint(**{"url": self.url, "model": "m", "retries": 0, **settings})

    def judge(self, rubric=("harmlessness",), **settings):
        """As a profile's LLM judge."""
        questions = {name: f"How good in {name}?" for name in rubric}
        given = {"url": self.url, "model": "j", "retries": 0, "rubric": questions, **settings}
        return JudgeEndpoint(**given)

    def respond(self, path, headers, body):
        """(status, content type, bytes) of an answer."""
        with self._lock:
            self.requests.append((path, headers, body))
            number = len(self.requests) - 1
        found = self.script(body, number)
        status, found = found if isinstance(found, tuple) else (200, found)
        if isinstance(found, str) and status == 200:
            found = self._completion(path, found)
        if isinstance(found, str):
            return status, "text/html", found.encode()
        return status, "application/json", json.dumps(found).encode()

    def _completion(self, path, text):
        chat = path.endswith("/chat/completions")
        said = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        return {
            "id": "1",
            "object": "chat.completion" if chat else "text_completion",
            "created": 0,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": [{"index": 0, "finish_reason": "stop", **said}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4},
        }

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # the default of 5 drops connections, which are tried again in 1 s


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each body waits for the client's delayed ACK, 40 ms

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, kind, content = self.scripted.respond(self.path, headers, body)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if status in {301, 302, 307}:
            self.send_header("Location", "http://203.0.113.1/v1")
        for name, value in self.scripted.headers.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(BrokenPipeError):  # who asked is gone
            self.wfile.write(content)

    def log_message(self, *arguments):
        """Nothing in the tests' output."""
