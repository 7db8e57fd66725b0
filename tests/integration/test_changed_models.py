"""Models that were changed or damaged since they were looked at: never old answers, never others.

Real micro models over a real store; what is compared are the answers and scores that come out.
"""

import os
import subprocess

import pytest

from alignment.errors import ModelError
from alignment.store import files
from alignment.training import models
from alignment.training.context import JUDGE
from alignment.training.keys import recipe_key

LONG_AGO = 10**18


@pytest.fixture
def small(micro):
    """A profile of a loaded policy and judge, and of one trained on another: few prompts."""

    def study(root, folder):
        variants = {"candidate": {"model": str(folder / "policy")}}
        judge = {"model": str(folder / "judge"), "max_length": 128}
        return micro.study(root, sample=4, variants=variants, judge=judge)

    return study


def cases(study):
    study.want(study.keys())
    return [study.case(*key) for key in list(study.keys())]


def told(found):
    return [(case.response.text, case.value) for case in found]


def dated(folder):
    """Give every file the time that archives and build systems give."""
    for path in folder.rglob("*"):
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
    return folder


def unpacked(old, new):
    """Put a folder's files in the place of another's, as `tar` does: sizes and times are equal."""
    archive = new.parent / "a.tar"
    subprocess.run(["tar", "-C", new, "-cf", archive, "."], check=True)
    subprocess.run(["tar", "-C", old, "--overwrite", "-xf", archive], check=True)


@pytest.fixture
def folder(micro, tokenizer, tmp_path):
    """A policy and a judge, in files of long ago."""
    micro.policy(tokenizer, tmp_path / "m" / "policy", seed=1)
    micro.judge(tokenizer, tmp_path / "m" / "judge", seed=2)
    return dated(tmp_path / "m")


@pytest.mark.parametrize("part", ["policy", "judge"])
def test_another_model_of_one_size_and_time_is_asked(
    small, micro, tokenizer, tmp_path, folder, part
):
    first = told(cases(small(tmp_path / "store", folder)))
    make = micro.policy if part == "policy" else micro.judge
    make(tokenizer, tmp_path / "new", seed=7)
    weights = folder / part / "model.safetensors"
    before = weights.stat()
    unpacked(folder / part, dated(tmp_path / "new"))
    after = weights.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    second = told(cases(small(tmp_path / "store", folder)))
    assert second != first
    assert second == told(cases(small(tmp_path / "fresh", folder)))


def test_a_model_that_changes_under_way_is_an_error(small, micro, tokenizer, tmp_path, folder):
    """Looked at, then replaced, then opened: its answers would be kept as the first one's."""
    study = small(tmp_path / "store", folder)
    assert study.policy("candidate").identity()
    micro.policy(tokenizer, tmp_path / "new", seed=7)
    unpacked(folder / "policy", dated(tmp_path / "new"))
    study.want(study.keys())
    with pytest.raises(ModelError, match="is not what it was when this run looked at it"):
        study.case(*next(study.keys()))
    assert study.store.values("response") == []
    again = small(tmp_path / "store", folder)
    assert told(cases(again)) == told(cases(small(tmp_path / "fresh", folder)))


@pytest.mark.parametrize("name", ["candidate", JUDGE])
def test_a_model_that_changes_while_it_is_asked_is_an_error(small, tmp_path, folder, name):
    """Weights in memory may be those in the file: overwritten in place, they change."""
    study = small(tmp_path / "store", folder)
    if name == "candidate":
        worker = study.policy(name).open()
        batches = worker.respond([("Human: a?", 0)], {0})
        path = folder / "policy" / "model.safetensors"
    else:
        worker = study.judge(name).open()
        batches = worker.score([("Human: a?", "b")], {0})
        path = folder / "judge" / "model.safetensors"
    flipped(path, -9000)
    with pytest.raises(ModelError, match=r"model\.safetensors was written meanwhile; run again"):
        next(batches)


# -- trained models ----------------------------------------------------------------------------


def trained(micro, root):
    variants = micro.profile().variants
    chosen = {name: variants[name].model_dump() for name in ("base", "sft", "dpo")}
    study = micro.study(root, sample=4, variants=chosen)
    notes = []
    for store in (study.store, study.context.store):
        store.note = notes.append
    return study, notes


@pytest.fixture(scope="module")
def original(micro, tmp_path_factory):
    """A store in which models were trained and everything was answered; and what came out."""
    root = tmp_path_factory.mktemp("trained") / "store"
    study, notes = trained(micro, root)
    found = told(cases(study))
    assert notes == []
    study.store.close()
    return root, found


@pytest.fixture
def copy(original, tmp_path):
    """A copy of it to damage."""
    root = tmp_path / "store"
    subprocess.run(["cp", "-r", original[0], root], check=True)
    return root


def flipped(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 64
    path.write_bytes(data)


DAMAGE = {
    "weights": ("sft", "model.safetensors", -5000),
    "base's weights": ("base", "model.safetensors", -5000),
    "tokenizer": ("sft", "tokenizer.json", -200),
    "judge": ("judge", "model.safetensors", -5000),
    "manifest": ("sft", "manifest.json", 10),
}


@pytest.mark.parametrize(("name", "file", "place"), DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("kept", [True, False], ids=["answers kept", "answers gone"])
def test_a_trained_model_that_was_damaged_is_named_set_aside_and_made_anew(
    micro, original, copy, name, file, place, kept
):
    study, notes = trained(micro, copy)
    key = recipe_key(study.context, name)
    flipped(copy / "models" / key / file, place)
    if not kept:
        study.store._db.execute("DELETE FROM entries WHERE kind IN ('response', 'score')")
    assert told(cases(study)) == original[1]
    assert [note for note in notes if f"models/{key} is damaged: {file}" in note]
    assert [path.name for path in (copy / "damaged").iterdir()] == [f"{key}.1"]
    assert study.store.manifest(key, files.Reading(study.store).file_hash) is not None
    study.store.close()
    again, notes = trained(micro, copy)
    assert told(cases(again)) == original[1]
    assert notes == []


def test_an_adapter_that_was_damaged_is_made_anew(micro, tmp_path):
    stage = {"trainer": "dpo", "data": "pairs", "args": micro.args, "lora": micro.lora}
    base = micro.profile().variants["base"].model_dump()
    variants = {"base": base, "lora": {"parent": "base", "stages": [stage]}}
    study = micro.study(tmp_path, sample=4, variants=variants)
    first = told(cases(study))
    key = recipe_key(study.context, "lora")
    flipped(tmp_path / "models" / key / "adapter_model.safetensors", -100)
    study.store._db.execute("DELETE FROM entries WHERE kind = 'response'")
    again = micro.study(tmp_path, sample=4, variants=variants)
    assert told(cases(again)) == first
    assert [path.name for path in (tmp_path / "damaged").iterdir()] == [f"{key}.1"]


def test_what_only_reading_all_of_it_shows_is_found_when_a_model_is_opened(
    micro, original, copy, monkeypatch
):
    """A bit flips on the disk: no time tells it, and no page of the sample."""
    monkeypatch.setattr(files, "SMALL", 0)
    monkeypatch.setattr(files, "SETTLED", 0)
    monkeypatch.setattr(files, "_HEAD", 0)
    monkeypatch.setattr(files, "_PAGES", 1)
    study, _ = trained(micro, copy)
    key = recipe_key(study.context, "sft")
    weights = copy / "models" / key / "model.safetensors"
    assert told(cases(study)) == original[1]
    flipped(weights, -9000)
    state = files._state(weights.stat())
    study.store._db.execute(
        "UPDATE hashes SET state = ? WHERE path LIKE ?",
        (files._text(state), f"%{key}/model.safetensors%"),
    )
    study.store._db.execute("DELETE FROM entries WHERE kind = 'response'")
    again, notes = trained(micro, copy)
    assert models.find(again.context, "sft") is not None, "remembered"
    assert told(cases(again)) == original[1]
    assert [note for note in notes if f"models/{key} is damaged: model.safetensors" in note]


def test_damaged_answers_and_scores_are_made_anew(micro, original, copy):
    study, notes = trained(micro, copy)
    study.store._db.execute(
        "UPDATE entries SET value = replace(value, 'e', 'i') WHERE kind = 'response'"
    )
    study.store._db.execute("UPDATE entries SET value = '{' WHERE kind = 'score'")
    assert told(cases(study)) == original[1]
    assert any("response record" in note for note in notes)
    assert any("score record" in note for note in notes)
