"""Hashes of files: other bytes have another hash, whatever was done to hide that they are other.

What is small is read every time. Large files are where something is remembered, so every way to
put other bytes under one name, size and time is tried on both.
"""

import hashlib
import json
import os
import shutil
import subprocess
import threading
import time

import numpy as np
import pytest
from safetensors.numpy import save_file

from alignment.errors import AlignmentError
from alignment.store import Reading, Store, content
from alignment.store.files import SETTLED, SMALL

LONG_AGO = 10**18
"""A time that archives and build systems give all files, in nanoseconds."""


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def later(monkeypatch):
    """Live some minutes later, when files that are made now have long settled."""
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 10 * SETTLED)


@pytest.fixture(params=["small", "large"])
def size(request):
    return {"small": 3000, "large": SMALL + 12345}[request.param]


LARGE = SMALL + 12345


def random_bytes(size, seed):
    """Bytes of that size, of which no page is that of another seed."""
    return (f"{seed} weighs more than {seed}; ".encode() * (size // 20 + 1))[:size]


def written(path, size, seed, when=LONG_AGO):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(random_bytes(size, seed))
    os.utime(path, ns=(when, when))
    return path


def remembered(store):
    return store._db.execute("SELECT COUNT(*) FROM hashes").fetchone()[0]


# -- other bytes under one name, size and time -----------------------------------------------------


def _command(*words):
    if shutil.which(words[0]) is None:
        pytest.skip(f"there is no {words[0]} here")
    subprocess.run(words, check=True)


def by_tar(old, new):
    _command("tar", "-C", str(new.parent), "-cf", str(new.parent / "a.tar"), new.name)
    _command("tar", "-C", str(old.parent), "--overwrite", "-xf", str(new.parent / "a.tar"))


def by_cp(old, new):
    _command("cp", "-p", str(new), str(old))


def by_rsync(old, new):
    _command("rsync", "-t", "--inplace", "--ignore-times", str(new), str(old))


def by_touch(old, new):
    _command("touch", "-r", str(old), str(new.parent / "reference"))
    old.write_bytes(new.read_bytes())
    _command("touch", "-r", str(new.parent / "reference"), str(old))


def by_move(old, new):
    new.replace(old)


def by_delete_and_create(old, new):
    """The file system may give the new file the old one's inode."""
    data = new.read_bytes()
    old.unlink()
    old.write_bytes(data)
    os.utime(old, ns=(LONG_AGO, LONG_AGO))


def by_memory_map(old, new):
    import mmap

    with old.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[:] = new.read_bytes()
    os.utime(old, ns=(LONG_AGO, LONG_AGO))


def by_link(old, new):
    """As the hub's cache does: a name is a link, and comes to lead elsewhere."""
    old.unlink()
    old.symlink_to(new)


WAYS = [
    *(by_tar, by_cp, by_rsync, by_touch, by_move, by_delete_and_create, by_memory_map),
    by_link,
]


@pytest.mark.parametrize("replace", WAYS, ids=lambda way: way.__name__)
def test_other_bytes_are_never_the_old_ones(store, tmp_path, later, size, replace):
    old = written(tmp_path / "model" / "weights", size, "one")
    new = written(tmp_path / "another" / "weights", size, "two")
    first, then = store.file_hash(old), content.file_hash(new)
    assert store.file_hash(old) == first == content.file_hash(old) != then
    replace(old, new)
    assert old.stat().st_size == size
    assert old.stat().st_mtime_ns == LONG_AGO
    assert store.file_hash(old) == then == store.file_hash(old)


def test_a_restored_time_of_change_is_seen_through(store, tmp_path, later, monkeypatch):
    """As debugfs, a clock that was set back or a file system without such a time have it."""
    old = written(tmp_path / "weights", LARGE, "one")
    first = store.file_hash(old)
    state = store.hashes_of(old, "bytes")[1]
    old.write_bytes(random_bytes(LARGE, "two"))
    monkeypatch.setattr("alignment.store.files._state", lambda _: state)
    assert store.file_hash(old) == content.file_hash(old) != first


def test_what_is_sampled_reaches_to_both_ends(store, tmp_path, later, monkeypatch):
    old = written(tmp_path / "weights", LARGE, "one")
    state = store.hashes_of(old, "bytes")[1]
    monkeypatch.setattr("alignment.store.files._state", lambda _: state)
    for place in (0, 100_000, LARGE - 1):
        store.file_hash(old)
        with old.open("r+b") as file:
            file.seek(place)
            file.write(b"!")
        assert store.file_hash(old) == content.file_hash(old)


def test_who_reads_anew_trusts_nothing(store, tmp_path, later, monkeypatch):
    """A bit that flips on the disk changes no time, and may lie in no sampled page."""
    old = written(tmp_path / "weights", LARGE, "one")
    (first,), state = store.hashes_of(old, "bytes")
    with old.open("r+b") as file:
        file.seek(LARGE // 2 + 9999)
        file.write(b"!")
    monkeypatch.setattr("alignment.store.files._state", lambda _: state)
    assert store.file_hash(old) == first, "the limit that the module states"
    assert Reading(store).file_hash(old) == content.file_hash(old) != first
    assert store.file_hash(old) == content.file_hash(old), "and then it is known"


# -- what is remembered --------------------------------------------------------------------------


def test_a_large_file_is_read_once(store, tmp_path, later):
    path = written(tmp_path / "weights", LARGE, "one")
    found = store.file_hash(path)
    assert remembered(store) == 1
    store._db.execute("UPDATE hashes SET sha256 = 'remembered'")
    assert store.file_hash(path) == "remembered"
    assert Reading(store).file_hash(path) == found


def test_a_small_file_is_read_every_time(store, tmp_path, later):
    path = written(tmp_path / "weights", SMALL, "one")
    store.file_hash(path)
    assert remembered(store) == 0


def test_a_file_changed_just_now_is_not_remembered(store, tmp_path):
    """Even where its time of modification lies long ago: the time of change does not."""
    path = written(tmp_path / "weights", LARGE, "one")
    store.file_hash(path)
    assert remembered(store) == 0


def test_where_a_clock_was_set_back_nothing_is_remembered(store, tmp_path, monkeypatch):
    path = written(tmp_path / "weights", LARGE, "one")
    monkeypatch.setattr(time, "time_ns", lambda: LONG_AGO + 10 * SETTLED)
    store.file_hash(path)
    assert remembered(store) == 0


def test_a_path_need_not_be_unicode(store, tmp_path, later):
    path = written(tmp_path / os.fsdecode(b"weights-\xff"), LARGE, "one")
    assert store.file_hash(path) == store.file_hash(path) == content.file_hash(path)
    assert remembered(store) == 1


def test_hashes_of_an_earlier_release_are_not_believed(store, tmp_path):
    """It knew a file by path, inode, size and time of modification."""
    columns = {name for _, name, *_ in store._db.execute("PRAGMA table_info(hashes)")}
    assert columns == {"path", "what", "state", "sample", "sha256"}
    assert not store._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'files'").fetchone()


# -- tensors ---------------------------------------------------------------------------------------


def tensors_written(path, when=LONG_AGO, **tensors):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={"format": "pt"})
    os.utime(path, ns=(when, when))
    return path


ROWS = (LARGE // 4000, 1000)


def test_the_hash_of_a_tensor_is_that_of_its_name_type_shape_and_bytes(store, tmp_path):
    """Against what safetensors itself reads, for types that numpy has not too."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    tensors = {
        "a": torch.arange(12, dtype=torch.bfloat16).reshape(3, 4),
        "b": torch.zeros(0, 5),
        "c": torch.ones((), dtype=torch.float8_e4m3fn),
        "d": torch.arange(9, dtype=torch.int64),
    }
    save_file(tensors, tmp_path / "a.safetensors")
    kinds = {"a": "BF16", "b": "F32", "c": "F8_E4M3", "d": "I64"}
    wanted = sorted(
        hashlib.sha256(
            json.dumps([name, kinds[name], list(each.shape)]).encode()
            + b"\0"
            + bytes(each.contiguous().reshape(-1).view(torch.uint8).tolist())
        ).hexdigest()
        for name, each in tensors.items()
    )
    assert store.tensor_hashes(tmp_path / "a.safetensors") == tuple(wanted)
    assert content.tensor_hashes(tmp_path / "a.safetensors") == tuple(wanted)


CHANGED = {
    "name": {"b": np.zeros(ROWS, "float32")},
    "shape": {"a": np.zeros(ROWS[::-1], "float32")},
    "type": {"a": np.zeros(ROWS, "int32")},
    "value": {"a": np.eye(*ROWS, dtype="float32")},
    "another": {"a": np.zeros(ROWS, "float32"), "b": np.zeros(1, "float32")},
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_another_tensor_has_another_hash(store, tmp_path, later, change):
    path = tensors_written(tmp_path / "a.safetensors", a=np.zeros(ROWS, "float32"))
    first = store.tensor_hashes(path)
    assert store.tensor_hashes(path) == first
    assert remembered(store) == 1
    tensors_written(path, **change)
    assert store.tensor_hashes(path) != first
    assert store.tensor_hashes(path) == content.tensor_hashes(path)


def test_tensors_of_a_large_file_are_read_once(store, tmp_path, later):
    path = tensors_written(tmp_path / "a.safetensors", a=np.zeros(ROWS, "float32"), b=np.ones(3))
    found = store.tensor_hashes(path)
    assert len(found) == 2
    store._db.execute("UPDATE hashes SET sha256 = 'as remembered'")
    assert store.tensor_hashes(path) == ("as", "remembered")
    assert store.file_hash(path) == content.file_hash(path), "another thing is remembered apart"
    assert Reading(store).tensor_hashes(path) == found


def _pickled(path):
    path.write_bytes(b"\x80\x02}q\x00.")


def _endless(path):
    path.write_bytes((2**62).to_bytes(8, "little") + b"{}")


def _list(path):
    path.write_bytes((2).to_bytes(8, "little") + b"[]")


def _deep(path):
    path.write_bytes((10**5).to_bytes(8, "little") + b"[" * 10**5)


def _nowhere(path):
    path.write_bytes((12).to_bytes(8, "little") + b'{"a": [1]}  ')


def _cut(path):
    tensors_written(path, a=np.zeros(ROWS, "float32"))
    os.truncate(path, 1000)


@pytest.mark.parametrize("spoil", [_pickled, _endless, _list, _deep, _nowhere, _cut])
def test_what_holds_no_tensors_is_one_line(store, tmp_path, spoil):
    path = tmp_path / "a.safetensors"
    spoil(path)
    with pytest.raises(AlignmentError) as raised:
        store.tensor_hashes(path)
    assert str(raised.value).startswith(f"{path}: is no safetensors file: ")
    assert "\n" not in str(raised.value)


# -- while it is read ----------------------------------------------------------------------------


def test_a_file_that_changes_all_the_time_is_an_error(store, tmp_path):
    path = written(tmp_path / "weights", 60 * 2**20, "one")
    done = threading.Event()

    def write():
        with path.open("r+b") as file:
            while not done.is_set():
                file.seek(0)
                file.write(os.urandom(9))
                file.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with pytest.raises(AlignmentError, match="weights: changed while it was read; run again"):
            store.file_hash(path)
    finally:
        done.set()
        writer.join()
    assert remembered(store) == 0


def test_what_changed_after_it_was_read_is_known(store, tmp_path):
    paths = [written(tmp_path / name, 3000, name) for name in "abc"]
    reading = Reading(store)
    for path in paths:
        reading.file_hash(path)
    assert reading.changed() is None
    by_cp(paths[1], written(tmp_path / "new", 3000, "new"))
    assert reading.changed() == paths[1]
    paths[0].unlink()
    assert reading.changed() == paths[0]


# -- what cannot be read ---------------------------------------------------------------------------


def _missing(path):
    return "there is no such file"


def _folder(path):
    path.mkdir()
    return "it is a folder, and a regular file is required"


def _pipe(path):
    os.mkfifo(path)
    return "it is a FIFO, and a regular file is required"


def _device(path):
    path.symlink_to("/dev/zero")
    return "it is a device, and a regular file is required"


def _circle(path):
    path.symlink_to(path)
    return ""


@pytest.mark.parametrize("spoil", [_missing, _folder, _pipe, _device, _circle])
def test_what_cannot_be_read_is_one_line(store, tmp_path, spoil):
    path = tmp_path / "weights"
    reason = spoil(path)
    with pytest.raises(AlignmentError) as raised:
        store.file_hash(path)
    assert str(raised.value).startswith(f"{path}: cannot be read: ")
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)
