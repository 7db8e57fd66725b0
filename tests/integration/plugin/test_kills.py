"""Killed at any moment and run again: it finishes, repeats no work, and reports the same."""

import random
import sqlite3
import time
from contextlib import closing

import pytest

pytestmark = pytest.mark.slow

MOMENTS = [random.Random(f"kill {number}").uniform(0.1, 1.0) for number in range(10)]
"""Of an undisturbed run, as shares of its time."""

WATCH = """
CREATE TABLE attempts (kind TEXT, key TEXT);
CREATE TRIGGER watch BEFORE INSERT ON entries BEGIN
    INSERT INTO attempts VALUES (NEW.kind, NEW.key);
END;
"""
"""Notes every record that somebody tries to put, also those that are there already."""


def rows(store, query):
    """Rows of the store's database, none where there is no database yet."""
    if not (store / "store.sqlite").exists():
        return set()
    with closing(sqlite3.connect(store / "store.sqlite")) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'entries'").fetchone():
            return set()
        return set(database.execute(query))


def entries(store):
    return rows(store, "SELECT kind, key, value, created FROM entries")


def finished(store):
    """Every file of every finished model, with its inode and time."""
    states = {
        path: path.stat()
        for manifest in store.glob("models/[!.]*/manifest.json")
        for path in (manifest.parent, *manifest.parent.iterdir())
    }
    return {(path, state.st_ino, state.st_mtime_ns) for path, state in states.items()}


def watch(store):
    """Note from now on what is put into the store, if there is one."""
    if rows(store, "SELECT 1 FROM sqlite_master"):
        with closing(sqlite3.connect(store / "store.sqlite")) as database:
            database.executescript(WATCH)


@pytest.fixture(scope="module")
def seconds(micro_run, tmp_path_factory):
    """What a run takes that nobody kills."""
    run = micro_run(tmp_path_factory.mktemp("timed"), killable=True)
    run.finish()
    return run.seconds


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: f"{moment:.0%}")
def test_a_run_that_was_killed_goes_on_where_it_was(
    micro_run, undisturbed, seconds, tmp_path, moment
):
    killed = micro_run(tmp_path, killable=True)
    time.sleep(moment * seconds)
    killed.kill()
    before, models = entries(killed.store), finished(killed.store)
    watch(killed.store)

    again = micro_run(tmp_path)
    assert again.finish() == undisturbed.report
    assert before <= entries(again.store)
    assert models <= finished(again.store)
    assert not list(again.store.glob("models/.*"))
    if before:
        attempts = rows(again.store, "SELECT kind, key FROM attempts")
        # Scores are left out: an answer that two variants share belongs to a batch of each.
        there = {(kind, key) for kind, key, *_ in before if kind != "score"}
        assert attempts.isdisjoint(there)
    everything = {(kind, key) for kind, key, *_ in entries(undisturbed.store)}
    assert {(kind, key) for kind, key, *_ in entries(again.store)} == everything


def test_killed_again_and_again_it_still_comes_to_its_end(
    micro_run, undisturbed, seconds, tmp_path
):
    rng = random.Random("again and again")
    before, models = set(), set()
    for _ in range(4):
        run = micro_run(tmp_path, killable=True)
        time.sleep(rng.uniform(0.3, 0.7) * seconds)
        run.kill()
        assert before <= entries(run.store)
        assert models <= finished(run.store)
        before, models = entries(run.store), finished(run.store)
    last = micro_run(tmp_path)
    assert last.finish() == undisturbed.report
    assert before <= entries(last.store)
    assert models <= finished(last.store)
