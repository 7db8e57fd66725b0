"""Scoring pairs as the paper has them, by shapes of DeBERTa, against one pair at a time.

`ALIGNMENT_BENCHMARK=full` adds the large shape, of which a few pairs take a minute.
"""

import os

import pytest
import torch
from workload import JUDGES, THREADS, judge_of, lengths, median_of, rows_of, words

from alignment.checkpoints import examine
from alignment.judges.reward_model import RewardModelJudge, Settings
from alignment.recipes import Judge
from alignment.store import hash_file

FULL = os.environ.get("ALIGNMENT_BENCHMARK") == "full"
PAIRS = {"tiny": 400, "large": 10}
TWICE = 11
"""How many of the paper's 400 pairs are there twice."""


@pytest.fixture(params=list(JUDGES))
def shape(request):
    if request.param != "tiny" and not FULL:
        pytest.skip("takes minutes: set ALIGNMENT_BENCHMARK=full")
    before = torch.get_num_threads()
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture
def judge(shape, tmp_path):
    judge_of(shape).save_pretrained(tmp_path)
    words(4096).save_pretrained(tmp_path)
    judge = Judge.model_validate({"model": "./judge", "input": "pair"})
    settings = Settings(judge, device="cpu", threads=THREADS)
    checkpoint = examine(tmp_path, judge=True, network=False, hash_file=hash_file)
    return RewardModelJudge(checkpoint, settings)


def pairs_of(count):
    """Prompts of the paper's lengths, each with several answers of 50 tokens; some pairs twice."""
    some = lengths()[:: max(1, 400 // count)] if count < 100 else lengths() * (count // 100)
    prompts = [" ".join(map(str, row)) for row in rows_of(some, 4096)]
    answers = [" ".join(map(str, row)) for row in rows_of([50] * len(prompts), 4096, seed=1)]
    pairs = list(zip(prompts, answers, strict=True))[:count]
    twice = TWICE * len(pairs) // 400
    return pairs[: len(pairs) - twice] + pairs[:twice]


def test_scoring(benchmark, shape, judge, table):
    pairs = pairs_of(PAIRS[shape])
    repeats = 3 if shape == "tiny" else 1
    together = benchmark.pedantic(lambda: judge.outputs(pairs), rounds=repeats)
    ours = benchmark.stats.stats.median
    taken, alone = median_of(lambda: [judge.outputs([pair])[0] for pair in pairs], repeats)
    drift = max(abs(a[0] - b[0]) for a, b in zip(together, alone, strict=True))
    benchmark.extra_info["times faster than one pair at a time"] = round(taken / ours, 2)
    table += [
        "",
        f"| DeBERTa, {shape}: {len(pairs)} pairs | seconds | ours is |",
        "| --- | --- | --- |",
        f"| this judge | {ours:.2f} | |",
        f"| one pair at a time | {taken:.2f} | {taken / ours:.2f} x |",
        f"\nScores differ by at most {drift:.1g}.",
    ]
    assert drift < 1e-4
