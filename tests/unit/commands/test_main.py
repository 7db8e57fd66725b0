"""`python -m alignment`: what it prints, and one line with exit status 2 for what is wrong."""

import json
import os
import re
import subprocess
import sys
import time

import pytest

from alignment.store import Store

DAY = 86400
MANIFEST = {"identity": "abc", "adapter": False, "stages": [], "seconds": 1.5, "processes": 1}


@pytest.fixture
def root(tmp_path):
    """A store with three records and two models, one of each old."""
    store = Store(tmp_path / "store")
    store.put("response", {"old": "x" * 2000})
    then = time.time() - 40 * DAY
    store._db.execute("UPDATE entries SET created = ?", (then,))
    store.put("score", {"a": 1, "b": 2})
    for key, name in (("0ld", "base"), ("new", "sft_dpo")):
        with store.new_folder(key) as folder:
            (folder / "model.safetensors").write_bytes(b"x" * 3 * 1024**2)
            (folder / "manifest.json").write_text(json.dumps(MANIFEST | {"name": name}))
    os.utime(store.models / "0ld", (then, then))
    store.close()
    return store.root


def failed(result):
    """The one line that a failing command says."""
    status, out, err = result
    assert status == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def test_store_shows_where_it_is_what_is_in_it_and_how_much(command, root):
    status, out, err = command("store", "--alignment-store", root)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"store {root}"
    assert re.fullmatch(r"6\.\d MiB on disk", lines[1])
    rows = [line.split() for line in lines[2:]]
    assert rows[:3] == [
        ["response", "1", "2.0", "KiB"],
        ["score", "2", "4", "B"],
        ["model", "2", "6.0", "MiB"],
    ]
    assert rows[3:] == [
        ["model", "0ld", "3.0", "MiB", "40", "d", "old", "base"],
        ["model", "new", "3.0", "MiB", "0", "m", "old", "sft_dpo"],
    ]


def test_the_environment_names_the_store(command, root, monkeypatch):
    monkeypatch.setenv("ALIGNMENT_STORE", str(root))
    assert command("store")[1].startswith(f"store {root}\n")
    assert "1 records" in command("store", "prune", "--older-than", "30d", "--dry-run")[1]


def test_looking_at_a_store_that_is_not_there_does_not_make_one(command, tmp_path):
    missing = tmp_path / "missing"
    status, out, _ = command("store", "--alignment-store", missing)
    assert (status, out) == (0, f"store {missing}\nempty: nothing is stored there yet\n")
    pruned = command("store", "prune", "--older-than", "30d", "--alignment-store", missing)
    assert pruned[1] == f"store {missing}: deleted 0 records and 0 models\n"
    assert not missing.exists()


@pytest.mark.parametrize("before", [True, False])
def test_prune_deletes_what_is_old(command, root, before):
    where = ("--alignment-store", root)
    action = ("prune", "--older-than", "30d")
    words = ("store", *where, *action) if before else ("store", *action, *where)
    assert command(*words, "--dry-run") == (
        0,
        f"store {root}: would delete 1 records and 1 models\n",
        "",
    )
    assert command(*words)[1] == f"store {root}: deleted 1 records and 1 models\n"
    store = Store(root)
    assert [(kind, count) for kind, count, _ in store.contents()] == [("score", 2), ("model", 1)]


@pytest.mark.parametrize(("age", "records"), [("60m", 1), ("24h", 1), ("30d", 1), ("6w", 0)])
def test_ages_have_units(command, root, age, records):
    out = command("store", "prune", "--older-than", age, "--dry-run", "--alignment-store", root)[1]
    assert f"would delete {records} records" in out


@pytest.mark.parametrize("age", ["30", "d", "-1d", "1y", "1.5d", ""])
def test_an_age_without_number_and_unit_is_refused_and_deletes_nothing(command, root, age):
    said = failed(command("store", "prune", f"--older-than={age}", "--alignment-store", root))
    assert "such as 30d" in said
    assert sum(count for _, count, _ in Store(root).contents()) == 5


def test_a_broken_store_is_one_line(command, tmp_path):
    (tmp_path / "store.sqlite").write_text("not a database" * 100)
    assert "not a database" in failed(command("store", "--alignment-store", tmp_path))
    file = tmp_path / "store.sqlite"
    assert "is a file" in failed(command("store", "--alignment-store", file))


def test_profile_prints_the_resolved_profile(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, _ = command("profile", "paper", "--set", "confidence=0.9", "--set", "seed=7")
    profile = json.loads(out)
    assert status == 0
    assert (profile["name"], profile["confidence"], profile["seed"]) == ("paper", 0.9, 7)
    assert profile["generation"]["block"] > 0  # defaults are filled in
    (tmp_path / "alignment.toml").write_text('extends = "paper"\nname = "mine"\n')
    assert json.loads(command("profile")[1])["name"] == "mine"
    assert json.loads(command("profile", tmp_path / "alignment.toml")[1])["name"] == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "unknown profile 'nowhere'"),
        (["paper", "--set", "confidnce=0.9"], "did you mean 'confidence'?"),
        (["paper", "--set", "confidence=2"], "confidence: input should be less than 1"),
        (["paper", "--set", "confidence"], "needs key.path=value"),
    ],
)
def test_a_wrong_profile_is_one_line(command, arguments, said):
    assert said in failed(command("profile", *arguments))


def test_as_a_command_it_has_a_status_and_loads_no_torch(root):
    script = (
        "import sys; from alignment.commands import main; "
        "status = main(sys.argv[1:]); "
        "sys.exit(status or (3 if {'torch', 'datasets', 'pandas'} & sys.modules.keys() else 0))"
    )
    for arguments in (["store", "--alignment-store", str(root)], ["profile", "paper"]):
        command = [sys.executable, "-c", script, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    command = [sys.executable, "-m", "alignment", "profile", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
