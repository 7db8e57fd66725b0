"""Model folders that cannot be used: a usage error before the run, found without torch.

What is looked at in a folder has its tests in `tests/unit/test_checkpoints.py`.
"""

import shutil


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
    model_folder(world_of_models.path / "model", auto_map={"AutoModel": "theirs.Model"})
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


def _text(world):
    return (world.path / "models.toml").read_text()
