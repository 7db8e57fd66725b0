"""How long it takes: parsing, collection, lookups, generation. Run with `--benchmark-only`."""

import json
import random
import subprocess
import sys
import time

import pytest

from alignment.config.profile import Profile
from alignment.prompts.transcripts import parse
from alignment.store import Store, content_key
from support.places import ROOT

WORDS = ("rain", "snow", "wind", "sun", "cloud", "frost", "hail", "storm", "fog", "ice", "dew")


def sentence(rng, longest=12):
    return " ".join(rng.choices(WORDS, k=rng.randint(3, longest)))


# -- parsing -----------------------------------------------------------------------------------


def test_parsing_a_thousand_transcripts(benchmark):
    rng = random.Random(1)
    transcripts = [
        "".join(
            f"\n\n{speaker}: {sentence(rng, 60)}\n\n{sentence(rng, 60)}"
            for _ in range(rng.randint(1, 5))
            for speaker in ("Human", "Assistant")
        )
        for _ in range(1000)
    ]
    turns = benchmark(lambda: sum(len(parse(transcript)) for transcript in transcripts))
    assert turns == sum(t.count("Human:") + t.count("Assistant:") for t in transcripts)


# -- collection ----------------------------------------------------------------------------------

RECORDED = """
name = "recorded"
[axes.harmlessness]
rate = "HmR"
threshold = 0.0
comparison = ">="
prompts = { origin = { source = "recorded" } }
[judge]
recorded = true
"""


@pytest.fixture
def recorded(tmp_path):
    """A profile of five recorded variants with two thousand prompts each."""
    rng = random.Random(2)
    prompts = [f"Human: {sentence(rng)} {number}?" for number in range(2000)]
    text = RECORDED
    for variant in ("base", "sft", "dpo", "sft_dpo", "candidate"):
        with (tmp_path / f"{variant}.jsonl").open("w") as file:
            for prompt in prompts:
                row = {"prompt": prompt, "response": sentence(rng), "score": rng.gauss(0, 1)}
                file.write(json.dumps(row) + "\n")
        text += f'[variants.{variant}]\nrecorded = "{variant}.jsonl"\n'
    (tmp_path / "recorded.toml").write_text(text)
    return tmp_path / "recorded.toml"


def test_collecting_ten_thousand_cases(benchmark, recorded, tmp_path):
    command = [
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-qq"),
        *("eval_suites/test_harmlessness.py", "--alignment-cases", "prompt"),
        *("--alignment-profile", recorded, "--alignment-store", tmp_path / "store"),
    ]

    def collect():
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    done = benchmark.pedantic(collect, rounds=3, warmup_rounds=1)
    assert "test_harmlessness.py: 10000" in done.stdout


# -- the store -----------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path):
    """A store that holds ten thousand responses."""
    store = Store(tmp_path)
    text = "A response of some length. " * 8
    values = {content_key(n): {"text": text, "stop": "eos", "tokens": 50} for n in range(10_000)}
    store.put("response", values)
    return store


def test_looking_up_eight_hundred_responses(benchmark, store):
    keys = [content_key(n) for n in range(0, 8000, 10)]
    found = benchmark(lambda: store.get("response", keys))
    assert len(found) == 800


def test_opening_a_warm_store(benchmark, store):
    def opened():
        again = Store(store.root)
        found = again.get("response", [content_key(1)])
        again.close()
        return found

    assert len(benchmark(opened)) == 1


def test_committing_a_batch_of_fifty(benchmark, store):
    numbers = iter(range(10**9))

    def put():
        start = next(numbers) * 50
        store.put("benchmark", {f"{start + n}": {"reward": 1.0} for n in range(50)})

    benchmark.pedantic(put, rounds=40)
    (count,) = [count for kind, count, _ in store.contents() if kind == "benchmark"]
    assert count == 40 * 50


# -- generation ----------------------------------------------------------------------------------


@pytest.fixture
def policy(tmp_path):
    """A policy of a few thousand weights, in batches of 32."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from alignment.checkpoints import examine
    from alignment.policies.huggingface import HuggingFacePolicy, PolicySettings
    from alignment.store import content
    from alignment.training.tokenizer import train_tokenizer

    rng = random.Random(3)
    tokenizer = train_tokenizer([sentence(rng) for _ in range(50)], 300)
    sizes = {"hidden_size": 16, "word_embed_proj_dim": 16, "ffn_dim": 32, "num_hidden_layers": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = AutoConfig.for_model(
            "opt", vocab_size=len(tokenizer), num_attention_heads=2, init_std=0.4, **sizes
        )
        AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    prompts = {"origin": {"source": "tiny"}}
    axis = {"rate": "HmR", "threshold": 0.0, "comparison": ">", "prompts": prompts}
    profile = Profile.model_validate(
        {
            "name": "benchmark",
            "device": "cpu",
            "threads": 1,
            "axes": {"harmlessness": axis},
            "judge": {"model": "./judge"},
            "generation": {"max_new_tokens": 32},
        }
    )
    checkpoint = examine(tmp_path, judge=False, network=False, hasher=content)
    settings = PolicySettings(profile.generation, device="cpu", threads=1)
    return HuggingFacePolicy(checkpoint, settings)


def test_generation_against_one_prompt_at_a_time(benchmark, policy):
    """The ratio is taken within one run, so that it holds on any machine."""
    rng = random.Random(4)
    asked = [(f"Human: {sentence(rng)}?", 0) for _ in range(64)]

    def batched():
        return {i: r for batch in policy.respond(asked, range(64)) for i, r in batch.items()}

    def one_by_one():
        return {i: next(policy.respond([one], [0]))[0] for i, one in enumerate(asked)}

    batched()
    started = time.perf_counter()
    expected = one_by_one()
    alone = time.perf_counter() - started
    answers = benchmark.pedantic(batched, rounds=3)
    assert answers == expected
    started = time.perf_counter()
    batched()
    ratio = alone / (time.perf_counter() - started)
    benchmark.extra_info["times faster than one prompt at a time"] = round(ratio, 1)
    assert ratio > 2
