"""Sets of files in folders that others use too, and folders that cannot be exchanged."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from alignment.files import rooms, sets
from alignment.files.sets import recover, replacing
from support.calls import killed


def write(folder, text, names=("a", "sub/b", "seal"), gone=()):
    """Replace these files."""
    with replacing(folder) as new:
        for name in names:
            new.write(name, [text])
        new.commit(gone)


def content(folder):
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def three(text):
    return dict.fromkeys(("a", "sub/b", "seal"), text)


@pytest.fixture
def folder(tmp_path):
    """A folder with a set, and with others' files."""
    folder = tmp_path / "parent" / "folder"
    write(folder, "old")
    (folder / "sub" / "theirs").write_text("theirs")
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "theirs").write_text("theirs")
    return folder


THEIRS = {"sub/theirs": "theirs", "deep/er/theirs": "theirs"}


def test_others_files_are_the_same_ones_as_before(folder):
    before = {path: path.stat() for path in folder.rglob("theirs")}
    write(folder, "new", gone=["a"])
    assert content(folder) == three("new") | THEIRS
    for path, state in before.items():
        now = path.stat()
        assert (now.st_ino, now.st_mtime_ns, now.st_nlink) == (state.st_ino, state.st_mtime_ns, 1)
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fails", [False, True])
def test_what_others_write_meanwhile_is_kept(folder, monkeypatch, when, fails):
    """Just before the exchange, when the new folder is complete; or while a caller goes on."""
    swap = sets._exchange

    def theirs():
        (folder / "late").write_text("late")
        (folder / "fresh").mkdir(exist_ok=True)
        (folder / "fresh" / "late").write_text("late")
        (folder / "draft").write_text("changed")
        (folder / "draft").replace(folder / "sub" / "theirs")

    def exchange(*folders):
        if when == "before" and not (folder / "late").exists():
            theirs()
        swap(*folders)

    monkeypatch.setattr(sets, "_exchange", exchange)
    with suppress(ZeroDivisionError), replacing(folder) as new:
        for name in three(""):
            new.write(name, ["new"])
        new.commit()
        if when == "after":
            theirs()
        _ = 1 // (not fails)
    late = {"late": "late", "fresh/late": "late", "sub/theirs": "changed"}
    assert content(folder) == three("old" if fails else "new") | THEIRS | late
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def cannot(*_):
    raise OSError(95, "Operation not supported")


def current(monkeypatch, folder):
    monkeypatch.chdir(folder / "deep")


def many(_, folder):
    for number in range(1001):
        (folder / "deep" / str(number)).touch()


def unsupported(monkeypatch, _):
    monkeypatch.setattr(sets, "_exchange", cannot)


def shut(monkeypatch, folder):
    """The parent may not be written: the room is in the folder itself."""
    monkeypatch.setattr(sets, "_beside", lambda _: folder)


@pytest.mark.parametrize("hindrance", [current, many, unsupported, shut], ids=lambda f: f.__name__)
def test_where_folders_cannot_be_exchanged_files_are_moved(folder, monkeypatch, hindrance):
    hindrance(monkeypatch, folder)
    before = folder.stat().st_ino
    write(folder, "new", names=("a", "c", "seal"), gone=["sub/b", "nothing"])
    assert folder.stat().st_ino == before
    found = {name: text for name, text in content(folder).items() if text}
    assert found == {"a": "new", "c": "new", "seal": "new"} | THEIRS
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_killed_with_its_room_within_the_folder(folder, monkeypatch):
    shut(monkeypatch, folder)
    model = folder.with_name("model")
    shutil.copytree(folder, model)
    number = 1
    while killed(number, lambda: write(folder, "new", gone=["sub/b"])):
        found = {n: t for n, t in content(folder).items() if not n.startswith(".")}
        old, new = three("old") | THEIRS, three("new") | THEIRS
        assert found.items() <= old.items() or found.items() <= new.items()
        assert found in (old, new) or "seal" not in found
        assert found.items() >= THEIRS.items()
        recover(folder)
        assert content(folder) in (old, new)
        shutil.rmtree(folder)
        shutil.copytree(model, folder)
        number += 1
    assert number > 30


MOUNTED = """
import subprocess, sys
from pathlib import Path
from alignment.files.sets import replacing
folder, other = Path(sys.argv[1]), Path(sys.argv[2])
subprocess.run(["mount", "--bind", other, folder], check=True)
for text in ("one", "two"):
    with replacing(folder) as new:
        new.write("a", [text])
        new.commit()
"""


def test_a_mount_point_stays_one(tmp_path):
    """Its files are moved: the folder is not this file system's to rename."""
    folder, other = tmp_path / "parent" / "folder", tmp_path / "other"
    folder.mkdir(parents=True)
    other.mkdir()
    script = ["unshare", "--mount", sys.executable, "-c", MOUNTED, str(folder), str(other)]
    environment = os.environ | {"PYTHONPATH": str(Path(sets.__file__).parents[2])}
    try:
        done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if any(word in done.stderr for word in ("unshare failed", "mount:", "CalledProcessError")):
        pytest.skip("this user may not mount")
    assert done.returncode == 0, done.stderr
    assert content(other) == {"a": "two"}
    assert list(folder.iterdir()) == []
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def test_a_folder_of_another_group_is_not_given_away(folder):
    if os.geteuid():
        pytest.skip("needs to change owners")
    os.chown(folder, 12345, 12345)
    folder.chmod(0o2775)
    write(folder, "new")
    state = folder.stat()
    assert (state.st_uid, state.st_gid, state.st_mode & 0o7777) == (12345, 12345, 0o2775)


def test_what_somebody_is_about_is_left_alone(folder):
    with replacing(folder) as new:
        new.write("a", ["new"])
        recover(folder)
        write(folder, "other")
        (room,) = [path for path in folder.parent.iterdir() if path != folder]
        assert room.name.startswith(rooms.PREFIX)
        new.commit()
    assert content(folder) == three("other") | {"a": "new"} | THEIRS
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def test_several_at_once_leave_one_whole_set(folder):
    children = []
    for number in range(8):
        if not (child := os.fork()):
            status = 1
            try:
                for again in range(5):
                    own = ("a", f"own{number}", "seal")
                    gone = ["sub/b", *(f"own{other}" for other in range(8))]
                    write(folder, f"{number}-{again}", own, [n for n in gone if n not in own])
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
    found = {name: text for name, text in content(folder).items() if name not in THEIRS}
    (text,) = set(found.values())
    assert found == dict.fromkeys(("a", f"own{text[0]}", "seal"), text)
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


@pytest.mark.parametrize("kind", ["swap", "moves"])
@pytest.mark.parametrize(
    "journal",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        json.dumps({"folder": "../..", "place": ["a"], "withdraw": ["a"]}),
        json.dumps({"folder": "folder", "place": ["../../mine"], "withdraw": []}),
        json.dumps({"folder": "folder", "place": ["/mine", "seal"], "withdraw": []}),
        json.dumps({"folder": "folder", "place": 3, "withdraw": [4]}),
        json.dumps({"folder": "folder", "place": [], "withdraw": []}),
        json.dumps({"folder": "folder", "place": ["a\0", "seal"], "withdraw": ["a\0"]}),
        json.dumps({"folder": "folder", "place": ["a"], "withdraw": [], "carried": [1]}),
    ],
)
def test_a_journal_that_is_none_moves_nothing(folder, kind, journal):
    room = folder.parent / f"{rooms.PREFIX}x" / ".git"
    (room / "new").mkdir(parents=True)
    (room / "new" / "seal").write_text("theirs")
    (room / kind).write_text(journal)
    (folder.parent.parent / "mine").write_text("mine")
    recover(folder)
    assert content(folder) == three("old") | THEIRS
    assert (folder.parent.parent / "mine").read_text() == "mine"
    write(folder, "new")
    assert content(folder) == three("new") | THEIRS


def test_a_link_in_the_place_of_a_room_leads_nowhere(folder, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    (folder.parent / f"{rooms.PREFIX}x").symlink_to(tmp_path / "mine")
    write(folder, "new")
    assert (tmp_path / "mine" / "file").read_text() == "mine"
