"""Weights in several files: what an index says, what is loaded, and what the identity covers."""

import json
import runpy
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from alignment.checkpoints.loading import check_whole, load_causal, load_classifier

WHOLE = runpy.run_path(str(Path(__file__).with_name("test_whole_models.py")))
LLAMA, saved, look, refusal = (WHOLE[name] for name in ("LLAMA", "saved", "look", "refusal"))
INDEX = "model.safetensors.index.json"
PARTS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
MATRIX = "model.layers.1.mlp.up_proj.weight"
NOTHING = object()


@pytest.fixture(scope="module")
def llama(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama")
    saved("llama", tokenizer, folder, **LLAMA)
    return folder


def sharded(whole, folder, *, metadata=NOTHING, listed=lambda parts: parts, gone=()):
    """The same model in two files; `listed` changes its index, `gone` tensors are in no file."""
    shutil.copytree(whole, folder)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {name: PARTS[number % 2] for number, name in enumerate(names)}
    for file in PARTS:
        inside = {name: weights[name] for name in names if parts[name] == file}
        save_file({n: v for n, v in inside.items() if n not in gone}, folder / file)
    index = {"weight_map": listed(parts)}
    if metadata is not NOTHING:
        index["metadata"] = metadata
    (folder / INDEX).write_text(json.dumps(index))
    return folder


ODD = {
    "no metadata": {},
    "metadata of null": {"metadata": None},
    "a list of metadata": {"metadata": [1]},
    "a text as metadata": {"metadata": "total_size"},
    "a dtype that torch does not have": {"metadata": {"dtype": "float99"}},
    "a tensor that is not listed": {
        "listed": lambda parts: {n: file for n, file in parts.items() if n != MATRIX}
    },
    "a tensor that is listed in another file": {
        "listed": lambda parts: parts | {MATRIX: next(f for f in PARTS if f != parts[MATRIX])}
    },
    "a listed tensor that no model needs": {"listed": lambda parts: {**parts, "x.y": PARTS[0]}},
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_index_leaves_the_model_what_it_is(llama, tmp_path, name):
    folder = sharded(llama, tmp_path / "model", **ODD[name])
    check_whole(look(folder), judge=False)
    loaded, plain = (load_causal(look(each), "float32") for each in (folder, llama))
    torch.testing.assert_close(loaded.state_dict(), plain.state_dict())
    assert look(folder).identity == look(llama).identity
    assert loaded.name_or_path == loaded.config.name_or_path == str(folder)


def test_a_dtype_is_never_taken_from_an_index(llama, tmp_path):
    folder = sharded(llama, tmp_path / "model", metadata={"dtype": "float99"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": None}))
    check_whole(look(folder), judge=False)
    assert load_causal(look(folder), "float32").dtype == torch.float32


def test_a_judge_is_loaded_by_an_index_without_metadata(tokenizer, tmp_path):
    auto = AutoModelForSequenceClassification
    model = saved("llama", tokenizer, tmp_path / "judge", auto, **LLAMA, num_labels=1)
    folder = sharded(tmp_path / "judge", tmp_path / "parts")
    check_whole(look(folder, judge=True), judge=True)
    loaded = load_classifier(look(folder, judge=True), "float32")
    torch.testing.assert_close(loaded.state_dict(), model.state_dict())


def test_an_index_that_the_configuration_names_needs_no_metadata(llama, tmp_path):
    folder = sharded(llama, tmp_path / "model")
    (folder / INDEX).rename(folder / "other.safetensors.index.json")
    config = json.loads((folder / "config.json").read_text())
    config["transformers_weights"] = "other.safetensors.index.json"
    (folder / "config.json").write_text(json.dumps(config))
    loaded, plain = (load_causal(look(each), "float32") for each in (folder, llama))
    torch.testing.assert_close(loaded.state_dict(), plain.state_dict())


@pytest.mark.parametrize("metadata", [{}, None], ids=["metadata", "null"])
def test_a_listed_tensor_that_is_in_no_file_is_missing(llama, tmp_path, metadata):
    folder = sharded(llama, tmp_path / "model", metadata=metadata, gone=(MATRIX,))
    assert f"1 missing, which would be random ({MATRIX})" in refusal(folder)


def test_a_file_that_an_index_does_not_name_is_in_no_model(llama, tmp_path):
    folder = sharded(llama, tmp_path / "model")
    before = look(folder).identity
    save_file({MATRIX: torch.ones(64, 32)}, folder / "model-00003-of-00003.safetensors")
    assert look(folder).identity == before
    loaded, plain = (load_causal(look(each), "float32") for each in (folder, llama))
    torch.testing.assert_close(loaded.state_dict(), plain.state_dict())


def test_a_change_of_a_tensor_that_is_not_listed_is_a_change_of_the_model(llama, tmp_path):
    folder = sharded(llama, tmp_path / "model", **ODD["a tensor that is not listed"])
    before = look(folder).identity
    file = next(folder / name for name in PARTS if MATRIX in load_file(folder / name))
    save_file(load_file(file) | {MATRIX: torch.ones(64, 32)}, file)
    assert look(folder).identity != before
    assert load_causal(look(folder), "float32").state_dict()[MATRIX].eq(1).all()


def test_a_tensor_in_two_files_is_refused(llama, tmp_path):
    folder = sharded(llama, tmp_path / "model")
    file = next(folder / name for name in PARTS if MATRIX not in load_file(folder / name))
    save_file(load_file(file) | {MATRIX: torch.ones(64, 32)}, file)
    assert "another file of the weights; one of each tensor is required" in refusal(folder)
