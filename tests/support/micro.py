"""Micro models: real transformers models of a few thousand weights, made in a moment."""

import random
from types import SimpleNamespace

import torch
import transformers

from alignment.checkpoints import examine
from alignment.config.profile import Profile
from alignment.progress import Progress
from alignment.records import PreferencePair
from alignment.store import Store, content
from alignment.study.study import Study
from alignment.training.context import ModelContext
from alignment.training.data import TrainingData

ARCHITECTURE = {
    "model_type": "opt",
    "hidden_size": 16,
    "word_embed_proj_dim": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "ffn_dim": 32,
    "max_position_embeddings": 512,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "init_std": 0.4,  # far enough apart for answers to differ
}
LORA = {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj", "v_proj"]}
ARGS = {"max_steps": 3, "per_device_train_batch_size": 4, "learning_rate": 1e-2}
WORDS = ("rain", "snow", "wind", "sun", "cloud", "frost", "hail", "storm", "fog", "ice", "dew")


def sentence(rng):
    return " ".join(rng.choices(WORDS, k=rng.randint(2, 9)))


def lessons():
    rng = random.Random(1)
    pairs = [
        PreferencePair(
            f"Human: {sentence(rng)}?",
            f"Yes, {sentence(rng)}.",
            f"No {sentence(rng)}",
            "helpfulness",
            f"cluster{number}",
        )
        for number in range(12)
    ]
    chosen = [f"{pair.prompt}\n\nAssistant: {pair.chosen}" for pair in pairs]
    unfiltered = [*chosen, *(f"{pair.prompt}\n\nAssistant: {pair.rejected}" for pair in pairs)]
    return TrainingData(tuple(pairs), tuple(chosen), tuple(unfiltered))


def profile(**changes):
    """A profile whose variants and judge are trained in a few steps; `changes` replace keys."""

    def stage(trainer, data, **settings):
        return {"trainer": trainer, "data": data, "args": ARGS, **settings}

    axis = {
        "rate": "HpR",
        "threshold": 0.0,
        "comparison": ">",
        "prompts": {"origin": {"source": "tiny"}},
    }
    values = {
        "name": "micro",
        "device": "cpu",
        "threads": 1,
        "axes": {"helpfulness": axis},
        "variants": {
            "base": {"architecture": ARCHITECTURE, "stages": [stage("sft", "unfiltered")]},
            "sft": {"parent": "base", "stages": [stage("sft", "chosen")]},
            "dpo": {"parent": "base", "stages": [stage("dpo", "pairs", lora=LORA)]},
            "sft_dpo": {"parent": "sft", "stages": [stage("dpo", "pairs", lora=LORA)]},
        },
        "judge": {
            "parent": "base",
            "max_length": 128,
            "stages": [stage("reward", "pairs", degenerate=0.5)],
        },
        "generation": {"max_new_tokens": 6, "block": 8},
        "training": {"vocab_size": 300, "max_length": 128},
    }
    return Profile.model_validate(values | changes)


def context(root, profile, lessons, asked=None):
    """A model context over a store at `root`; `asked` are the study data with the prompts."""
    data = SimpleNamespace(
        prompts={} if asked is None else asked.prompts,
        steadily=None if asked is None else asked.steadily,
        training_data=lambda: lessons,
        training_digest=lessons.digest,
    )
    return ModelContext(profile, Store(root), data, Progress())


def study(root, sample=20, **changes):
    """A study of a few prompts of the built-in corpus, its lessons those of the micro models."""
    axis = {"threshold": 0.0, "comparison": ">"}
    prompts = {"origin": {"source": "tiny"}, "sample": sample}
    axes = {
        "harmlessness": {"rate": "HmR", "prompts": prompts, **axis},
        "helpfulness": {"rate": "HpR", "prompts": prompts, **axis},
    }
    made = Study(profile(axes=axes, **changes), Store(root), progress=Progress())
    made.context = context(root, made.profile, lessons(), made.data)
    return made


def _config(tokenizer, **fields):
    settings = {**ARCHITECTURE, **fields}
    return transformers.AutoConfig.for_model(
        settings.pop("model_type"),
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **settings,
    )


def _saved(kind, tokenizer, folder, seed, change, fields):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = getattr(transformers, kind).from_config(_config(tokenizer, **fields)).eval()
    if change is not None:
        change(model)
    model.save_pretrained(folder)
    tokenizer.backend_tokenizer.no_truncation()  # who used it last would be seen in its file
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.save_pretrained(folder)
    return model


def policy(tokenizer, folder, *, seed=0, change=None, **fields):
    """Save a random causal language model, `change`d before that; gives the model."""
    return _saved("AutoModelForCausalLM", tokenizer, folder, seed, change, fields)


def judge(tokenizer, folder, *, seed=0, change=None, **fields):
    """Save a random reward model, `change`d before that; gives the model."""
    fields = {"num_labels": 1, **fields}
    kind = "AutoModelForSequenceClassification"
    return _saved(kind, tokenizer, folder, seed, change, fields)


def checkpoint(folder, *, judge=False):
    """Look at a folder as a run would."""
    return examine(folder, judge=judge, network=False, hasher=content)
