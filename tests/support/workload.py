"""What the benchmarks of generation and scoring share: the work, the models, the clock."""

from __future__ import annotations

import json
import random
import statistics
import time
from functools import cache
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    PreTrainedTokenizerFast,
)

HERE = Path(__file__).parent
THREADS = 2
SHAPES = {
    "tiny": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab": 1200},
    "125M": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12},
    "350M": {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "word_embed_proj_dim": 512,
        "do_layer_norm_before": False,
    },
}
"""OPT's, with random weights."""

JUDGES = {
    "tiny": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2},
    "large": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16},
}
"""DeBERTa's, version 3."""


def lengths():
    """Tokens of each of the paper's 100 prompts; the prompts themselves are nobody's to ship."""
    return json.loads((HERE / "lengths.json").read_text())


def rows_of(size, vocabulary, seed=0):
    """Token ids, of these lengths and random: with random weights no words are better."""
    rng = random.Random(seed)
    return [[rng.randrange(8, vocabulary) for _ in range(length)] for length in size]


def words(vocabulary):
    """A tokenizer that reads `17 9 203` as these tokens."""
    pad, end = "<pad>", "</s>"
    names = {{1: pad, 2: end}.get(i, f"{i}"): i for i in range(vocabulary)}
    bare = Tokenizer(models.WordLevel(names, unk_token=end))
    bare.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=bare, eos_token=end, pad_token=pad)


def policy_of(name):
    fields = dict(SHAPES[name])
    vocabulary = fields.pop("vocab", 50272)
    hidden = fields["hidden_size"]
    fields = {"word_embed_proj_dim": hidden, "ffn_dim": 4 * hidden} | fields
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = AutoConfig.for_model(
            "opt", vocab_size=vocabulary, max_position_embeddings=2048, **fields
        )
        return AutoModelForCausalLM.from_config(config).eval()


def judge_of(name):
    fields = JUDGES[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = AutoConfig.for_model(
            "deberta-v2",
            vocab_size=4096,
            intermediate_size=4 * fields["hidden_size"],
            relative_attention=True,
            position_buckets=256,
            norm_rel_ebd="layer_norm",
            share_att_key=True,
            pos_att_type=["p2c", "c2p"],
            max_relative_positions=-1,
            position_biased_input=False,
            type_vocab_size=0,
            num_labels=1,
            pad_token_id=1,
            **fields,
        )
        return AutoModelForSequenceClassification.from_config(config).eval()


def timed(work):
    """(seconds, result)"""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def median_of(work, repeats):
    """(median seconds, the last result)"""
    runs = [timed(work) for _ in range(repeats)]
    return statistics.median(seconds for seconds, _ in runs), runs[-1][1]


# -- the floor -----------------------------------------------------------------------------------


@cache
def matrix_rate():
    """Operations per second of a large float32 matrix product, the best of some."""
    left, right = torch.randn(1024, 1024), torch.randn(1024, 4096)
    best = min(timed(lambda: left @ right)[0] for _ in range(12))
    return 2 * 1024 * 1024 * 4096 / best


@cache
def memory_rate():
    """Bytes per second that are read from memory, the best of some."""
    block = torch.ones(64 * 2**20)
    return block.nbytes / min(timed(block.sum)[0] for _ in range(6))


def floor(model, rows, new):
    """Seconds below which float32 on this machine cannot come: matrix products and reading memory.

    Every token goes once through all layers, every answer's tokens through the head; attention
    is counted as products in reading and as memory in decoding. Weights are read once per step.
    """
    config = model.config
    head = model.get_output_embeddings().weight.numel()
    layers = sum(p.numel() for p in model.model.decoder.layers.parameters())
    prompts, answers = sum(map(len, rows)), len(rows) * new
    width = config.num_hidden_layers * config.hidden_size
    reading = sum(2 * width * len(row) ** 2 for row in rows)
    operations = 2 * layers * (prompts + answers) + 2 * head * answers + reading
    past = sum(len(row) * new + new * (new + 1) // 2 for row in rows)
    read = 2 * 4 * width * past + 4 * (layers + head) * new
    return operations / matrix_rate() + read / memory_rate()
