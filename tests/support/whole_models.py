"""Small random models in folders, ways to damage them, and how a run looks at and opens them."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from alignment.checkpoints import examine
from alignment.checkpoints.loading import check_whole
from alignment.config.judges import JudgeConfig
from alignment.config.schema import Generation
from alignment.errors import ModelError
from alignment.judges import reward_model
from alignment.policies.huggingface import HuggingFacePolicy, PolicySettings
from alignment.store import content


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make().eval()


def saved(kind, tokenizer, folder, auto=AutoModelForCausalLM, **fields):
    """Save a random model with its tokenizer; gives the model."""
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos")}
    config = AutoConfig.for_model(
        kind,
        **{"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, **ids, **fields},
    )
    model = seeded(lambda: auto.from_config(config))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def look(folder, *, judge=False, outputs=0):
    return examine(folder, judge=judge, network=False, hasher=content, outputs=outputs)


def opened(folder, *, judge=False, **settings):
    """The policy or the judge of a folder, as a run opens it."""
    if judge:
        given = JudgeConfig.model_validate({"model": "./judge", "max_length": 32, **settings})
        return reward_model.RewardModelJudge(
            look(folder, judge=True, outputs=given.named),
            reward_model.JudgeSettings(given, device="cpu", threads=1),
        )
    return HuggingFacePolicy(
        look(folder),
        PolicySettings(Generation(max_new_tokens=4, **settings), device="cpu", threads=1),
    )


def refusal(folder, **settings):
    """The line with which a folder is refused before anything is answered."""
    with pytest.raises(ModelError) as caught:
        opened(folder, **settings)
    text = str(caught.value)
    judge = settings.get("judge", False)
    with pytest.raises(ModelError) as before:  # and before any other model answers
        check_whole(look(folder, judge=judge), judge=judge)
    assert str(before.value) == text
    assert "\n" not in text
    assert len(text.replace(str(folder), "")) <= 400
    assert str(folder) in text
    return text


def damaged(whole, folder, change, fields):
    shutil.copytree(whole, folder)
    weights = change(load_file(folder / "model.safetensors"))
    weights = {name: value.contiguous().clone() for name, value in weights.items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text()) | fields
    config = {key: value for key, value in config.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def without(*parts):
    return lambda weights: {
        name: value for name, value in weights.items() if not any(part in name for part in parts)
    }


def prefixed(prefix):
    return lambda weights: {prefix + name: value for name, value in weights.items()}


def renamed(old, new):
    return lambda weights: {name.replace(old, new): value for name, value in weights.items()}


def added(name, *shape):
    return lambda weights: {**weights, name: torch.ones(shape)}


def cast(part, dtype):
    return lambda weights: {
        name: value.to(dtype) if part in name else value for name, value in weights.items()
    }


def same(weights):
    return weights


def first_half(weights):
    return {name: weights[name] for name in sorted(weights)[: len(weights) // 2]}
