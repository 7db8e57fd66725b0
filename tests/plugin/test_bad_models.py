"""Model folders that cannot be used: a usage error before the run, found without torch.

What is looked at in a folder has its tests in `tests/unit/checkpoints/test_folders.py`.
"""

import json
import os
import shutil

import pytest


def test_a_folder_that_is_missing(world_of_models, refused):
    shutil.rmtree(world_of_models.path / "model")
    world_of_models.write("models.toml", _text(world_of_models).replace('"model"', '"./model"'))
    line = refused(profile="models.toml")
    assert line == "ERROR: variants.candidate: model ./model: no such folder"


def test_weights_that_are_missing(world_of_models, refused):
    (world_of_models.path / "model" / "model.safetensors").unlink()
    line = refused(profile="models.toml")
    assert line == (
        "ERROR: variants.candidate: model model: no weights; model.safetensors is required"
    )


def test_weights_that_are_pickles(world_of_models, refused):
    weights = world_of_models.path / "model" / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    line = refused(profile="models.toml")
    assert line.startswith(
        "ERROR: variants.candidate: model model: weights only as pickle (pytorch_model.bin), "
    )


def test_code_of_its_own(world_of_models, model_folder, refused):
    own = {"model_type": "theirs", "auto_map": {"AutoModelForCausalLM": "theirs.Model"}}
    model_folder(world_of_models.path / "model", **own)
    line = refused(profile="models.toml")
    assert line == (
        "ERROR: variants.candidate: model model: needs code of its own (auto_map in config.json); "
        "remote code is never run, whatever the profile says: convert it to a model that "
        "transformers has, or serve it and name its `endpoint`"
    )


def test_a_judge_that_is_no_sequence_classifier(world_of_models, model_folder, refused):
    model_folder(world_of_models.path / "judge")
    line = refused(profile="models.toml")
    assert line == (
        "ERROR: judge: model judge: is a OPTForCausalLM; a sequence classifier is required"
    )


def test_a_judge_with_two_outputs(world_of_models, model_folder, refused):
    model_folder(world_of_models.path / "judge", judge=True, id2label=None)
    line = refused(profile="models.toml")
    assert line == (
        "ERROR: judge: model judge: has 2 outputs; a reward model with one is required, or "
        "judge.outputs that name them"
    )


def test_a_vocabulary_that_does_not_fit(world_of_models, model_folder, refused):
    model_folder(world_of_models.path / "model", tokens=12)
    line = refused(profile="models.toml")
    assert line == (
        "ERROR: variants.candidate: model model: vocabulary and weights do not fit: "
        "the tokenizer has token 11, the embedding matrix 8 rows; save the model after "
        "resize_token_embeddings, or the tokenizer that it was trained with"
    )


def test_a_path_that_cannot_be_looked_at(world_of_models, refused):
    name = "x" * 300
    line = refused("--alignment-set", f"variants.candidate.model={name}", profile="models.toml")
    assert line == f"ERROR: {name}: File name too long"


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("config.json", DEEP, "config.json is no JSON that can be read: nested deeper than 100"),
        (
            "model.safetensors.index.json",
            '{"weight_map": {"a": "pytorch_model.bin"}}',
            "only files that end in .safetensors are loaded by it",
        ),
        ("config.json", {"_attn_implementation": "owner/kernel"}, "has code fetched from the hub"),
        ("config.json", {"num_hidden_layers": 10**9}, "far beyond its weights"),
        ("chat_template.jinja", "{% include 'x' %}", "its chat template reads another one"),
    ],
)
def test_hostile_folders(world_of_models, refused, file, content, reason):
    model = world_of_models.path / "model"
    if file.endswith("index.json"):
        (model / "model.safetensors").rename(model / "pytorch_model.bin")
    if isinstance(content, dict):
        content = json.dumps(json.loads((model / file).read_text()) | content)
    (model / file).write_text(content)
    chat = ("--alignment-set", "generation.format=chat") if file.endswith("jinja") else ()
    line = refused(*chat, profile="models.toml")
    assert line.startswith("ERROR: variants.candidate: model model: ")
    assert reason in line
    assert len(line) <= 500


def test_a_pipe_does_not_stop_a_run(world_of_models):
    config = world_of_models.path / "model" / "config.json"
    config.unlink()
    os.mkfifo(config)
    result = world_of_models.run(profile="models.toml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert (
        "ERROR: variants.candidate: model model: config.json cannot be read: it is a FIFO, and a "
        "regular file is required" in result.stderr.str()
    )


def _text(world):
    return (world.path / "models.toml").read_text()
