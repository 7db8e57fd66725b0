"""A damaged store: what is wrong is named, set aside and made anew, or refused in one line."""

import json
import os
import random
import shutil
import sqlite3
from contextlib import closing

import pytest

from alignment.errors import StoreError
from alignment.store import FILE, SCHEMA, Store, content, history
from alignment.store.answers import SCORE, stored_scores
from alignment.store.connection import checksum

MANIFEST = {
    "name": "base",
    "identity": "abc",
    "adapter": False,
    "stages": [{"log": [{"loss": 1.0}], "rows": 3}],
    "seconds": 1.5,
    "processes": 1,
}


@pytest.fixture
def store(tmp_path):
    return noted(Store(tmp_path / "store"))


def noted(store):
    store.notes = []
    store.note = store.notes.append
    return store


def model(store, key="base", **files):
    with store.lock(key), store.new_folder(key) as folder:
        (folder / "model.safetensors").write_bytes(b"weights" * 1000)
        (folder / "tokenizer.json").write_text("{}")
        (folder / "sub").mkdir()
        (folder / "sub" / "adapter.bin").write_bytes(b"adapter")
        (folder / "manifest.json").write_text(json.dumps(MANIFEST))


def aside(store):
    folder = store.root / "damaged"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


# -- trained models --------------------------------------------------------------------------------


def _flipped(name, place=3000):
    def spoil(folder):
        data = bytearray((folder / name).read_bytes())
        data[place % len(data)] ^= 1
        (folder / name).write_bytes(data)

    return spoil


def _text(name, text):
    return lambda folder: (folder / name).write_bytes(text.encode())


def _manifest(**changes):
    """A manifest that somebody edited."""

    def spoil(folder):
        path = folder / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return spoil


def _cut(folder):
    path = folder / "manifest.json"
    path.write_text(path.read_text()[:-40])


def _as_a_file(folder):
    shutil.rmtree(folder)
    folder.write_text("a file")


def _as_a_link(folder):
    shutil.rmtree(folder)
    folder.symlink_to("nowhere")


def _of_an_earlier_release(folder):
    (folder / "manifest.json").write_text(json.dumps(MANIFEST | {"schema": 1}))


SPOILT = {
    "bit": (_flipped("model.safetensors"), "model.safetensors is not what was written"),
    "tokenizer": (_text("tokenizer.json", "[]"), "tokenizer.json is not what was written"),
    "adapter": (_flipped("sub/adapter.bin"), "sub/adapter.bin is not what was written"),
    "cut": (_text("model.safetensors", "weights"), "model.safetensors is not what was written"),
    "missing": (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    "more": (_text("chat_template.jinja", "{{ x }}"), "chat_template.jinja is not of it"),
    "manifest gone": (lambda f: (f / "manifest.json").unlink(), "without manifest.json"),
    "manifest empty": (_text("manifest.json", ""), "manifest.json is no JSON"),
    "manifest deep": (_text("manifest.json", "[" * 10**5), "manifest.json is no JSON"),
    "manifest binary": (_text("manifest.json", "\0\ud800".encode("utf-8", "replace").decode()), ""),
    "manifest {}": (_text("manifest.json", "{}"), "manifest.json is not what was written"),
    "manifest []": (_text("manifest.json", "[]"), "manifest.json is no object"),
    "manifest cut": (_cut, "manifest.json is no JSON"),
    "identity": (_manifest(identity="abd"), "manifest.json is not what was written"),
    "adapter?": (_manifest(adapter=True), "manifest.json is not what was written"),
    "hash": (_manifest(files={}), "manifest.json is not what was written"),
    "file": (_as_a_file, "no folder"),
    "link": (_as_a_link, "no folder"),
    "old": (_of_an_earlier_release, "of an earlier release, without hashes of its files"),
}


@pytest.mark.parametrize(("spoil", "reason"), SPOILT.values(), ids=SPOILT)
def test_a_damaged_model_is_none_is_named_and_is_set_aside_by_who_makes_it_anew(
    store, spoil, reason
):
    model(store)
    assert store.manifest("base", content.file_hash)["identity"] == "abc"
    spoil(store.models / "base")
    for _ in range(2):
        assert store.manifest("base", content.file_hash) is None
    (note,) = store.notes
    assert note.startswith(f"store {store.root}: models/base is damaged: {reason}")
    assert note.endswith("; made anew")
    assert "\n" not in note
    store.contents()
    model(store)
    assert store.manifest("base", content.file_hash)["identity"] == "abc"
    assert aside(store) == ["base.1"]
    assert store.notes[1] == f"store {store.root}: set aside as damaged/base.1"
    assert ("damaged", 1) in [(kind, count) for kind, count, _ in store.contents()]


def test_what_is_set_aside_keeps_its_content_and_grows_old(store):
    for _ in range(2):
        model(store)
        _flipped("model.safetensors")(store.models / "base")
    model(store)
    assert aside(store) == ["base.1", "base.2"]
    assert len((store.root / "damaged" / "base.2" / "model.safetensors").read_bytes()) == 7000
    assert store.prune(older_than=10) == (0, 0)
    assert store.prune(older_than=-10, dry_run=True) == (0, 3)
    assert store.prune(older_than=-10) == (0, 3)
    assert aside(store) == []


def test_what_a_desktop_leaves_is_no_damage(store):
    model(store)
    (store.models / "base" / ".DS_Store").write_text("")
    assert store.manifest("base", content.file_hash) is not None


def test_a_model_that_is_not_there_is_no_damage(store):
    assert store.manifest("base", content.file_hash) is None
    assert store.notes == []


# -- records ---------------------------------------------------------------------------------------

RESPONSE = {"text": "An answer.", "stop": "eos", "tokens": 3}
RATE = {"percent": 50.0, "interval": [40.0, 60.0]}
SUMMARY = {
    "id": "0123456789abcdef",
    "started": "2025-01-01T10:00:00+00:00",
    "last": "2025-01-01T10:00:00+00:00",
    "seen": 1,
    "basis": "b",
    "confidence": 0.95,
    "variants": {"base": {"rates": {"HmR": RATE}, "scores": {"harmlessness": 0.5}}},
    "outcome": None,
}
PROMPT = {"id": "1", "axis": "a", "text": "Human: x", "cluster": "c", "source": "s"}
PAIR = {"prompt": "p", "chosen": "c", "rejected": "r", "axis": "a", "cluster": "c"}
QUESTIONS = {"prompts": {"a": [PROMPT]}, "trials": {"a": [PAIR]}}
SOUND = [
    ("response", RESPONSE),
    ("response", {"text": "\ud800", "stop": "length", "tokens": None}),
    ("score", {"reward": 1.5, "harm": -2}),
    ("score", {"reward": 1.5, "*repeats": [{"reward": 1.0}, {"reward": 2.0}]}),
    ("score", {"*unscored": "said nothing"}),
    ("run", {"profile": "tiny", "run": SUMMARY}),
    ("questions", QUESTIONS),
    ("lessons", "abc"),
    ("begins_with", None),
    ("begins_with", "</s>"),
    ("figure", "<svg/>"),
    ("served", {"model": None, "fingerprint": "f"}),
    ("bootstrap", [0.5, -1.0, 2.0]),
    ("unknown", {"any": ["thing"]}),
]


@pytest.mark.parametrize(("kind", "value"), SOUND)
def test_what_is_sound_is_found(store, kind, value):
    store.put(kind, {"key": value})
    assert store.get(kind, ["key"]) == {"key": value}
    assert store.values(kind) == [value]
    assert store.notes == []


def _without(value, *path):
    """The same without one key, however deep."""
    key, *deeper = path
    if deeper:
        return value | {key: _without(value[key], *deeper)}
    return {name: each for name, each in value.items() if name != key}


def _run(**changes):
    return {"profile": "tiny", "run": SUMMARY | changes}


NAN, INFINITY = float("nan"), float("inf")
WRONG = [
    *[("response", RESPONSE | {"text": text}) for text in (None, 5, ["a"], {"a": 1}, True)],
    *[("response", RESPONSE | {"stop": stop}) for stop in ("why", None, 3)],
    *[("response", RESPONSE | {"tokens": tokens}) for tokens in ("3", 3.5, True, [3])],
    *[("response", value) for value in (None, [], {}, "text", 3, RESPONSE | {"more": 1})],
    ("response", _without(RESPONSE, "stop")),
    *[("score", {"reward": value}) for value in (NAN, INFINITY, "1", None, True, [1], 10**400)],
    *[("score", value) for value in (None, [], {}, 3.5, {"*unscored": 3})],
    ("score", {"*unscored": "a", "reward": 1.0}),
    ("score", {"*repeats": [{"reward": 1.0}]}),
    *[("score", {"reward": 1.0, "*repeats": each}) for each in (3, [3], [{"reward": NAN}], {})],
    *[("run", {"profile": "tiny", "run": _without(SUMMARY, key)}) for key in SUMMARY],
    *[("run", _without(_run(), key)) for key in ("profile", "run")],
    *[("run", _run(**{key: 3.5})) for key in SUMMARY if key != "confidence"],
    ("run", _run(variants={"base": {"rates": {"HmR": {"percent": 5}}, "scores": {}}})),
    ("run", _run(variants={"base": {"rates": {"HmR": RATE | {"interval": [1]}}, "scores": {}}})),
    ("run", _run(variants={"base": {"rates": [], "scores": {}}})),
    *[("run", value) for value in (None, [], {}, "x", {"profile": "tiny", "run": []})],
    *[("questions", _without(QUESTIONS, key)) for key in QUESTIONS],
    *[("questions", QUESTIONS | {"prompts": value}) for value in ([], {"a": 3}, {"a": [3]}, None)],
    ("questions", QUESTIONS | {"prompts": {"a": [PROMPT | {"id": 3}]}}),
    ("questions", QUESTIONS | {"trials": {"a": [_without(PAIR, "chosen")]}}),
    ("lessons", None),
    ("begins_with", 3),
    ("figure", {"svg": 1}),
    ("served", {"model": 3, "fingerprint": None}),
    *[("bootstrap", value) for value in ([1.0, 2.0], [1.0, 3.0, 2.0], [NAN, 1.0, 2.0], None)],
    ("invariance", {"kind": "policy", "model": "m", "dtype": "d", "device": "c", "total": 3}),
]


@pytest.mark.parametrize(("kind", "value"), WRONG)
def test_a_value_of_another_shape_is_set_aside_and_named(store, kind, value):
    store.put(kind, {"wrong": value})
    sound = next(value for each, value in [*SOUND, ("invariance", None)] if each == kind)
    if sound is not None:
        store.put(kind, {"right": sound})
    found = store.get(kind, ["wrong", "right"])
    assert found == ({} if sound is None else {"right": sound})
    (note,) = store.notes
    assert note.startswith(f"store {store.root}: damaged: a {kind} record (not of the shape of a ")
    if sound is not None:
        store.put(kind, {"wrong": sound})  # what was made anew is kept
        assert store.get(kind, ["wrong"]) == {"wrong": sound}
    assert len(store.notes) == 1


DAMAGED = {
    "a letter": "UPDATE entries SET value = replace(value, 'answer', 'Answer')",
    "empty": "UPDATE entries SET value = ''",
    "cut": "UPDATE entries SET value = substr(value, 1, 10)",
    "no text": "UPDATE entries SET value = x'ff00fe'",
    "bytes": "UPDATE entries SET value = CAST(value AS BLOB) || x'20'",
    "number": "UPDATE entries SET value = 5",
    "deep": "UPDATE entries SET value = printf('%.*c', 100000, '[')",
    "invalid UTF-8": "UPDATE entries SET value = CAST(x'ff22' AS TEXT)",
    "swapped": "UPDATE entries SET value = (SELECT value FROM entries WHERE key = 'other')",
    "checksum": "UPDATE entries SET checksum = 7",
    "no checksum": "UPDATE entries SET checksum = NULL",
    "checksum of text": "UPDATE entries SET checksum = 'abc'",
}


@pytest.mark.parametrize("statement", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("kind", ["response", "unknown"])
def test_a_record_that_is_not_what_was_written_is_set_aside(store, statement, kind):
    store.put(kind, {"key": RESPONSE, "other": RESPONSE | {"text": "Another."}})
    store._db.execute(f"{statement} WHERE key = 'key'")
    assert store.get(kind, ["key", "other"]) == {"other": RESPONSE | {"text": "Another."}}
    assert store.values(kind) == [RESPONSE | {"text": "Another."}]
    (note,) = store.notes
    assert note == (
        f"store {store.root}: damaged: a {kind} record (not what was written); set aside and "
        f"made anew where needed"
    )
    assert [(kind, count) for kind, count, _ in store.contents()][-1] == ("damaged", 1)
    store.put(kind, {"key": RESPONSE})
    assert store.get(kind, ["key"]) == {"key": RESPONSE}


def test_many_damaged_records_are_one_line(store):
    store.put("response", {f"{number:032}": RESPONSE for number in range(5000)})
    store._db.execute(
        "UPDATE entries SET value = '{' WHERE key < '00000000000000000000000000004000'"
    )
    assert len(store.get("response", [f"{number:032}" for number in range(5000)])) == 1000
    (note,) = store.notes
    assert "4000 response records" in note


def test_a_good_record_that_another_process_put_there_meanwhile_stays(store):
    store.put("response", {"key": RESPONSE})
    (bad,) = store._select("response", ["key"])
    other = Store(store.root)
    other.put("response", {"key": RESPONSE | {"text": "better"}}, replace=True)
    store._set_aside("response", [(bad, "seen before")])
    assert store.get("response", ["key"]) == {"key": RESPONSE | {"text": "better"}}
    assert store.notes == []


def test_a_score_without_the_judges_dimension_is_made_anew(store):
    store.put(SCORE, {"a": {"other": 1.0}, "b": {"reward": 1.0}, "c": {"*unscored": "why"}})
    assert stored_scores(store, ["a", "b", "c"], ["reward"]).keys() == {"b", "c"}
    assert store.get(SCORE, ["a"]) == {}
    assert "not of the judge's dimensions" in store.notes[0]


def test_a_damaged_summary_is_left_out_and_the_run_counted_anew(store):
    store.put("run", {"0123456789abcdef": _without(_run(), "run", "id")})
    store.put("run", {"fedcba9876543210": _run(id="fedcba9876543210")})
    assert [run["id"] for run in history.recall(store, "tiny")] == ["fedcba9876543210"]
    assert "left out of the history" in store.notes[0]
    kept = store.update("run", "0123456789abcdef", lambda before: before or _run())
    assert kept == _run()
    assert len(history.recall(store, "tiny")) == 2


# -- the file --------------------------------------------------------------------------------------


def refused(root):
    with pytest.raises(StoreError) as raised:
        Store(root)
    said = str(raised.value)
    assert "\n" not in said
    assert str(root) in said
    assert "--alignment-store" in said
    assert len(said) < 500
    return said


@pytest.mark.parametrize("mark", [0, 1, 2, 3, 77])
def test_a_database_of_another_application_is_refused_and_left_alone(tmp_path, mark):
    with closing(sqlite3.connect(tmp_path / FILE)) as foreign:
        foreign.execute("CREATE TABLE places (url TEXT)")
        foreign.execute(f"PRAGMA user_version = {mark}")
        if mark == 77:
            foreign.execute("PRAGMA application_id = 4711")
        foreign.commit()
    before = (tmp_path / FILE).read_bytes()
    assert "another application" in refused(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_table_of_ours_with_other_columns_is_refused(tmp_path):
    Store(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        database.execute("ALTER TABLE entries RENAME COLUMN value TO worth")
        database.commit()
    assert "was changed by one" in refused(tmp_path)


def test_a_store_of_the_release_before_is_taken_over(tmp_path):
    (tmp_path / "models").mkdir()
    with closing(sqlite3.connect(tmp_path / FILE)) as old:
        old.executescript(
            """
            CREATE TABLE entries (
                kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, created REAL NOT NULL,
                PRIMARY KEY (kind, key)
            ) WITHOUT ROWID;
            CREATE TABLE files (
                path TEXT PRIMARY KEY, inode INTEGER, size INTEGER, mtime INTEGER,
                sha256 TEXT NOT NULL
            ) WITHOUT ROWID;
            PRAGMA user_version = 1;
            """
        )
        row = ("response", "key", json.dumps(RESPONSE), 12.5)
        old.execute("INSERT INTO entries VALUES (?, ?, ?, ?)", row)
        old.execute("INSERT INTO files VALUES ('/weights', 1, 2, 3, 'abc')")
        old.commit()
    store = noted(Store(tmp_path))
    assert store.get("response", ["key"]) == {"key": RESPONSE}
    assert store._db.execute("SELECT created FROM entries").fetchone() == (12.5,)
    assert store._db.execute("SELECT COUNT(*) FROM hashes").fetchone() == (0,)
    assert store.notes == []
    store.close()
    assert Store(tmp_path).get("response", ["key"]) == {"key": RESPONSE}


def test_a_store_that_remembers_hashes_of_files_alone_is_taken_over(tmp_path):
    store = Store(tmp_path)
    store.put("response", {"key": RESPONSE})
    store.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as old:
        old.executescript(
            """
            DROP TABLE hashes;
            CREATE TABLE hashes (
                path TEXT PRIMARY KEY, state TEXT NOT NULL, sample TEXT NOT NULL,
                sha256 TEXT NOT NULL
            ) WITHOUT ROWID;
            INSERT INTO hashes VALUES ('/weights', '1:2:3:4:5', 'abc', 'def');
            PRAGMA user_version = 2;
            """
        )
        old.commit()
    store = noted(Store(tmp_path))
    assert store.get("response", ["key"]) == {"key": RESPONSE}
    assert store._db.execute("SELECT COUNT(*) FROM hashes WHERE what = 'x'").fetchone() == (0,)
    assert store._db.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
    assert store.notes == []


def _filled(root):
    with closing(Store(root)) as store:
        store.put("response", {f"{number:032}": RESPONSE for number in range(400)})
        store.put("run", {"0123456789abcdef": _run()})
        model(store)
    return root / FILE


def use(root):
    """All that commands and runs do with a store."""
    with closing(Store(root)) as store:
        found = store.get("response", [f"{number:032}" for number in range(400)])
        assert all(each == RESPONSE for each in found.values())
        assert all(run == SUMMARY for runs in history.profiles(store).values() for run in runs)
        store.contents()
        store.put("response", {"new": RESPONSE})
        store.prune(older_than=1000, dry_run=True)
        assert store.get("response", ["new"]) == {"new": RESPONSE}
    return found


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_file_gives_what_was_written_or_one_line(tmp_path, seed):
    """Cut, overwritten in places, bits flipped: never another answer, never a traceback."""
    path, rng = _filled(tmp_path), random.Random(f"damage {seed}")
    data = bytearray(path.read_bytes())
    if seed % 3 == 0:
        del data[rng.randrange(len(data)) :]
    else:
        for _ in range(rng.randrange(1, 20)):
            start = rng.randrange(len(data))
            data[start] ^= 1 << rng.randrange(8)
            if seed % 3 == 1:
                data[start : start + 200] = rng.randbytes(len(data[start : start + 200]))
    path.write_bytes(data)
    try:
        use(tmp_path)
    except StoreError as error:
        assert "\n" not in str(error)
        assert "--alignment-store" in str(error)
        assert len(str(error)) < 500


@pytest.mark.parametrize("name", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, b"\0" * 10000])
def test_what_a_killed_process_may_leave_beside_it_is_no_obstacle(tmp_path, name, content):
    _filled(tmp_path)
    (tmp_path / f"{FILE}{name}").write_bytes(content)
    assert len(use(tmp_path)) == 400


def test_a_journal_without_its_database_is_no_obstacle(tmp_path):
    (tmp_path / f"{FILE}-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\0" * 2000)
    assert use(tmp_path) == {}


def test_an_empty_file_is_an_empty_store(tmp_path):
    (tmp_path / FILE).touch()
    assert use(tmp_path) == {}


def _as_folder(root):
    (root / FILE).mkdir()


def _as_pipe(root):
    os.mkfifo(root / FILE)


def _models_as_file(root):
    (root / "models").write_text("")


def _locks_as_file(root):
    (root / "locks").write_text("")


@pytest.mark.parametrize("spoil", [_as_folder, _as_pipe, _models_as_file, _locks_as_file])
def test_something_else_in_its_place_is_one_line(tmp_path, spoil):
    spoil(tmp_path)
    assert refused(tmp_path).startswith(f"store {tmp_path}")


# -- commands --------------------------------------------------------------------------------------


def _cut_half(root):
    data = (root / FILE).read_bytes()
    (root / FILE).write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    "words", [("store",), ("store", "prune", "--older-than", "1d"), ("history",)]
)
def test_commands_on_a_cut_database_say_one_line(command, tmp_path, words):
    _filled(tmp_path)
    _cut_half(tmp_path)
    status, out, err = command(*words, "--alignment-store", tmp_path)
    assert status in {0, 2}
    assert "Traceback" not in out + err
    if status:
        assert err.count("\n") == 1
        assert "move store.sqlite away" in err


def test_store_lists_a_damaged_model_and_what_was_set_aside(command, tmp_path):
    _filled(tmp_path)
    with closing(Store(tmp_path)) as store:
        model(store, "other")
        store.put("response", {"wrong": {"text": 3}})
        store.get("response", ["wrong"])
    (tmp_path / "models" / "base" / "manifest.json").write_text("{}")
    (tmp_path / "models" / "file").write_text("x")
    status, out, _ = command("store", "--alignment-store", tmp_path)
    assert status == 0
    assert "damaged" in out
    assert "damaged: manifest.json is not what was written" in out
    assert "damaged: no folder" in out


def test_a_damaged_summary_is_named_by_history(command, tmp_path):
    _filled(tmp_path)
    with closing(Store(tmp_path)) as store:
        store.put("run", {"f" * 16: {"profile": "tiny", "run": {}}})
    status, out, err = command("history", "--alignment-store", tmp_path)
    assert status == 0
    assert "0123456789abcdef" in out
    assert err.count("\n") == 1
    assert "damaged: a run record" in err


def test_a_checksum_knows_where_a_key_ends():
    assert checksum("a", b"b", b"c") != checksum("a", b"bc", b"")
    assert checksum("ab", b"", b"c") != checksum("a", b"b", b"c")
