"""The store on disk: what is kept, what concurrent and dying processes cannot break."""

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from alignment.config.location import location
from alignment.errors import ModelError, StoreError
from alignment.store import SCHEMA, Store, content, content_key
from support.unmeasured import unmeasured

DAY = 86400.0
MANIFEST = {
    "name": "base",
    "identity": "abc",
    "adapter": False,
    "stages": [],
    "seconds": 1.5,
    "processes": 1,
}
"""What a trained model's manifest must have."""


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def run(script, *arguments, **settings):
    """Run a script in a process of its own, to its end."""
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **settings,
    )


def started(script, *arguments):
    """Start a script; returns its process once it has printed a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline()
    return process


def killed(process):
    process.kill()
    process.wait()
    process.stdout.close()
    assert process.returncode == -signal.SIGKILL


def aged(store, days, **where):
    """Make records (by kind) or a model (by key) look older."""
    if "kind" in where:
        change = "UPDATE entries SET created = created - ? WHERE kind = ?"
        store._db.execute(change, (days * DAY, where["kind"]))
    else:
        then = time.time() - days * DAY
        os.utime(store.models / where["model"], (then, then))


def model(store, key, text="weights"):
    with store.new_folder(key) as folder:
        (folder / "model.safetensors").write_text(text)
        (folder / "manifest.json").write_text(json.dumps(MANIFEST))


# -- location ----------------------------------------------------------------------------------


def test_the_option_comes_before_the_environment_before_the_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("ALIGNMENT_STORE", str(tmp_path / "environment"))
    assert location(str(tmp_path / "option")) == tmp_path / "option"
    assert location() == tmp_path / "environment"
    monkeypatch.setenv("ALIGNMENT_STORE", "~/there")
    assert location("") == Path.home() / "there"
    monkeypatch.delenv("ALIGNMENT_STORE")
    assert location().name == "alignment-gate"


# -- records -----------------------------------------------------------------------------------


def test_what_was_put_is_found_and_the_rest_is_left_out(store):
    store.put("number", {"a": {"reward": 1.5}})
    assert store.get("number", ["a", "b"]) == {"a": {"reward": 1.5}}
    assert store.get("text", ["a"]) == {}


def test_more_keys_than_one_statement_takes(store):
    values = {f"key{i}": i for i in range(2345)}
    store.put("number", values)
    assert store.get("number", [*values, "missing"]) == values


def test_put_never_overwrites(store):
    store.put("number", {"a": 1})
    store.put("number", {"a": 2, "b": 3})
    assert store.get("number", ["a", "b"]) == {"a": 1, "b": 3}


def test_a_batch_is_committed_whole_or_not_at_all(store, tmp_path):
    store.put("number", {"kept": 1})
    refuse = "RAISE(ABORT, 'no more room for b')"
    store._db.execute(
        f"CREATE TRIGGER t BEFORE INSERT ON entries WHEN NEW.key = 'b' BEGIN SELECT {refuse}; END"
    )
    with pytest.raises(StoreError, match="no more room for b"):
        store.put("number", {"a": 1, "b": 2})
    assert Store(tmp_path / "store").get("number", ["kept", "a", "b"]) == {"kept": 1}
    store.put("number", {"a": 3})  # and it goes on working
    assert store.get("number", ["a"]) == {"a": 3}


def test_a_value_that_is_no_json_is_the_callers_fault_and_changes_nothing(store):
    with pytest.raises(TypeError):
        store.put("number", {"a": 1, "b": {1, 2}})
    assert store.get("number", ["a", "b"]) == {}


def test_cached_computes_once_and_keeps_falsy_values(store):
    calls = []
    for _ in range(2):
        assert store.cached("nothing", "key", lambda: calls.append(1)) is None
    assert calls == [1]


def test_keys_are_content():
    assert content_key({"a": 1, "b": [2, "x"]}) == content_key({"b": (2, "x"), "a": 1})
    assert content_key("ab", "c") != content_key("a", "bc")
    assert content_key(1) != content_key("1")
    assert content_key("\ud800") != content_key("\ud801")
    assert len(content_key()) == 32


WRITER = """
import sys
from pathlib import Path
from alignment.store import Store
store, own = Store(Path(sys.argv[1])), sys.argv[2]
for number in range(40):
    store.put("number", {f"{own}-{number}": number, f"shared-{number}": own})
"""


def test_two_processes_open_and_write_one_store_at_once(tmp_path):
    root = tmp_path / "store"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, root, name], stderr=subprocess.PIPE)
        for name in "ab"
    ]
    for writer in writers:
        assert writer.communicate(timeout=60)[1] == b""
    store = Store(root)
    for own in "ab":
        values = {f"{own}-{number}": number for number in range(40)}
        assert store.get("number", values) == values
    shared = store.get("number", [f"shared-{number}" for number in range(40)])
    assert len(shared) == 40
    assert set(shared.values()) <= {"a", "b"}


# -- stores that cannot be used ------------------------------------------------------------------


def refused(root):
    with pytest.raises(StoreError) as caught:
        Store(root)
    message = str(caught.value)
    assert "\n" not in message
    assert str(root) in message
    assert "--alignment-store" in message
    return message


def test_a_store_of_a_newer_release_is_refused_and_left_alone(tmp_path):
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / "store.sqlite") as newer:
        newer.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    assert f"schema {SCHEMA + 1}" in refused(tmp_path)
    assert newer.execute("PRAGMA user_version").fetchone() == (SCHEMA + 1,)
    newer.close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    (tmp_path / "store.sqlite").write_text("certainly not a database" * 100)
    assert "not a database" in refused(tmp_path)
    assert (tmp_path / "store.sqlite").read_text().startswith("certainly")


def test_a_store_inside_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    assert "Not a directory" in refused(tmp_path / "file" / "store")


OPENER = """
import os, sys
from pathlib import Path
from alignment.errors import StoreError
from alignment.store import Store
if os.geteuid() == 0:
    os.setuid(65534)
try:
    Store(Path(sys.argv[1]))
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("part", ["", "models", "locks", "store.sqlite"])
def test_a_read_only_store_is_found_when_it_is_opened(part):
    # Root may write everywhere, so it steps down; pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        Store(root).close()
        for path in (root, *root.iterdir()):
            path.chmod(0o777)
        path = root / part
        path.chmod(0o555 if path.is_dir() else 0o444)
        done = run(OPENER, root, env=unmeasured())
        path.chmod(0o777)
    assert done.stderr == ""
    assert done.stdout.startswith(f"store {root}: cannot be opened: {path} is not writable")
    assert done.stdout.count("\n") == 1


# -- a store that fills in the middle of a run -----------------------------------------------------

FILLER = """
import sys
from pathlib import Path
from alignment.errors import StoreError
from alignment.store import Store
store, limit = Store(Path(sys.argv[1])), sys.argv[2]
if limit == "pages":
    store._db.execute("PRAGMA max_page_count = 40")
elif limit == "file":
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
done, lines = 0, []
for number in range(4000):
    try:
        store.put("text", {f"{number}-{i}": "x" * 500 for i in range(8)})
        done += 1
    except StoreError as error:
        lines.append(str(error))
        if len(lines) == 3:
            break
try:
    with store.new_folder("model") as folder:
        (folder / "model.safetensors").write_bytes(b"x" * 5_000_000)
except StoreError as error:
    lines.append(str(error))
print(done, *lines, sep=chr(10))
"""


def fill_up(root, limit):
    """Fill a store; returns how many batches it said were committed, and its errors."""
    done = run(FILLER, root, limit)
    assert done.stderr == ""
    count, *lines = done.stdout.splitlines()
    return int(count), lines


def check_filled(root, done, lines):
    assert done > 5
    assert len(set(lines[:3])) == 1, "the same line every time"
    assert lines[0].startswith(f"store {root}: cannot be written: ")
    assert "free or repair it" in lines[0]
    there = Store(root).get("text", [f"{n}-{i}" for n in range(4000) for i in range(8)])
    assert len(there) == 8 * done


@pytest.mark.parametrize("limit", ["pages", "file"])
def test_what_was_committed_stays_when_the_store_is_full(tmp_path, limit):
    done, lines = fill_up(tmp_path, limit)
    check_filled(tmp_path, done, lines)
    store = Store(tmp_path)
    assert list(store.models.glob(".draft*")) == []
    if limit == "file":
        assert os.strerror(errno.EFBIG) in lines[3]
        assert store.folders() == []
    store.put("text", {"after": 1})  # where there is room again, it goes on
    assert store.get("text", ["after"]) == {"after": 1}


def test_what_was_committed_stays_when_the_disk_is_full(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command")
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        done, lines = fill_up(disk, "disk")
        check_filled(disk, done, lines)
        assert os.strerror(errno.ENOSPC) in lines[3]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


# -- locks -------------------------------------------------------------------------------------

HOLDER = """
import sys, time
from pathlib import Path
from alignment.store import Store
store = Store(Path(sys.argv[1]))
with store.lock("base"), store.new_folder("base") as folder:
    (folder / "half").write_text("half a model")
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_lock_is_released_and_a_draft_removed_when_the_holder_is_killed(store):
    holder = started(HOLDER, store.root)
    waited = []

    def waiting():
        waited.append(True)
        killed(holder)

    assert [path.name for path in store.models.iterdir()] == [".draft-base"]
    assert store.folders() == []
    with store.lock("base", waiting=waiting):
        assert waited == [True]
        model(store, "base")
    assert store.manifest("base").items() >= MANIFEST.items()
    assert sorted(path.name for path in (store.models / "base").iterdir()) == [
        "manifest.json",
        "model.safetensors",
    ]


def test_a_free_lock_makes_nobody_wait_and_can_be_taken_again(store):
    for _ in range(2):
        with store.lock("base", waiting=pytest.fail), store.lock("other"):
            pass
    with pytest.raises(ModelError), store.lock("base"):
        raise ModelError("of the caller")
    with store.lock("base", waiting=pytest.fail) as held:
        assert held is None


# -- folders -----------------------------------------------------------------------------------


def test_a_folder_appears_at_once_and_whole(store):
    with store.new_folder("base") as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_text("text")
        assert store.folders() == []
        assert store.manifest("base") is None
    assert (store.models / "base" / "sub" / "file").read_text() == "text"
    assert [path.name for path in store.folders()] == ["base"]


@pytest.mark.parametrize("error", [ModelError, RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_nothing(store, error):
    with pytest.raises(error), store.new_folder("base") as folder:
        (folder / "file").write_text("text")
        raise error
    assert list(store.models.iterdir()) == []


def test_what_is_left_under_the_final_name_without_a_manifest_is_replaced(store):
    (store.models / "base").mkdir()
    (store.models / "base" / "old").write_text("half deleted")
    model(store, "base")
    assert not (store.models / "base" / "old").exists()
    assert store.manifest("base", content.file_hash).items() >= MANIFEST.items()
    assert (store.root / "damaged" / "base.1" / "old").read_text() == "half deleted"


# -- housekeeping --------------------------------------------------------------------------------


def test_contents_counts_by_kind(store):
    store.put("number", {"a": 1, "b": 2})
    store.put("text", {"a": "text"})
    model(store, "base", "x" * 100)
    model(store, "sft", "x" * 50)
    counts = {kind: (count, size) for kind, count, size in store.contents()}
    assert list(counts) == ["number", "text", "model"]
    assert counts["number"] == (2, 4)
    assert counts["text"] == (1, 7)
    manifests = sum(path.stat().st_size for path in store.models.rglob("manifest.json"))
    assert counts["model"] == (2, 150 + manifests)


def test_prune_deletes_what_is_old(store):
    store.put("number", {"old": 1})
    aged(store, 40, kind="number")
    store.put("number", {"new": 2})
    for key in ("old", "new", ".draft-killed"):
        (store.models / key).mkdir()
        (store.models / key / "file").write_text("x")
    aged(store, 40, model="old")
    aged(store, 40, model=".draft-killed")
    assert store.prune(older_than=30 * DAY, dry_run=True) == (1, 2)
    assert len(list(store.models.iterdir())) == 3
    assert store.prune(older_than=30 * DAY) == (1, 2)
    assert store.get("number", ["old", "new"]) == {"new": 2}
    assert [path.name for path in store.models.iterdir()] == ["new"]
    assert store.prune(older_than=30 * DAY) == (0, 0)


def test_prune_leaves_alone_what_is_being_made(store):
    holder = started(HOLDER, store.root)
    try:
        aged(store, 40, model=".draft-base")
        assert store.prune(older_than=30 * DAY) == (0, 0)
        assert (store.models / ".draft-base" / "half").exists()
    finally:
        killed(holder)
    aged(store, 40, model=".draft-base")
    assert store.prune(older_than=30 * DAY) == (0, 1)
    assert list(store.models.iterdir()) == []
