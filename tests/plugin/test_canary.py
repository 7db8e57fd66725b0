"""A key that servers repeat wherever they can, in any spelling, is in nothing that a run leaves."""

import base64
import html
import json
import sqlite3
from urllib.parse import quote

import pytest
from pyarrow import parquet

from support.worlds import GATED, served

PLAIN = "c4nary0123456789"
KEY = f'sk-{PLAIN}"/+\\='
PROFILE = """
name = "canary"
device = "cpu"
{axes}
[gate]
responses = true

[variants.candidate.endpoint]
url = "{policy}"
model = "m"
api = "chat"
retries = 1

[judge.endpoint]
url = "{judge}"
model = "j"
retries = 1
repeats = 2
rubric = {{ harmlessness = "Is it harmless?" }}
"""
SUITE = """
import pytest

@pytest.mark.alignment(axis="harmlessness")
def test_harmless(alignment_verdict):
    alignment_verdict.require()
"""
FAILING = """
import pytest

@pytest.mark.alignment(axis="harmlessness")
def test_fails(alignment_verdict):
    shown = alignment_verdict
    assert shown is None, shown
"""
LOUD = (
    *("-v", "-rA", "--tb=long", "--showlocals", "--log-level=DEBUG", "--log-file=run.log"),
    *("-o", "log_cli=true", "--junitxml=junit.xml"),
)


def spellings():
    """What would give the key away, by whoever reads for it."""
    basic = [base64.b64encode(f"{'u' * n}:{KEY}".encode()).decode() for n in range(3)]
    yield from (PLAIN, PLAIN.encode().hex(), quote(KEY, safe="")[3:], html.escape(KEY))
    yield from (base64.b64encode(b"\0" * n + PLAIN.encode()).decode()[4:-4] for n in range(3))
    yield from (code[8:-4] for code in basic)
    yield "".join(f"%{ord(c):02X}" for c in PLAIN)


def echoes():
    """The key as a server may say it."""
    basic = base64.b64encode(f"user:{KEY}".encode()).decode()
    return " ".join((KEY, json.dumps(KEY), quote(KEY, safe=""), f"Basic {basic}", html.escape(KEY)))


def told(path):
    """The bytes of a file, and all that is in it where it is not plain."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        yield str(parquet.read_table(path).to_pydict()).encode()
    if path.suffix == ".sqlite":
        with sqlite3.connect(path) as store:
            for (table,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
                for row in store.execute(f"SELECT * FROM {table}"):  # noqa: S608 - our own
                    yield repr(row).encode()


def search(world, result):
    """Look through everything that a run left."""
    texts = {"the terminal": result.stdout.str() + result.stderr.str()}
    for path in world.path.rglob("*"):
        if path.is_file() and path.suffix not in {".py", ".pyc"}:
            texts[str(path)] = b"\n".join(told(path)).decode("utf-8", "replace")
    for place, text in texts.items():
        for spelled in spellings():
            assert spelled not in text, (place, text[max(0, text.index(spelled) - 300) :][:600])
    return texts


@pytest.fixture
def canary(world, scripted, monkeypatch):
    """A run with two servers that know the key, and repeat it."""
    policy = scripted(lambda body, number: f"Number {number}: {echoes()}")
    judge = scripted(lambda body, number: '{"harmlessness": 9}')
    for server in (policy, judge):
        server.model, server.fingerprint = f"m {echoes()}", echoes()
        server.headers = {"X-Request-Id": KEY, "X-Echo": echoes()}
    world.write("test_suite.py", SUITE + GATED)
    axes = served("harmlessness", "HmR")
    text = PROFILE.format(axes=axes, policy=policy.url, judge=judge.url)
    world.write("canary.toml", text)
    world.rows("harmlessness.jsonl", [{"prompt": f"Human: number {i}?"} for i in range(5)])
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(world.path / "summary.md"))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("OPENAI_LOG", "debug")
    world.policy, world.judge = policy, judge
    return world


def run(world, *arguments):
    result = world.run(*arguments, *LOUD, profile="canary.toml", formats=("json", "md"))
    assert world.policy.requests[0][1]["authorization"] == f"Bearer {KEY}"
    return result


def test_it_is_searched_for_where_it_would_be(world, tmp_path):
    """The search finds what it looks for."""
    for place in ("report.json", "store/x.bin"):
        world.write(place, f"... {echoes()}")
        with pytest.raises(AssertionError):
            search(world, world.run("--version"))
        (world.path / place).unlink()
    with sqlite3.connect(world.path / "a.sqlite") as store:
        store.execute("CREATE TABLE t (x)")
        store.execute("INSERT INTO t VALUES (?)", (base64.b64encode(KEY.encode()).decode(),))
    with pytest.raises(AssertionError):
        search(world, world.run("--version"))


@pytest.mark.parametrize(
    "workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)], ids=["plain", "xdist"]
)
def test_a_run_whose_servers_repeat_the_key(canary, workers):
    more = ("--alignment-format=parquet", *workers)
    if workers:
        more += ("--alignment-format=html",)
    texts = search(canary, run(canary, *more, "--snapshot-update"))
    (served,) = canary.report()["variants"]["candidate"]["model"]["served"]
    assert served["model"].startswith("m ***")
    baseline = canary.path / "__baselines__" / "canary" / "candidate.json"
    found = [place for place, text in texts.items() if "***" in text]
    suffixes = {place.rpartition(".")[2] for place in found}
    assert suffixes >= {"sqlite", "json", "parquet"} | ({"html"} if workers else set())
    assert str(baseline) in found
    assert texts.keys() >= {str(canary.path / "junit.xml"), str(canary.path / "summary.md")}
    if not workers:  # their records stay with them
        assert "***" in texts[str(canary.path / "run.log")]
    canary.write("test_fails.py", FAILING)
    search(canary, run(canary, *workers))  # and a warm run, which compares, and fails


OTHERS = [pytest.param(status, marks=pytest.mark.slow) for status in (400, 404, 429, 500, 307, 200)]


@pytest.mark.parametrize("status", [401, *OTHERS])
def test_a_run_whose_servers_fail_with_the_key(canary, status):
    body = {"error": {"message": echoes(), "code": echoes()}, echoes(): [echoes()]}
    canary.policy.script = lambda *_: (status, body)
    result = run(canary, "-k", "number-0")
    assert "***" in result.stdout.str()
    search(canary, result)


@pytest.mark.slow
def test_a_judge_that_answers_with_the_key(canary):
    canary.judge.script = lambda *_: json.dumps({"harmlessness": echoes(), echoes(): 1})
    assert search(canary, run(canary))


@pytest.mark.slow
def test_an_answer_that_ends_with_the_key(canary):
    page = {"choices": [{"message": {"content": "", echoes(): echoes()}, "finish_reason": KEY}]}
    canary.policy.script = lambda *_: page
    assert search(canary, run(canary))


PASSWORD = f"p-{PLAIN}"


REFUSED = [
    ("--alignment-set", "judge.endpoint.url=http://u:{}@127.0.0.1/v1"),
    ("--alignment-variant", "x=http://u:{}@127.0.0.1:1/v1#m!"),
    ("--alignment-set", "judge.endpoint.url=http://127.0.0.1:1/v1?key={}"),
    ("--alignment-set", "judge.endpoint.key_env={}"),
    ("--alignment-set", "judge.endpoint=http://u:{}@127.0.0.1/v1"),
    ("--alignment-variant", "x=http://u:{}@127.0.0.1:1/v1"),
    ("--alignment-variant", "http://u:{}@127.0.0.1:1/v1#m"),
    ("--alignment-profile", "http://u:{}@127.0.0.1/x.toml"),
]


@pytest.mark.parametrize(
    "given", [REFUSED[0], *(pytest.param(each, marks=pytest.mark.slow) for each in REFUSED[1:])]
)
def test_a_password_in_an_option_that_is_refused(canary, refused, given):
    option, value = given
    assert PLAIN not in refused(option, value.format(PASSWORD), profile="canary.toml")


def test_a_password_in_an_option_that_another_takes_the_place_of(canary):
    """The command line stands in the report, with all that was said on it."""
    result = run(
        canary,
        *("--alignment-set", f"judge.endpoint.url=http://u:{PASSWORD}@127.0.0.1/v1"),
        *("--alignment-set", f"judge.endpoint.url={canary.judge.url}"),
    )
    search(canary, result)
    assert "judge.endpoint.url=http://***@127.0.0.1/v1" in canary.report()["run"]["command"]


def test_a_password_in_the_place_of_the_store(canary):
    """An address there is a folder like any, and its name stands in the report."""
    place = f"http://u:{PASSWORD}@127.0.0.1/store"
    canary.run("--alignment-store", place, profile="canary.toml", formats=("json",))
    assert canary.report()["run"]["store"].endswith("http:/***@127.0.0.1/store")
    assert PLAIN not in json.dumps(canary.report())
