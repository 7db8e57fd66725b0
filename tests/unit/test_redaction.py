"""Keys and what addresses hold are shown nowhere, however they are spelled."""

import base64
import json
import logging
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from alignment import redaction
from alignment.config.layers import resolve
from alignment.errors import ModelError

KEY = 'sk-c4nary"/+\\=0123'


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setattr(redaction, "_keys", set())
    redaction.remember(KEY)


def basic(user):
    return base64.b64encode(f"{user}:{KEY}".encode()).decode()


@pytest.mark.parametrize(
    "spelled",
    [
        KEY,
        json.dumps(KEY),
        json.dumps(json.dumps(KEY)[1:-1]),
        json.dumps(KEY).replace("/", r"\/"),
        repr(KEY),
        ascii(KEY),
        quote(KEY),
        quote(KEY, safe=""),
        "".join(f"%{ord(c):02x}" for c in KEY),
        "".join(f"\\u{ord(c):04x}" for c in KEY),
        KEY.encode().hex(),
        *(f"Basic {basic('u' * n)}" for n in range(4)),
        *(base64.b64encode(f"{'u' * n}:{KEY}:and more".encode()).decode() for n in range(3)),
        base64.urlsafe_b64encode(f"\xfb\xff{KEY}".encode("latin-1")).decode(),
    ],
)
def test_a_key_in_any_spelling(spelled):
    shown = redaction.without_keys(f"before {spelled} after")
    assert "***" in shown
    assert (shown.startswith("before "), shown.endswith(" after")) == (True, True)
    assert "c4nary" not in shown
    assert "0123" not in shown
    assert base64.b64encode(b"c4nary")[:6].decode() not in shown


@pytest.mark.parametrize("unit", ["\\", "%25", "&#0", "s", "://", "a://b@", "?", "sk-c4nary"])
def test_a_long_text_is_searched_in_time(unit):
    began = time.process_time()
    redaction.without_keys(unit * (200_000 // len(unit)))
    redaction.redacted(unit * (16_384 // len(unit)))
    assert time.process_time() - began < 10


def test_a_key_of_a_library_is_known_without_being_named(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_AbCdEf0123456789")
    assert redaction.without_keys("no access with hf_AbCdEf0123456789") == "no access with ***"


@pytest.mark.parametrize("word", ["", " ", "none", "EMPTY", "password", "x1", None])
def test_a_placeholder_is_no_key(word):
    redaction.remember(word)
    text = f"Say your password to none, EMPTY x1 {word}."
    assert redaction.without_keys(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:p@h/v1", "http://***@h/v1"),
        ("x=https://u:p/w@h:1/v1#m!", "x=https://***@h:1/v1#m!"),
        ("http://u:p@ss@h/v1 failed", "http://***@h/v1 failed"),
        ("http://token@h", "http://***@h"),
        ("see 'http://h/v1?key=1&b=2' there", "see 'http://h/v1?***' there"),
        ("http://127.0.0.1:8000/v1: HTTP 400?", "http://127.0.0.1:8000/v1: HTTP 400?"),
        ("me@example.org", "me@example.org"),
        (f"{Path('https://u:p@h/x.jsonl')}: no such file", "https:/***@h/x.jsonl: no such file"),
        (f"{Path('https://h/x.jsonl?key=1')}: no such file", "https:/h/x.jsonl?*** no such file"),
    ],
)
def test_what_an_address_may_hold(text, shown):
    assert redaction.redacted(text) == shown


def test_no_error_of_ours_holds_a_key():
    error = ModelError(f"endpoint http://u:p@h/v1 said {KEY}")
    assert str(error) == "endpoint http://***@h/v1 said ***"
    assert KEY not in repr(error)
    assert str(type(error)(*error.args)) == str(error)


def test_a_command_line_that_can_be_shown():
    given = [
        "pytest",
        *("--alignment-set", "judge.endpoint.url=http://u:p4ss@h/v1"),
        "--alignment-variant=x=http://u:p4ss@h/v1#m!",
        *("--api-key", "p4ss", "--hf-token=p4ss", "--my_password", "p4ss", "-k", "key"),
        *("--keep-duplicates", "--max-tokens=5", f"--x={KEY}", "--auth", "-v"),
        "judge.endpoint.url=http://u:p4 ss@h/v1",
    ]
    assert redaction.command(given) == [
        "pytest",
        *("--alignment-set", "judge.endpoint.url=http://***@h/v1"),
        "--alignment-variant=x=http://***@h/v1#m!",
        *("--api-key", "***", "--hf-token=***", "--my_password", "***", "-k", "key"),
        *("--keep-duplicates", "--max-tokens=5", "--x=***", "--auth", "-v"),
        "judge.endpoint.url=http://***@h/v1",
    ]


def test_what_libraries_log(caplog):
    logger = logging.getLogger("httpcore2.guarded")
    redaction.guard_logs("httpcore2")
    with caplog.at_level(logging.DEBUG):
        logger.debug("receive headers %r", [(b"x", KEY)])
        try:
            int(KEY)
        except ValueError:
            logger.exception("so")
        logger.debug("a plain one of %d", 2)
    assert "c4nary" not in caplog.text
    assert "a plain one of 2" in caplog.text
    assert "ValueError: invalid literal for int() with base 10: '***'" in caplog.text


# -- refusals ------------------------------------------------------------------------------------

BASE = """
extends = "hh-rlhf"
[variants.candidate.endpoint]
url = "http://127.0.0.1:1/v1"
model = "m"
"""
WRONG = [
    "http://me:p4ss@127.0.0.1/v1",
    "http://p4ss@127.0.0.1/v1",
    "http://127.0.0.1/v1?key=p4ss",
    "http://127.0.0.1/v1#p4ss",
    "http://127.0.0.1:p4ss/v1",
    "http://me:p4ss w0rd@127.0.0.1/v1",
    "http://me:p4ss#x@127.0.0.1/v1",
    "http://me:p4ss/x@127.0.0.1/v1",
    "http://[p4ss/v1",
    "http://me:p4ss\\@127.0.0.1/v1",
    "ftp://me:p4ss@127.0.0.1/v1",
    "me:p4ss@127.0.0.1/v1",
    "http://:p4ss@/v1",
    "http%3A%2F%2Fme:p4ss@127.0.0.1",
    "http://127.0.0.1\u2048p4ss/v1",
    "p4ss",
]


@pytest.mark.parametrize("url", WRONG)
@pytest.mark.parametrize("key", ["url", "", "url.0", "key_env"])
def test_a_refusal_never_quotes_what_may_be_a_key(tmp_path, url, key):
    (tmp_path / "p.toml").write_text(BASE)
    where = f"variants.candidate.endpoint.{key}".rstrip(".")
    given = [f"{where.removesuffix('.0')}={json.dumps([url]) if '.0' in where else url}"]
    with pytest.raises(Exception, match=r"variants\.candidate") as caught:
        resolve(tmp_path, selected=str(tmp_path / "p.toml"), assignments=given)
    assert caught.type.__name__ == "ProfileError"
    assert "p4ss" not in str(caught.value)
    assert "p4ss" not in repr(caught.value)


@pytest.mark.parametrize("url", WRONG[:-1])
def test_nor_does_that_of_an_option(tmp_path, url):
    (tmp_path / "p.toml").write_text(BASE)
    served = url.startswith("http:") and "/v1#" not in url  # that would be a model's name
    for options in (
        {"variants": [f"x={url}#m!"]} if served else {},
        {"variants": [f"x={url}"]} if served else {},
        {"assignments": [f"judge.endpoint.url={url}", "name.x=1"]},
        {"assignments": [f"name.url={url}"]},
        {"assignments": [f"judge.api_key={url}"]},
    ):
        if options:
            with pytest.raises(Exception, match=r".") as caught:
                resolve(tmp_path, selected=str(tmp_path / "p.toml"), **options)
            assert caught.type.__name__ == "ProfileError"
            assert "p4ss" not in str(caught.value)


def test_a_key_in_the_place_of_its_name(tmp_path):
    (tmp_path / "p.toml").write_text(f'{BASE}key_env = "sk-p4ss0123"\n')
    with pytest.raises(Exception, match=r"in capitals, not the key itself$"):
        resolve(tmp_path, selected=str(tmp_path / "p.toml"))
