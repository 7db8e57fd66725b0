"""The paper's work, 100 prompts and 50 new tokens each, answered in four ways.

`ALIGNMENT_BENCHMARK=full` adds the shapes of OPT-125M and OPT-350M (25 minutes on two cores);
without it, the tiny shape alone takes half a minute.
"""

import gc
import os

import pytest
import torch
from transformers import GenerationConfig

from alignment.policies.decoding import Decoding
from alignment.policies.engine import Generator
from support.workload import (
    SHAPES,
    THREADS,
    floor,
    lengths,
    median_of,
    policy_of,
    rows_of,
    timed,
    words,
)

NEW = 50
FULL = os.environ.get("ALIGNMENT_BENCHMARK") == "full"
SIZES = {"tiny": (16, 50), "125M": (8, 16), "350M": (16,)}
"""Batch sizes that the batched ways are tried with; the best one counts."""
REPEATS = {"tiny": 9, "125M": 3, "350M": 1}
EVERY = {"tiny": 1, "125M": 4, "350M": 10}
"""One at a time, every so-manieth prompt is answered and the time scaled up."""


@pytest.fixture(params=list(SHAPES))
def shape(request):
    if request.param != "tiny" and not FULL:
        pytest.skip("takes minutes: set ALIGNMENT_BENCHMARK=full")
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    gc.collect()
    gc.freeze()  # what pytest holds is not looked through again and again, whoever is measured
    yield request.param
    gc.unfreeze()
    torch.set_num_threads(before)


def settings_of():
    return GenerationConfig(do_sample=False, max_new_tokens=NEW, eos_token_id=None, pad_token_id=1)


def notebook(model, rows):
    """`generate` for one prompt after the other, as the paper's notebook does."""
    found = []
    for row in rows:
        ids = torch.tensor([row])
        output = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings_of()
        )
        found.append(tuple(output[0, len(row) :].tolist()))
    return found


def batched(model, rows, size):
    """Plain `generate`, sorted by length, padded on the left."""
    found = [()] * len(rows)
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    for start in range(0, len(order), size):
        batch = [rows[i] for i in order[start : start + size]]
        longest = len(batch[0])
        ids = torch.tensor([[1] * (longest - len(row)) + row for row in batch])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in batch])
        with torch.inference_mode():
            output = model.generate(
                input_ids=ids, attention_mask=mask, generation_config=settings_of()
            )
        for i, new in zip(order[start:], output[:, longest:].tolist(), strict=False):
            found[i] = tuple(new)
    return found


def harness(model, rows, size):
    """lm-evaluation-harness, which sorts and batches for itself."""
    pytest.importorskip("lm_eval", reason="lm-eval is not there: pip install alignment-gate[bench]")
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    new = []

    class Counting(HFLM):
        """Keeps the tokens that it generates."""

        def _model_generate(self, context, max_length, stop, **settings):
            output = super()._model_generate(context, max_length, stop, **settings)
            for row, start in zip(output.tolist(), context.tolist(), strict=True):
                prompt = tuple(token for token in start if token != 1)
                new.append((prompt, tuple(row[len(start) :])))
            return output

    model.generation_config.eos_token_id = None  # nothing ends early, as everywhere here
    task = Counting(
        pretrained=model, tokenizer=words(model.config.vocab_size), batch_size=size, device="cpu"
    )
    asked = {"until": ["no such words"], "max_gen_toks": NEW, "do_sample": False}
    requests = [
        Instance("generate_until", {}, (" ".join(map(str, row)), asked), i)
        for i, row in enumerate(rows)
    ]
    task.generate_until(requests, disable_tqdm=True)
    found = dict(new)
    return [found[tuple(row)] for row in rows]


def best_of(way, model, rows, name):
    """(median seconds at the best batch size, that size, answers)"""
    size, *others = SIZES[name]
    if others:
        tried = {n: timed(lambda n=n: way(model, rows, n))[0] for n in (size, *others)}
        size = min(tried, key=tried.get)
    seconds, answers = median_of(lambda: way(model, rows, size), REPEATS[name])
    return seconds, size, answers


def drift_of(generator, model, rows):
    """The largest difference of a logit after the prompt, from the model's own attention."""
    first = {}

    def watch(who, logits):
        for i, row in zip(who, logits, strict=True):
            first.setdefault(i, row.clone())

    generator.watch = watch
    generator.generate(rows)
    generator.watch = None
    with torch.inference_mode():
        alone = [model(torch.tensor([row])).logits[0, -1] for row in rows]
    return max(float((first[i] - row).abs().max()) for i, row in enumerate(alone))


def test_generation(benchmark, shape, table):
    model = policy_of(shape)
    rows = rows_of(lengths(), model.config.vocab_size)
    generator = Generator(model, pad=1, decoding=Decoding(NEW, frozenset()))
    assert generator.way == "packed"
    answers = benchmark.pedantic(
        lambda: [each.tokens for each in generator.generate(rows)],
        rounds=REPEATS[shape],
        warmup_rounds=1 if shape == "tiny" else 0,
    )
    ours = benchmark.stats.stats.median
    some = rows[:: EVERY[shape]]
    seconds, expected = median_of(lambda: notebook(model, some), REPEATS[shape])
    ways = [("one prompt at a time, as the notebook", seconds * EVERY[shape], expected)]
    for name, way in (("`generate`, sorted", batched), ("lm-evaluation-harness", harness)):
        try:
            taken, size, found = best_of(way, model, rows, shape)
        except pytest.skip.Exception as reason:
            table.append(f"({name}: {reason})")
            continue
        ways.append((f"{name}, batch {size}", taken, found))
    lowest = floor(model, rows, NEW)
    table += ["", f"| {shape} | seconds | ours is | other answers |", "| --- | --- | --- | --- |"]
    table.append(f"| this engine | {ours:.2f} | | 0 |")
    for name, taken, found in ways:
        own = answers[:: EVERY[shape]] if len(found) < len(answers) else answers
        other = sum(a != b for a, b in zip(found, own, strict=True))
        assert [len(each) for each in found] == [NEW] * len(own)
        table.append(f"| {name} | {taken:.2f} | {taken / ours:.1f} x | {other} of {len(own)} |")
        benchmark.extra_info[name] = round(taken / ours, 1)
    table.append(f"| floor | {lowest:.2f} | {lowest / ours:.2f} x | |")
    drift = drift_of(generator, model, some)
    table.append(f"\nLogits differ by at most {drift:.1g} from the model's own attention.")
    assert expected == answers[:: EVERY[shape]]
    assert drift < 1e-3
