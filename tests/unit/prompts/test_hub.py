from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import datasets.config
import huggingface_hub.constants
import pytest

from alignment.config.axes import DatasetSource, FileSource, TinySource
from alignment.errors import PromptError
from alignment.prompts.hub import load
from alignment.prompts.sources import check, identity, label, read_rows
from support.places import ROOT

ROWS = [{"chosen": f"Human: {n}\n\nAssistant: a", "rejected": "Human: x"} for n in range(3)]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def source(dataset="hh", **rest):
    return DatasetSource(source="dataset", dataset=dataset, **rest)


def read(chosen, folder):
    return list(read_rows(chosen, data=folder, axis="x", network=False))


@pytest.fixture
def clone(tmp_path):
    for part in ("harmless-base", "helpful-base"):
        inside = tmp_path / "hh" / part
        inside.mkdir(parents=True)
        text = "".join(json.dumps(row) + "\n" for row in ROWS)
        (inside / "test.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    return tmp_path


def test_a_clone_is_read_without_datasets(clone, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)  # an import would raise
    rows = read(source(data_dir="harmless-base"), clone)
    assert [row.chosen for row in rows] == [row["chosen"] for row in ROWS]
    assert rows[2].line == 3
    assert rows[0].source == "hh/harmless-base/test"
    assert read(source(str(clone / "hh"), data_dir="harmless-base"), Path("/")) != []
    check(source(data_dir="harmless-base"), data=clone, axis="x")


def test_other_folders_are_given_to_datasets(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "hh").mkdir()
    csv = 'chosen,rejected\n"Human: a","Human: b"\n"Human: c",\n'
    (tmp_path / "hh" / "validation.csv").write_text(csv)
    rows = read(source(split="validation"), tmp_path)
    assert [(row.chosen, row.rejected) for row in rows] == [
        ("Human: a", "Human: b"),
        ("Human: c", None),
    ]
    assert [row.line for row in rows] == [1, 2]
    assert capfd.readouterr() == ("", "")
    check(source(split="validation"), data=tmp_path, axis="x")
    with pytest.raises(PromptError, match=r"dataset 'hh' .*'train'.* cannot be loaded: .*; put"):
        read(source(split="train"), tmp_path)


def test_without_network_a_hub_dataset_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    holders = (datasets.config, huggingface_hub.constants)
    before = [holder.HF_HUB_OFFLINE for holder in holders]
    wanted = source("no-such-owner/no-such-dataset", data_dir="harmless-base")
    with pytest.raises(PromptError) as caught:
        read(wanted, tmp_path)
    assert "no-such-owner/no-such-dataset" in str(caught.value)
    assert "`network = true`" in str(caught.value)
    assert "local folder" in str(caught.value)
    assert "\n" not in str(caught.value)
    # What belongs to the whole process is as it was.
    assert [holder.HF_HUB_OFFLINE for holder in holders] == before
    assert "HF_HUB_OFFLINE" not in os.environ
    check(wanted, data=tmp_path, axis="x")  # says nothing of what only a load can tell


def test_folders_that_cannot_be_are_refused_at_once(tmp_path):
    with pytest.raises(PromptError, match="there is no such folder"):
        check(source("./nowhere"), data=tmp_path, axis="x")
    with pytest.raises(PromptError, match="there is no such folder"):
        check(source(str(tmp_path / "nowhere")), data=tmp_path, axis="x")
    (tmp_path / "hh").write_text("")
    with pytest.raises(PromptError, match="is a file"):
        check(source(), data=tmp_path, axis="x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PromptError, match="no data files"):
        check(source("empty"), data=tmp_path, axis="x")


def test_nothing_heavy_is_imported():
    code = (
        "import sys, alignment.prompts\n"
        "heavy = {'torch', 'pandas', 'datasets', 'huggingface_hub', 'transformers', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.strip() == "[]"


def test_a_file_is_named_by_its_bytes(tmp_path):
    (tmp_path / "a.jsonl").write_text("{}")
    (tmp_path / "b.jsonl").write_text("{}")
    names = [identity(FileSource(source="file", path=f"{n}.jsonl"), data=tmp_path) for n in "ab"]
    assert names[0] == names[1]
    (tmp_path / "b.jsonl").write_text("{ }")
    assert identity(FileSource(source="file", path="b.jsonl"), data=tmp_path) != names[0]
    memo = identity(
        FileSource(source="file", path="a.jsonl"), data=tmp_path, hash_file=lambda path: path.name
    )
    assert memo == "file@a.jsonl"
    with pytest.raises(PromptError, match="no such file"):
        identity(FileSource(source="file", path="c.jsonl"), data=tmp_path)


def test_a_folder_is_named_by_what_is_read_of_it(clone):
    one, other = source(data_dir="harmless-base"), source(data_dir="helpful-base")
    name = identity(one, data=clone)
    assert name == identity(source(str(clone / "hh"), data_dir="harmless-base"), data=Path("/"))
    (clone / "hh" / "README.md").write_text("not read")
    (clone / "hh" / "helpful-base" / "test.jsonl.gz").write_bytes(b"other")
    assert identity(one, data=clone) == name
    before = identity(source(split="all"), data=clone)
    assert before != name
    (clone / "hh" / ".git").write_text("hidden")
    assert identity(source(split="all"), data=clone) == before
    (clone / "hh" / "more.csv").write_text("x")
    assert identity(source(split="all"), data=clone) != before
    assert identity(other, data=clone) != name


def test_a_hub_dataset_is_named_by_its_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    hub = source("Anthropic/hh-rlhf", data_dir="harmless-base")
    start = "Anthropic/hh-rlhf:harmless-base:test@"
    assert identity(hub, data=tmp_path) == start + "unpinned"
    pinned = source("Anthropic/hh-rlhf", data_dir="harmless-base", revision=COMMIT)
    assert identity(pinned, data=tmp_path) == start + COMMIT
    tagged = source("Anthropic/hh-rlhf", data_dir="harmless-base", revision="v1")
    assert identity(tagged, data=tmp_path) == start + "v1"
    refs = tmp_path / "cache" / "datasets--Anthropic--hh-rlhf" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text(COMMIT + "\n")
    assert identity(hub, data=tmp_path) == start + COMMIT
    monkeypatch.delenv("HF_HUB_CACHE")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    (tmp_path / "cache").rename(tmp_path / "hub")
    assert identity(hub, data=tmp_path) == start + COMMIT


def test_the_built_in_corpus_is_named_by_its_code(tmp_path):
    names = {
        identity(TinySource(source="tiny", split=split, unfiltered=whole), data=tmp_path)
        for split in ("train", "test")
        for whole in (False, True)
    }
    assert len(names) == 4
    assert len({name.split("@")[1] for name in names}) == 1


def test_labels_are_spelled_as_in_the_profile():
    assert label(source("a/b", data_dir="c", split="train")) == "a/b/c/train"
    assert label(source("a/b")) == "a/b/test"


def test_a_folder_gives_its_rows_and_not_those_of_one_that_looked_like_it(tmp_path):
    """`datasets` knows files by name and time, which archives and build systems give alike."""
    path = tmp_path / "hh" / "train.csv"
    path.parent.mkdir()
    for word in ("one", "two"):
        path.write_text(f"prompt,chosen\nHuman: {word},x\n")
        os.utime(path, ns=(10**18, 10**18))
        (row,) = load(source(split="train"), path.parent, network=False)
        assert row["prompt"] == f"Human: {word}"
