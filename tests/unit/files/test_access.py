"""Who may look at the store: its owner, and the group where the umask or the folder says so."""

import json
import os
import stat
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from alignment.files.access import follow, private_folder
from alignment.store import FILE, Store
from support.unmeasured import unmeasured

OWN, SHARED = 0o700, 0o2770
MANIFEST = {
    "name": "base",
    "identity": "abc",
    "adapter": False,
    "stages": [],
    "seconds": 1.5,
    "processes": 1,
}


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def used(root):
    """A store in which everything that it makes has been made; the modes of files and folders."""
    store = Store(root)
    with store.lock("base"), store.new_folder("base") as folder:
        (folder / "model.safetensors").write_text("weights")
        (folder / "model.safetensors").chmod(0o600)  # as some libraries do
        (folder / "sub").mkdir(mode=0o700)
        (folder / "sub" / "file").write_text("text")
        (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    (store.models / "half").mkdir()
    with store.lock("half"), store.new_folder("half"):
        pass
    store.folder("matplotlib")
    store.put("response", {"wrong": 3})
    store.get("response", ["wrong"])
    store.prune(older_than=1000)
    store.close()
    paths = [root, *root.rglob("*")]
    made = {path for path in paths if path.name != "half.1"}  # what somebody else made is as it was
    folders = {mode(path) for path in made if path.is_dir()}
    return folders, {mode(path) for path in made if path.is_file()}


@pytest.mark.parametrize(
    ("mask", "folder", "file"),
    [
        (0o022, OWN, 0o600),
        (0o027, OWN, 0o600),
        (0o077, OWN, 0o600),
        (0o002, SHARED, 0o660),
        (0o007, SHARED, 0o660),
        (0o000, SHARED, 0o660),
    ],
)
def test_a_new_store_is_its_owners_and_the_groups_where_the_umask_says_so(
    tmp_path, mask, folder, file
):
    with umask(mask):
        assert used(tmp_path / "above" / "store") == ({folder}, {file})
    assert mode(tmp_path / "above") == 0o777 & ~mask, "what is not the store's is as ever"


@pytest.mark.parametrize(
    ("given", "mask", "folder", "file"),
    [
        (0o755, 0o022, 0o755, 0o644),
        (0o755, 0o077, 0o700, 0o600),
        (0o2770, 0o022, 0o2770, 0o660),
        (0o2775, 0o022, 0o2775, 0o664),
        (0o770, 0o077, 0o770, 0o660),
        (0o700, 0o002, 0o700, 0o600),
        (0o777, 0o022, 0o775, 0o664),
    ],
)
def test_a_folder_that_was_there_keeps_its_access_and_what_is_made_inside_follows(
    tmp_path, given, mask, folder, file
):
    root = tmp_path / "store"
    root.mkdir()
    root.chmod(given)
    with umask(mask):
        folders, files = used(root)
    assert mode(root) == given
    assert folders - {given} == {folder} - {given}
    assert files == {file}


def test_what_was_made_before_is_left_as_it_is(tmp_path):
    store = Store(tmp_path / "store")
    store.close()
    (tmp_path / "store").chmod(0o755)
    (tmp_path / "store" / FILE).chmod(0o640)
    Store(tmp_path / "store").close()
    assert mode(tmp_path / "store") == 0o755
    assert mode(tmp_path / "store" / FILE) == 0o640


JOURNAL = """
import os, sys
from pathlib import Path
from alignment.store import Store
os.umask(int(sys.argv[2], 8))
store = Store(Path(sys.argv[1]))
store._db.execute("BEGIN IMMEDIATE")
store._db.execute("DELETE FROM entries")
store._db.execute("INSERT INTO entries VALUES ('a', 'b', 'c', 1.0, 2)")
store._db.execute("PRAGMA cache_spill = 1")
for path in sorted(Path(sys.argv[1]).glob("*.sqlite*")):
    print(f"{path.name} {path.stat().st_mode & 0o7777:o}")
"""


@pytest.mark.parametrize(("mask", "file"), [("022", "600"), ("002", "660")])
def test_sqlites_journal_has_the_access_of_its_file(tmp_path, mask, file):
    done = subprocess.run(
        [sys.executable, "-c", JOURNAL, tmp_path / "store", mask],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [FILE, file, f"{FILE}-journal", file]


SECOND = """
import os, sys
from pathlib import Path
import filelock
from alignment.store import Store
os.setgroups([4711]); os.setgid(4712); os.setuid(4713)
os.umask(0o022)
store = Store(Path(sys.argv[1]))
with store.lock("base"), store.new_folder("base") as folder:
    (folder / "file").write_text("x")
store.put("thing", {"b": 2})
print(store.get("thing", ["a", "b"]))
"""


def test_two_users_of_one_group_share_a_store():
    """The second has a umask of its own, and another primary group."""
    if os.geteuid() != 0:
        pytest.skip("only root can become two users")
    with tempfile.TemporaryDirectory() as top:  # pytest's own folders are closed to others
        Path(top).chmod(0o755)
        root = Path(top) / "store"
        with umask(0o002):
            private_folder(root)
            os.chown(root, 0, 4711)
            root.chmod(SHARED)
            with closing(Store(root)) as store:
                with store.lock("base"), store.new_folder("base") as folder:
                    (folder / "file").write_text("x")
                store.put("thing", {"a": 1})
        done = subprocess.run(
            [sys.executable, "-c", SECOND, root],
            env=unmeasured(),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stderr == ""
    assert done.stdout == "{'a': 1, 'b': 2}\n"


def test_a_file_in_its_place_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        private_folder(tmp_path / "file")
    with pytest.raises(NotADirectoryError):
        private_folder(tmp_path / "file" / "below")
    private_folder(tmp_path)  # is there already


def test_others_get_no_more_than_the_umask_gave_them(tmp_path):
    tmp_path.chmod(0o777)
    path = tmp_path / "file"
    with umask(0o077):
        path.touch()
    follow(tmp_path, path)
    assert mode(path) == 0o660
