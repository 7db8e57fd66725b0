"""Asking an OpenAI-compatible server, against a real one on loopback."""

import json
import socket
import threading
import time

import pytest

from alignment.config.endpoints import Endpoint
from alignment.config.schema import Generation
from alignment.errors import ModelError
from alignment.policies.endpoint import EndpointPolicy, EndpointSettings, identity_of
from alignment.records import Response
from alignment.serving import (
    RefusedError,
    ServedIdentities,
    Server,
    check_client,
    key_of,
    served_identities,
)
from alignment.store import Store

SECRET = "sk-very-secret-123"  # noqa: S105 - made up
PROMPT = "Human: What is rain?"


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def failure(endpoint, question="a text"):
    """The one plain line that asking ends with."""
    with pytest.raises(ModelError) as caught:
        Server(endpoint).ask(question)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"endpoint {endpoint.url}: ")
    assert caught.value.__cause__ is None
    return line.removeprefix(f"endpoint {endpoint.url}: ")


def policy(server, store, **generation):
    api = generation.pop("api", "completions")
    settings = EndpointSettings(
        server.endpoint(api=api), Generation(max_new_tokens=9, **generation)
    )
    return EndpointPolicy(settings, store)


def answers(policy, texts, needed=None):
    found = {}
    asked = [(text, 0) for text in texts]
    for batch in policy.respond(asked, range(len(texts)) if needed is None else needed):
        found.update(batch)
    return found


# -- what is asked -------------------------------------------------------------------------------


def test_completions_get_the_text_that_a_local_policy_would_get(scripted, store):
    server = scripted(lambda body, number: " Water.\n")
    (response,) = answers(policy(server, store), [PROMPT]).values()
    assert (response.text, response.stop, response.tokens) == ("Water.", "eos", 3)
    ((path, headers, body),) = server.requests
    assert path == "/v1/completions"
    assert body == {
        "model": "m",
        "prompt": f"{PROMPT}\n\nAssistant:",
        "max_tokens": 9,
        "temperature": 0.0,
    }
    assert headers["authorization"] == "Bearer no-key"


def test_chat_gets_the_turns_as_messages(scripted, store):
    server = scripted(lambda body, number: "Water.")
    dialogue = "Human: Hi\n\nAssistant: Hello\n\nHuman: What is rain?"
    answers(policy(server, store, api="chat"), [dialogue])
    ((path, _, body),) = server.requests
    assert path == "/v1/chat/completions"
    assert body["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "What is rain?"},
    ]


def test_sampling_is_asked_for_with_a_seed_per_sample(scripted, store):
    server = scripted(lambda body, number: "Water.")
    sampling = policy(server, store, temperature=0.7, top_p=0.9)
    list(sampling.respond([(PROMPT, 0), (PROMPT, 1)], [0, 1]))
    asked = [body for _, _, body in server.requests]
    assert {body["seed"] for body in asked} == {0, 1}
    assert {(body["temperature"], body["top_p"]) for body in asked} == {(0.7, 0.9)}


def test_an_answer_ends_where_it_speaks_for_the_human(scripted, store):
    server = scripted(lambda body, number: "Water.\n\nHuman: And snow?")
    (response,) = answers(policy(server, store, stop_at_human=True), [PROMPT]).values()
    assert (response.text, response.stop) == ("Water.", "eos")
    assert server.requests[0][2]["stop"] == ["\n\nHuman:"]


@pytest.mark.parametrize(
    ("reason", "stop"), [("length", "length"), ("content_filter", "filter"), ("stop", "eos")]
)
def test_why_an_answer_ended_is_kept(scripted, store, reason, stop):
    answer = {"choices": [{"text": "W", "index": 0, "finish_reason": reason}], "model": "m"}
    server = scripted(lambda body, number: answer)
    (response,) = answers(policy(server, store), [PROMPT]).values()
    assert (response.stop, response.tokens) == (stop, None)


def test_only_what_is_needed_is_asked(scripted, store):
    server = scripted(lambda body, number: body["prompt"])
    found = answers(policy(server, store), [f"Human: {n}" for n in range(5)], needed={1, 3})
    assert {i: r.text for i, r in found.items()} == {
        1: "Human: 1\n\nAssistant:",
        3: "Human: 3\n\nAssistant:",
    }
    assert len(server.requests) == 2


# -- several at once -----------------------------------------------------------------------------


def test_so_many_are_asked_at_once_and_no_more(scripted):
    under_way, most, lock = 0, 0, threading.Lock()

    def script(body, number):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.05)
        with lock:
            under_way -= 1
        return "ok"

    server = Server(scripted(script).endpoint(concurrency=3))
    found = [n for batch in server.each(lambda n: server.ask(str(n)), range(12)) for n in batch]
    assert sorted(found) == list(range(12))
    assert most == 3


def test_what_was_answered_before_a_failure_is_given(scripted):
    def script(body, number):
        if body["prompt"] == "3":
            return 400, {"error": {"message": "not this one"}}
        time.sleep(0.05)
        return "ok"

    scripted = scripted(script)
    server, found = Server(scripted.endpoint(concurrency=4)), {}

    def all_of_them():
        for batch in server.each(lambda n: server.ask(str(n)), range(40)):
            found.update(batch)

    with pytest.raises(ModelError, match="not this one"):
        all_of_them()
    assert {0, 1, 2} <= found.keys()
    assert len(found) + 1 == len(scripted.requests) < 40


def test_a_server_that_stumbles_is_asked_again(scripted):
    script = lambda body, number: (503, "busy") if number < 2 else "ok"  # noqa: E731
    server = scripted(script)
    assert Server(server.endpoint(retries=2)).ask("a text").text == "ok"
    assert len(server.requests) == 3


# -- what goes wrong -----------------------------------------------------------------------------


def test_nobody_listens():
    with socket.socket() as taken:  # bound and not listening: nobody else will
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        assert failure(Endpoint(url=url, model="m", retries=0)) == (
            "cannot be reached ('[Errno 111] Connection refused'), tried 1 times; "
            "start the server there, or correct endpoint.url"
        )


def test_a_server_that_is_too_slow(scripted):
    server = scripted(lambda body, number: time.sleep(0.5) or "late")
    assert failure(server.endpoint(timeout=0.1)) == (
        "gave no whole answer within 0.1 s, tried 1 times; "
        "raise endpoint.timeout or lower endpoint.concurrency"
    )


@pytest.mark.parametrize(
    ("status", "body", "line"),
    [
        (
            401,
            {"error": {"message": f"Incorrect API key provided: {SECRET}"}},
            (
                "refuses the key in $OPENAI_API_KEY (HTTP 401: 'Incorrect API key provided: ***'); "
                "set $OPENAI_API_KEY to a key that may use 'm'"
            ),
        ),
        (
            404,
            {"error": {"message": "The model `m` does not exist"}},
            (
                "has no model 'm', or no completions API there (HTTP 404: 'The model `m` does not "
                "exist'); correct endpoint.model, or endpoint.url up to the version (.../v1)"
            ),
        ),
        (
            404,
            "<html>\n<body>Not Found</body></html>",
            (
                "has no model 'm', or no completions API there (HTTP 404: '<html>'); correct "
                "endpoint.model, or endpoint.url up to the version (.../v1)"
            ),
        ),
        (
            429,
            {"error": {"message": "slow down"}},
            (
                "gets too many requests (HTTP 429: 'slow down'), tried 1 times; "
                "lower endpoint.concurrency or raise endpoint.retries"
            ),
        ),
        (
            500,
            {"detail": "out of \x1b[31mmemory"},
            "fails (HTTP 500: 'out of \\x1b[31mmemory'), tried 1 times; look into the server's log",
        ),
        (
            400,
            {"detail": "max_tokens is too large"},
            (
                "refuses the question (HTTP 400: 'max_tokens is too large'); "
                "correct what the profile asks of it"
            ),
        ),
    ],
)
def test_a_servers_refusal_is_one_plain_line(scripted, monkeypatch, status, body, line):
    server = scripted(lambda *_: (status, body))
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert failure(server.endpoint()) == line
    assert server.requests[0][1]["authorization"] == f"Bearer {SECRET}"


def test_a_missing_key_is_named(scripted):
    server = scripted(lambda *_: (401, {"error": {"message": "who are you"}}))
    assert "refuses asking without a key in $MY_KEY" in failure(server.endpoint(key_env="MY_KEY"))


@pytest.mark.parametrize(
    "page",
    [
        {"hello": "world"},
        {"choices": []},
        {"choices": {"0": "x"}},
        {"choices": ["x"]},
        {"choices": [{"index": 0}]},
        {"choices": [{"message": "x"}]},
        {"choices": [{"text": 7}]},
        [],
        7,
        None,
    ],
)
def test_json_that_is_no_completion(scripted, page):
    assert "what it answered is no completion (" in failure(scripted(lambda *_: page).endpoint())


def test_what_a_server_says_beside_its_text_need_not_be_of_any_kind(scripted, store):
    odd = {"choices": [{"text": "ok", "finish_reason": ["x"]}], "model": 7, "usage": "much"}
    (response,) = answers(policy(scripted(lambda *_: odd), store), [PROMPT]).values()
    assert response == Response("ok", "eos")


def test_lone_surrogates_are_replaced(scripted, store):
    server = scripted(lambda body, number: body["prompt"])
    (response,) = answers(policy(server, store), ["Human: \ud800?"]).values()
    assert response.text == "Human: ??\n\nAssistant:"


def test_a_body_without_a_byte(scripted):
    server = scripted(lambda *_: None)
    server.respond = lambda *_: (200, "application/json", b"")
    assert failure(server.endpoint()).startswith(
        "what it answered is no completion ('an empty body'); "
    )


def test_a_page_for_people(scripted):
    server = scripted(lambda *_: None)
    server.respond = lambda *_: (200, "text/html", b"<!doctype html>\n<title>Welcome</title>")
    assert failure(server.endpoint()) == (
        "what it answered is no completion ('<!doctype html>'); endpoint.url must be that of an "
        "OpenAI-compatible API, for example http://127.0.0.1:8000/v1"
    )


def test_a_redirect_is_not_followed(scripted):
    """What is meant for this machine would leave it."""
    assert failure(scripted(lambda *_: (307, "")).endpoint()).startswith(
        "redirects to another address (HTTP 307"
    )


def test_a_proxy_is_not_asked_for_what_is_on_this_machine(scripted, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert Server(scripted(lambda *_: "ok").endpoint()).ask("a text").text == "ok"


def test_a_refusal_can_be_told_from_other_failures(scripted):
    server = Server(scripted(lambda *_: (422, {"detail": "no"})).endpoint())
    with pytest.raises(RefusedError):
        server.ask("a text")


# -- keys ----------------------------------------------------------------------------------------


REMOTE = Endpoint(url="https://models.example/v1", model="m", key_env="MY_KEY")


def test_a_server_elsewhere_needs_a_key(monkeypatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(ModelError) as caught:
        key_of(REMOTE)
    assert str(caught.value) == (
        "endpoint https://models.example/v1: is not on this machine, and $MY_KEY is not set; set "
        "it to the server's key (to any word where the server wants none)"
    )
    monkeypatch.setenv("MY_KEY", f"{SECRET}\n")
    assert key_of(REMOTE) == SECRET


def test_a_broken_key_is_not_shown(monkeypatch):
    monkeypatch.setenv("MY_KEY", f"{SECRET}\N{HORIZONTAL ELLIPSIS}")
    with pytest.raises(ModelError, match="holds characters that no key has") as caught:
        key_of(REMOTE)
    assert SECRET not in str(caught.value)


def test_without_the_client_the_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr("alignment.serving.client.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install 'alignment-gate\[endpoint\]'"):
        check_client(REMOTE)


# -- identity, and what the server says it is ----------------------------------------------------


def test_an_identity_is_of_all_that_is_known():
    def identity(generation=None, **changes):
        settings = {"endpoint": Endpoint(url="http://localhost/v1", model="m"), **changes}
        return identity_of(EndpointSettings(generation=Generation(**generation or {}), **settings))

    plain = identity()
    assert identity(endpoint=Endpoint(url="http://localhost/v1/", model="m", retries=1)) == plain
    assert identity(seed=3) == plain  # greedy
    others = {
        identity(endpoint=Endpoint(url="http://localhost/v1", model="other")),
        identity(endpoint=Endpoint(url="http://localhost:81/v1", model="m")),
        identity(endpoint=Endpoint(url="http://localhost/v1", model="m", api="chat")),
        identity(revision="2"),
        identity({"max_new_tokens": 7}),
        identity({"format": "verbatim"}),
        identity({"stop_at_human": True}),
        identity({"temperature": 1.0}),
        identity({"temperature": 1.0}, seed=3),
    }
    assert plain not in others
    assert len(others) == 9


def test_another_models_answers_are_not_mixed_in(scripted, store):
    server = scripted(lambda body, number: "ok")
    first = policy(server, store)
    answers(first, ["Human: one"])
    server.model = "served-2"
    with pytest.raises(ModelError) as caught:
        answers(policy(server, store), ["Human: two"])
    assert str(caught.value) == (
        f"endpoint {server.url}: 'm' is now answered by 'served-2', and was by 'served-1': the "
        f"answers would be of two models; serve the first one again, or give the variant (or "
        f"judge) another `revision` to ask all anew"
    )
    assert served_identities(store, first.identity) == [
        {"model": "served-1", "fingerprint": "fp-1"}
    ]


def test_fingerprints_are_listed(scripted, store):
    server = scripted(lambda body, number: "ok")
    first = policy(server, store)
    answers(first, ["Human: one"])
    server.fingerprint = "fp-2"
    answers(first, ["Human: two"])
    answers(policy(server, store), ["Human: three"])
    assert [each["fingerprint"] for each in served_identities(store, first.identity)] == [
        "fp-1",
        "fp-2",
    ]


def test_a_key_reaches_neither_store_nor_repr(scripted, store, monkeypatch, tmp_path):
    server = scripted(lambda body, number: "ok")
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    answers(policy(server, store), ["Human: one"])
    assert server.requests[0][1]["authorization"] == f"Bearer {SECRET}"
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert SECRET.encode() not in kept
    assert SECRET not in json.dumps(server.endpoint().model_dump())


def test_a_register_is_bounded(scripted, store):
    server = Server(scripted(lambda body, number: "ok").endpoint())
    register = ServedIdentities(store, "x", Endpoint(url="http://localhost/v1", model="m"))
    for number in range(50):
        reply = server.ask("a text")
        object.__setattr__(reply, "fingerprint", str(number))
        register.note(reply)
    assert len(served_identities(store, "x")) == 32
