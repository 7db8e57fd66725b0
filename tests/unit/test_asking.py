"""`compute_missing`: whole batches, only those with something missing, each committed at once."""

import json
import subprocess
import sys
import threading

import pytest

from alignment.progress import Progress
from alignment.store import Store
from alignment.study.compute import compute_missing


class Shouts:
    """What is shouted, in the store."""

    kind = "shout"

    def read(self, store, keys):
        return store.get("shout", keys)

    def plain(self, value):
        return value


class Upper:
    """A worker that cuts a block into batches of two and shouts."""

    def __init__(self, *, fails_at=None):
        self.batches = []
        self.closed = False
        self.fails_at = fails_at

    def work(self, items, needed):
        for start in range(0, len(items), 2):
            batch = range(start, min(start + 2, len(items)))
            if set(batch).isdisjoint(needed):
                continue
            self.batches.append([items[i][0] for i in batch])
            if self.fails_at in batch:
                raise RuntimeError("out of memory")
            yield {i: items[i][0].upper() for i in batch}

    def close(self):
        self.closed = True


BLOCKS = [[("k-a", ("a",)), ("k-b", ("b",)), ("k-c", ("c",))], [("k-d", ("d",)), ("k-e", ("e",))]]
ALL = {key for block in BLOCKS for key, _ in block}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def filled(store, wanted, blocks=BLOCKS, worker=None, progress=None):
    worker = worker or Upper()
    compute_missing(
        store,
        Shouts(),
        blocks,
        wanted=wanted,
        worker=lambda: worker,
        lock="answer",
        progress=progress or Progress(),
        what="answers",
        unit="prompt",
    )
    return worker


def test_everything_wanted_is_there_afterwards(store):
    worker = filled(store, ALL)
    assert store.get("shout", ALL) == {key: key[2:].upper() for key in ALL}
    assert worker.batches == [["a", "b"], ["c"], ["d", "e"]]
    assert worker.closed


@pytest.mark.parametrize("there", [[], ["k-a"], ["k-b", "k-c"], ["k-d"], ["k-a", "k-e"]])
def test_batches_are_cut_from_whole_blocks_whatever_is_there_already(store, there):
    store.put("shout", dict.fromkeys(there, "there"))
    worker = filled(store, ALL)
    whole = [["a", "b"], ["c"], ["d", "e"]]
    assert worker.batches == [b for b in whole if not {f"k-{x}" for x in b} <= set(there)]
    assert set(store.get("shout", ALL).values()) <= {*"ABCDE", "there"}


@pytest.mark.parametrize(
    ("wanted", "batches"),
    [({"k-b"}, [["a", "b"]]), ({"k-c"}, [["c"]]), ({"k-b", "k-d"}, [["a", "b"], ["d", "e"]])],
)
def test_only_batches_with_something_wanted_are_computed_and_kept_whole(store, wanted, batches):
    worker = filled(store, wanted)
    assert worker.batches == batches
    assert store.get("shout", ALL).keys() == {f"k-{x}" for batch in batches for x in batch}


def test_no_worker_is_made_when_nothing_is_missing(store):
    filled(store, ALL)
    worker = filled(store, ALL)
    assert worker.batches == []
    assert not worker.closed


def test_what_two_blocks_ask_alike_is_computed_once(store):
    worker = filled(store, ALL, [*BLOCKS, [("k-d", ("d",)), ("k-e", ("e",))]])
    assert worker.batches == [["a", "b"], ["c"], ["d", "e"]]


def test_progress_counts_what_was_missing(store):
    told = []

    class Told(Progress):
        def stage(self, what, total, unit):
            told.append((what, total, unit))
            return super().stage(what, total, unit)

    store.put("shout", {"k-a": "there"})
    progress = Told()
    filled(store, ALL, progress=progress)
    assert told == [("answers", 4, "prompt")]
    assert progress.seconds["answers"] >= 0


def test_what_was_computed_before_a_failure_is_kept_and_the_worker_closed(store):
    broken = Upper(fails_at=2)
    with pytest.raises(RuntimeError, match="out of memory"):
        filled(store, ALL, worker=broken)
    assert broken.closed
    assert store.get("shout", ALL) == {"k-a": "A", "k-b": "B"}
    assert filled(store, ALL).batches == [["c"], ["d", "e"]]


def test_a_second_caller_waits_and_then_finds_everything(store, tmp_path):
    computing, go_on, noted = threading.Event(), threading.Event(), threading.Event()

    class Slow(Upper):
        def work(self, items, needed):
            computing.set()
            assert go_on.wait(30)
            yield from super().work(items, needed)

    class Noted(Progress):
        def note(self, text):
            assert text == "waiting: answers is under way elsewhere"
            noted.set()

    slow, second = Slow(), Upper()
    first = threading.Thread(target=lambda: filled(Store(tmp_path), ALL, worker=slow))
    other = threading.Thread(
        target=lambda: filled(Store(tmp_path), ALL, worker=second, progress=Noted())
    )
    first.start()
    assert computing.wait(30)
    other.start()
    assert noted.wait(30)
    go_on.set()
    first.join(30)
    other.join(30)
    assert slow.batches == [["a", "b"], ["c"], ["d", "e"]]
    assert second.batches == []
    assert store.get("shout", ALL).keys() == ALL


KILLED = """
import sys, time
from pathlib import Path
from alignment.study.compute import compute_missing
from alignment.progress import Progress
from alignment.store import Store

class Worker:
    def work(self, items, needed):
        for i in needed:
            if i == 3:
                print("working", flush=True)
                time.sleep(600)
            yield {i: items[i][0]}
    def close(self):
        pass

class Shouts:
    kind = "shout"
    def read(self, store, keys):
        return store.get("shout", keys)
    def plain(self, value):
        return value

block = [(f"k-{x}", (x,)) for x in "abcdef"]
compute_missing(Store(Path(sys.argv[1])), Shouts(), [block], wanted={k for k, _ in block},
     worker=Worker, lock="answer", progress=Progress(), what="answers", unit="prompt")
"""


def test_committed_batches_outlive_a_kill_and_are_not_computed_again(store, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "working\n"
    process.kill()
    process.communicate()
    there = "SELECT key, value, created FROM entries ORDER BY key"
    before = store._db.execute(there).fetchall()
    assert [(key, json.loads(value)) for key, value, _ in before] == [
        ("k-a", "a"),
        ("k-b", "b"),
        ("k-c", "c"),
    ]
    block = [(f"k-{x}", (x,)) for x in "abcdef"]
    worker = filled(store, dict(block), [block])
    assert worker.batches == [["c", "d"], ["e", "f"]]
    assert store._db.execute(there).fetchall()[:3] == before


def test_who_does_not_wait_is_told_that_another_is_at_it(store):
    def answer(*, wait):
        return compute_missing(
            store,
            Shouts(),
            BLOCKS,
            wanted=ALL,
            worker=Upper,
            lock="answer",
            progress=Progress(),
            what="answers",
            unit="prompt",
            wait=wait,
        )

    with Store(store.root).lock("answer"):
        assert answer(wait=False) is None
        assert store.get("shout", ALL) == {}
    assert answer(wait=False) == {key: key[2:].upper() for key in ALL}
    assert store.get("shout", ALL).keys() == ALL
    with Store(store.root).lock("answer"):  # all is there: nobody has to be waited for
        assert answer(wait=False) == {key: key[2:].upper() for key in ALL}


def test_what_was_computed_is_given_and_not_read_again(store):
    class Counted(Shouts):
        reads = 0

        def read(self, store, keys):
            self.reads += len(keys)
            return super().read(store, keys)

    counted = Counted()
    given = {"wanted": ALL, "worker": Upper, "lock": "x", "progress": Progress()}
    given |= {"what": "answers", "unit": "prompt"}
    first = compute_missing(store, counted, BLOCKS, **given)
    assert first == {key: key[2:].upper() for key in ALL}
    assert counted.reads == 2 * len(ALL), "once before the lock, once behind it"
    counted.reads = 0
    assert compute_missing(store, counted, BLOCKS, **given) == first
    assert counted.reads == len(ALL)
