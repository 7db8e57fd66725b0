"""Matrices that a configuration ties: one, or two that are alike, and never two that differ."""

import json
import runpy
from pathlib import Path

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from alignment.checkpoints.loading import check_whole, load_causal
from alignment.training.start import save

WHOLE = runpy.run_path(str(Path(__file__).with_name("test_whole_models.py")))
LLAMA, OPT = WHOLE["LLAMA"], WHOLE["ENGINE"]["OPT"]
saved, look, opened, damaged, refusal = (
    WHOLE[name] for name in ("saved", "look", "opened", "damaged", "refusal")
)
IDS = torch.tensor([[5, 3, 7, 90, 150, 250, 2]])
INPUTS = {"llama": "model.embed_tokens.weight", "opt": "model.decoder.embed_tokens.weight"}


@pytest.fixture(scope="module")
def bases(tokenizer, tmp_path_factory):
    """Type -> the folder of a language model whose embeddings are tied."""
    root = tmp_path_factory.mktemp("tied")
    saved("llama", tokenizer, root / "llama", **LLAMA, tie_word_embeddings=True)
    saved("opt", tokenizer, root / "opt", **OPT)
    return {kind: root / kind for kind in INPUTS}


def beside(name, change):
    """An output matrix made of the embeddings of this name."""
    return lambda weights: {**weights, "lm_head.weight": change(weights[name].clone())}


def last_row(weight):
    weight[-1, -1] += 1
    return weight


def logits(model):
    with torch.inference_mode():
        return model(input_ids=IDS).logits


@pytest.mark.parametrize("kind", INPUTS)
def test_an_output_matrix_that_differs_is_not_used_without_a_word(bases, tmp_path, kind):
    change = beside(INPUTS[kind], last_row)
    text = refusal(damaged(bases[kind], tmp_path / "model", change, {}))
    assert f"lm_head.weight is {INPUTS[kind]}, and its weights hold two that differ" in text


def test_every_part_of_the_matrices_is_compared(bases, tmp_path, monkeypatch):
    monkeypatch.setattr("alignment.checkpoints.tied._ROWS", 7)
    change = beside(INPUTS["llama"], last_row)
    assert "two that differ" in refusal(damaged(bases["llama"], tmp_path / "model", change, {}))
    same = damaged(bases["llama"], tmp_path / "same", beside(INPUTS["llama"], lambda w: w), {})
    check_whole(look(same), judge=False)


@pytest.mark.parametrize("kind", INPUTS)
def test_a_copy_of_the_embeddings_is_common(bases, tmp_path, kind):
    copied = damaged(bases[kind], tmp_path / "copied", beside(INPUTS[kind], lambda w: w), {})
    check_whole(look(copied), judge=False)
    torch.testing.assert_close(
        opened(copied)._model.state_dict(), opened(bases[kind])._model.state_dict()
    )


def test_copies_of_two_types_that_say_the_same_are_alike(bases, tmp_path):
    name = INPUTS["llama"]
    folder = damaged(
        bases["llama"],
        tmp_path / "model",
        lambda weights: (
            weights
            | {name: weights[name].bfloat16(), "lm_head.weight": weights[name].bfloat16().float()}
        ),
        {},
    )
    check_whole(look(folder), judge=False)
    model = opened(folder)._model
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_two_matrices_are_as_good_where_the_configuration_says_so(bases, tmp_path):
    fields = {"tie_word_embeddings": False}
    change = beside(INPUTS["llama"], last_row)
    folder = damaged(bases["llama"], tmp_path / "model", change, fields)
    check_whole(look(folder), judge=False)
    assert opened(folder)


def test_two_matrices_in_two_files_are_compared(bases, tmp_path):
    folder = damaged(bases["llama"], tmp_path / "model", beside(INPUTS["llama"], last_row), {})
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    output = {"lm_head.weight": weights.pop("lm_head.weight")}
    save_file(weights, folder / "one.safetensors")
    save_file(output, folder / "two.safetensors")
    listed = dict.fromkeys(weights, "one.safetensors") | dict.fromkeys(output, "two.safetensors")
    index = {"metadata": {}, "weight_map": listed}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "two that differ" in refusal(folder)


def test_a_judge_that_reads_twice_reads_with_one_matrix(tokenizer, tmp_path):
    sides = ("encoder", "decoder")
    fields = {f"{side}_layers": 1 for side in sides} | {f"{s}_attention_heads": 4 for s in sides}
    auto = AutoModelForSequenceClassification
    saved("bart", tokenizer, tmp_path / "whole", auto, **fields, d_model=32, num_labels=1)
    inside, shared = "model.encoder.embed_tokens.weight", "model.shared.weight"
    for name, change in {"copied": lambda w: w, "other": last_row}.items():
        damaged(
            tmp_path / "whole",
            tmp_path / name,
            lambda weights, c=change: {**weights, inside: c(weights[shared].clone())},
            {},
        )
    assert opened(tmp_path / "copied", judge=True)
    assert f"{inside} is {shared}, and" in refusal(tmp_path / "other", judge=True)


@pytest.mark.parametrize(
    "config",
    [
        peft.LoraConfig(r=4, target_modules=["q_proj"], modules_to_save=["lm_head"]),
        peft.LoraConfig(r=4, target_modules=["lm_head", "q_proj"]),
        peft.LoraConfig(r=4, target_modules=["embed_tokens", "q_proj"]),
    ],
    ids=["the output whole", "the output", "the embeddings"],
)
def test_what_a_stage_merges_is_read_by_the_next(bases, tokenizer, tmp_path, config):
    config.task_type = "CAUSAL_LM"
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(bases["llama"]), config)
        for _, weight in sorted(model.named_parameters()):
            if weight.requires_grad:
                weight.data += 0.2 * torch.randn_like(weight)
    expected = logits(model.eval())
    save(model, tokenizer, tmp_path / "merged", None, merge=True)
    check_whole(look(tmp_path / "merged"), judge=False)
    loaded = load_causal(look(tmp_path / "merged"), "float32")
    torch.testing.assert_close(logits(loaded), expected, atol=1e-3, rtol=1e-3)
