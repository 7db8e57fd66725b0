"""Model folders, looked at without torch."""

import json
import subprocess
import sys

import pytest
from numpy import zeros
from safetensors.numpy import save_file

from alignment.checkpoints import examine, locate
from alignment.errors import ModelError
from alignment.store import content


def look(folder, *, judge=False):
    return examine(folder, judge=judge, network=False, hasher=content)


def refusal(folder, *, judge=False):
    with pytest.raises(ModelError) as raised:
        look(folder, judge=judge)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.fixture
def model(tmp_path, model_folder):
    return model_folder(tmp_path / "model")


@pytest.fixture
def adapter(tmp_path, model):
    """Makes an adapter's folder over another."""

    def make(name, parent=model, **config):
        folder = tmp_path / name
        folder.mkdir()
        settings = {"peft_type": "LORA", "r": 8, "base_model_name_or_path": str(parent)}
        (folder / "adapter_config.json").write_text(json.dumps(settings | config))
        save_file({name: zeros((2, 4), dtype="float32")}, folder / "adapter_model.safetensors")
        return folder

    return make


def test_a_policy_and_a_judge(model, tmp_path, model_folder):
    assert look(model).folder == look(model).outermost == model
    judge = model_folder(tmp_path / "judge", judge=True)
    assert look(judge, judge=True).identity != look(model).identity


def test_equal_content_is_the_same_model_wherever_it_lies(model, tmp_path, model_folder):
    assert look(model_folder(tmp_path / "elsewhere")).identity == look(model).identity


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_every_file_that_matters_is_in_the_identity(model, file):
    before = look(model).identity
    path = model / file
    if file == "model.safetensors":
        raw = bytearray(path.read_bytes())
        raw[-1] ^= 1
        path.write_bytes(raw)
    else:
        told = json.loads(path.read_text())
        path.write_text(json.dumps(told, indent=1))
        assert look(model).identity == before  # how it is set says nothing
        path.write_text(json.dumps(told | {"new": 1}))
    assert look(model).identity != before


def test_what_does_not_matter_is_not(model):
    before = look(model).identity
    (model / "README.md").write_text("A model.")
    (model / "training_args.bin").write_bytes(b"pickled")
    assert look(model).identity == before


def test_weights_in_parts(model):
    (model / "model.safetensors").rename(model / "part-1.safetensors")
    index = model / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "part-1.safetensors"}}))
    assert look(model).folder == model
    index.write_text(json.dumps({"weight_map": {"a": "part-2.safetensors"}}))
    assert refusal(model).endswith("its index names part-2.safetensors, which is not there")
    index.write_text(json.dumps({"weight_map": ["part-1.safetensors"]}))
    assert refusal(model).endswith("model.safetensors.index.json has no weight_map")


def test_an_adapter_over_an_adapter(model, adapter):
    inner = adapter("inner")
    outer = adapter("outer", inner)
    found = look(outer)
    assert (found.folder, found.adapters) == (model, (inner, outer))
    assert found.outermost == outer
    assert len({look(folder).identity for folder in (model, inner, outer)}) == 3


def test_an_adapter_is_known_by_its_base_and_not_by_where_that_lies(model, adapter, tmp_path):
    before = look(adapter("one")).identity
    model.rename(tmp_path / "moved")
    again = adapter("two", tmp_path / "moved")
    save_file({"one": zeros((2, 4), dtype="float32")}, again / "adapter_model.safetensors")
    assert look(again).identity == before


def test_adapters_that_lie_over_themselves(tmp_path, adapter):
    itself = adapter("itself", tmp_path / "itself")
    assert refusal(itself).endswith(
        "the adapter names itself as its base; see base_model_name_or_path"
    )
    adapter("left", tmp_path / "right")
    right = adapter("right", tmp_path / "left")
    assert refusal(right).endswith(
        "the adapter names itself as its base; see base_model_name_or_path"
    )


def test_an_adapter_without_weights_or_base(adapter):
    folder = adapter("bare")
    (folder / "adapter_model.safetensors").unlink()
    assert refusal(folder).endswith("an adapter without adapter_model.safetensors")
    folder = adapter("lost", base_model_name_or_path=None)
    assert refusal(folder).endswith("adapter_config.json names no base_model_name_or_path")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            {"model_type": "theirs", "auto_map": {"AutoConfig": "a.B"}},
            (
                "needs code of its own (auto_map in config.json); remote code is never run, "
                "whatever the profile says: convert it to a model that transformers has, or serve "
                "it and name its `endpoint`"
            ),
        ),
        ({"architectures": ["OPTModel"]}, "is a OPTModel; a causal language model is required"),
        ({"model_type": None}, "config.json has no model_type"),
        (
            {"vocab_size": 9},
            (
                "vocabulary and weights do not fit: config.json has vocab_size 9, "
                "the embedding matrix 8 rows; after resize_token_embeddings save model and config "
                "together (model.save_pretrained)"
            ),
        ),
        (
            {"tokens": 9},
            (
                "vocabulary and weights do not fit: the tokenizer has token 8, the embedding "
                "matrix 8 rows; save the model after resize_token_embeddings, or the tokenizer "
                "that it was trained with"
            ),
        ),
    ],
)
def test_what_is_refused(tmp_path, model_folder, config, reason):
    folder = model_folder(tmp_path / "model", **config)
    text = refusal(folder)
    assert text.startswith(f"model {folder}: ")
    assert text.endswith(reason)


def test_rows_beyond_the_tokenizer_are_padding(tmp_path, model_folder):
    assert look(model_folder(tmp_path / "padded", tokens=8, rows=64)).identity


@pytest.mark.parametrize("labels", [{"num_labels": 1, "id2label": None}, {"id2label": {"0": "a"}}])
def test_a_judge_with_one_output(tmp_path, model_folder, labels):
    assert look(model_folder(tmp_path / "judge", judge=True, **labels), judge=True).identity


@pytest.mark.parametrize(
    "labels", [{"num_labels": 2, "id2label": None}, {"id2label": {"0": "a", "1": "b"}}]
)
def test_a_judge_with_two_outputs(tmp_path, model_folder, labels):
    folder = model_folder(tmp_path / "judge", judge=True, **labels)
    assert refusal(folder, judge=True).endswith(
        "a reward model with one is required, or judge.outputs that name them"
    )


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("config.json", None, "a model folder needs config.json"),
        ("config.json", "{", "config.json is no JSON ("),
        ("config.json", "[]", "config.json is not a JSON object"),
        ("tokenizer.json", None, "no tokenizer; "),
        ("tokenizer.json", '{"model": null}', "tokenizer.json is not a tokenizer file"),
        ("tokenizer.json", '{"added_tokens": [1]}', "tokenizer.json is not a tokenizer file"),
        ("model.safetensors", None, "no weights; model.safetensors is required"),
        ("model.safetensors", "short", "model.safetensors is damaged: "),
        ("model.safetensors", "", "model.safetensors is damaged: "),
    ],
)
def test_files_that_are_missing_or_damaged(model, file, content, reason):
    (model / file).unlink()
    if content is not None:
        (model / file).write_text(content)
    assert reason in refusal(model)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "last.ckpt"])
def test_pickles_are_refused_by_name(model, name):
    (model / "model.safetensors").rename(model / name)
    assert f"weights only as pickle ({name})" in refusal(model)


def test_where_a_model_is(model, tmp_path):
    assert locate(str(model), revision=None, network=False) == model
    for spec, reason in (
        (str(tmp_path / "none"), "no such folder"),
        ("./none", "no such folder"),
        ("none", "no such folder"),
        (str(model / "config.json"), "is a JSON file; name the folder that it lies in"),
        ("nobody/nothing", "neither a folder nor in the hub's cache; "),
    ):
        with pytest.raises(ModelError, match=reason):
            locate(spec, revision=None, network=False)


def test_looking_needs_no_torch(model):
    script = """
import sys
from pathlib import Path
from alignment.checkpoints import examine
from alignment.store import content
examine(Path(sys.argv[1]), judge=False, network=False, hasher=content)
assert not {"torch", "transformers"} & sys.modules.keys()
"""
    done = subprocess.run([sys.executable, "-c", script, str(model)], check=False)
    assert done.returncode == 0
