"""Scoring pairs against one pair at a time: the tiny world's judge, and two shapes of DeBERTa.

`ALIGNMENT_BENCHMARK=full` adds the large shape, of which a few pairs take a minute.
"""

import os
import random
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification
from workload import THREADS, judge_of, lengths, median_of, rows_of, words

from alignment.checkpoints import examine
from alignment.config.judges import JudgeConfig
from alignment.config.layers import resolve
from alignment.judges.reward_model import JudgeSettings, RewardModelJudge
from alignment.store import content
from alignment.tiny import rows as corpus
from alignment.training.tokenizer import train_tokenizer

FULL = os.environ.get("ALIGNMENT_BENCHMARK") == "full"
WORLD = "the tiny world's"
PAIRS = {WORLD: 400, "DeBERTa, tiny": 400, "DeBERTa, large": 10}
TWICE = 11
"""How many of the paper's 400 pairs are there twice."""


@dataclass
class Work:
    """A judge and what it is to score."""

    model: Any
    tokenizer: Any
    settings: JudgeConfig
    pairs: list[tuple[str, str]]


@pytest.fixture(params=list(PAIRS))
def name(request):
    if request.param == "DeBERTa, large" and not FULL:
        pytest.skip("takes minutes: set ALIGNMENT_BENCHMARK=full")
    before = torch.get_num_threads()
    yield request.param
    torch.set_num_threads(before)


def work_of(name, folder):
    """The judge of that name, with random weights, and its pairs."""
    if name == WORLD:
        return of_the_world(folder)
    settings = {"model": "./judge", "input": "pair"}
    shape = name.rpartition(" ")[2]
    return Work(judge_of(shape), words(4096), JudgeConfig(**settings), pairs_of(PAIRS[name]))


def of_the_world(folder):
    """The shape of the tiny profile's judge; its prompts with answers of its corpus."""
    profile = resolve(folder)
    texts = [row for axis in profile.axes for row in corpus("test", axis)]
    tokenizer = train_tokenizer([row["chosen"] for row in texts], profile.training.vocab_size)
    fields = dict(profile.variants["base"].architecture)
    config = AutoConfig.for_model(
        fields.pop("model_type"), vocab_size=len(tokenizer), num_labels=1, pad_token_id=1, **fields
    )
    halves = [row["chosen"].rsplit("\n\nAssistant: ", 1) for row in texts]
    pairs = random.Random(0).sample([(prompt, answer) for prompt, answer in halves], PAIRS[WORLD])
    model = AutoModelForSequenceClassification.from_config(config).eval()
    settings = JudgeConfig(model="./judge", max_length=profile.judge.max_length)
    return Work(model, tokenizer, settings, pairs)


def pairs_of(count):
    """Prompts of the paper's lengths, each with several answers of 50 tokens; some pairs twice."""
    some = lengths()[:: max(1, 400 // count)] if count < 100 else lengths() * (count // 100)
    prompts = [" ".join(map(str, row)) for row in rows_of(some, 4096)]
    answers = [" ".join(map(str, row)) for row in rows_of([50] * len(prompts), 4096, seed=1)]
    pairs = list(zip(prompts, answers, strict=True))[:count]
    twice = TWICE * len(pairs) // 400
    return pairs[: len(pairs) - twice] + pairs[:twice]


def test_scoring(benchmark, name, table, tmp_path):
    work = work_of(name, tmp_path)
    work.model.save_pretrained(tmp_path)
    work.tokenizer.save_pretrained(tmp_path)
    checkpoint = examine(tmp_path, judge=True, network=False, hasher=content)
    judge = RewardModelJudge(checkpoint, JudgeSettings(work.settings, "cpu", THREADS))
    pairs = work.pairs
    together = benchmark.pedantic(lambda: judge.outputs(pairs), rounds=3, warmup_rounds=1)
    ours = benchmark.stats.stats.median
    taken, alone = median_of(lambda: [judge.outputs([pair])[0] for pair in pairs], 3)
    drift = max(abs(a[0] - b[0]) for a, b in zip(together, alone, strict=True))
    benchmark.extra_info["times faster than one pair at a time"] = round(taken / ours, 2)
    if not table or not table[-1].startswith("| judge:"):
        table += ["", "| judge | pairs | seconds | one pair at a time | ratio | scores move by |"]
        table += ["| --- | --- | --- | --- | --- | --- |"]
    table.append(
        f"| judge: {name} | {len(pairs)} | {ours:.2f} | {taken:.2f} | {taken / ours:.2f} x | "
        f"{drift:.1g} |"
    )
    assert drift < 1e-4
