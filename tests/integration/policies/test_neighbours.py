"""A prompt is answered as alone, whoever is beside it: rotary rules that look at the whole row.

The reference is always `generate` of transformers, one prompt at a time, on a fresh copy: some
rules remember the longest row that they ever saw.
"""

import copy
import random

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from alignment.policies.decoding import Decoding
from alignment.policies.engine import Generator
from alignment.policies.probe import padding_agrees, reach, unchanged

VOCABULARY, NEW, SWITCH = 301, 6, 32
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
    "initializer_range": 0.3,
}
PLAIN = {"rope_type": "default", "rope_theta": 1e4}
SCALED = {"rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": SWITCH}
LONGROPE = SCALED | {"rope_type": "longrope", "short_factor": [1.0] * 4}
LONGROPE |= {"long_factor": [3.0, 5.0, 9.0, 17.0]}
SCALES = {"short_mscale": 1.0, "long_mscale": 1.3}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0}
LAYERS = {"head_dim": 8, "sliding_window": 7}
LAYERS |= {"layer_types": ["sliding_attention", "full_attention"]}
PHI = {"original_max_position_embeddings": SWITCH, "pad_token_id": 0, "eos_token_id": 2}
MIXED = {"num_local_experts": 4, "num_experts_per_tok": 2}
RULES = {
    "longrope": ("llama", {"rope_parameters": LONGROPE}, SWITCH),
    "dynamic": (
        "llama",
        {"rope_parameters": DYNAMIC, "max_position_embeddings": SWITCH},
        SWITCH,
    ),
    "phi3": ("phi3", PHI | {"rope_parameters": LONGROPE}, SWITCH),
    "phimoe": ("phimoe", MIXED | {"rope_parameters": LONGROPE | SCALES}, SWITCH),
    "by layer": (
        "gemma3_text",
        LAYERS | {"rope_parameters": {"sliding_attention": PLAIN, "full_attention": LONGROPE}},
        SWITCH,
    ),
    "yarn": ("llama", {"rope_parameters": SCALED | {"rope_type": "yarn"}}, 128),
    "llama3": (
        "llama",
        {
            "rope_parameters": SCALED
            | {"rope_type": "llama3", "low_freq_factor": 1.0, "high_freq_factor": 4.0}
        },
        128,
    ),
}
LENGTHS = (3, 100, 5, 25, 18, 27, 60, 31, 32, 33, 7)
"""Short ones beside long ones, and some that cross the switch while they are decoded."""


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Models this small are slower with two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def model_of(name, make=AutoModelForCausalLM, **fields):
    kind, own, _ = RULES[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        settings = {"vocab_size": VOCABULARY} | SMALL | copy.deepcopy(own) | fields
        return make.from_config(AutoConfig.for_model(kind, **settings)).eval()


def rows_of(lengths=LENGTHS):
    rng = random.Random(1)
    return [[rng.randrange(3, VOCABULARY) for _ in range(length)] for length in lengths]


def alone(model, rows):
    found = []
    for row in rows:
        with torch.inference_mode():
            output = copy.deepcopy(model).generate(
                torch.tensor([row]),
                attention_mask=torch.ones(1, len(row), dtype=torch.long),
                max_new_tokens=NEW,
                do_sample=False,
                eos_token_id=None,
                pad_token_id=0,
            )
        found.append(tuple(output[0, len(row) :].tolist()))
    return found


def generator_of(model, note=lambda _: None):
    decoding = Decoding(NEW, frozenset())
    return Generator(model, pad=0, decoding=decoding, batch_tokens=4000, note=note)


def answers(generator, rows):
    return [each.tokens for each in generator.generate(rows)]


@pytest.mark.parametrize("way", ["packed", "padded"])
@pytest.mark.parametrize("name", RULES)
def test_a_prompt_is_answered_as_alone_beside_longer_ones(name, way):
    model, rows = model_of(name), rows_of()
    expected = alone(model, rows)
    if way == "padded":
        model._supports_attention_backend = False
    generator = generator_of(model)
    assert generator.way == way
    assert answers(generator, rows) == expected
    assert answers(generator, rows[::-1]) == expected[::-1]  # and after longer ones


@pytest.mark.parametrize("name", RULES)
def test_how_far_a_prompt_may_reach_beside_others_is_found_by_trying(name):
    assert reach(model_of(name)) == RULES[name][2]


def test_prompts_that_reach_too_far_are_told_of_once():
    notes = []
    generator = generator_of(model_of("longrope"), notes.append)
    generator.generate(rows_of())
    generator.generate(rows_of())
    assert len(notes) == 1
    assert "more than 32 tokens" in notes[0]


def test_in_bfloat16_the_rule_is_seen_too():
    assert reach(model_of("longrope").to(torch.bfloat16)) == SWITCH
    assert reach(model_of("phimoe").to(torch.bfloat16)) == SWITCH


@pytest.mark.parametrize(
    "length", [lambda places: places.max() + 1, lambda places: places.shape[-1]]
)
@pytest.mark.parametrize("way", ["packed", "padded"])
def test_a_rule_that_nobody_has_thought_of_yet_is_found(monkeypatch, length, way):
    """It goes by the highest position of a row, or by the row's length."""
    forward = LlamaRotaryEmbedding.forward

    def shrink(self, x, position_ids):
        cos, sin = forward(self, x, position_ids)
        return (cos * 0.5, sin * 0.5) if length(position_ids) > 48 else (cos, sin)

    monkeypatch.setattr(LlamaRotaryEmbedding, "forward", shrink)
    model, rows = model_of("yarn"), rows_of()
    expected = alone(model, rows)
    if way == "padded":
        model._supports_attention_backend = False
    assert answers(generator_of(model), rows) == expected


def test_a_model_that_heeds_its_padding_answers_one_at_a_time():
    model = model_of("yarn")
    model._supports_attention_backend = False
    assert padding_agrees(model, 0, 128)
    body = model.model.forward

    def deaf(*args, attention_mask=None, **more):
        return body(*args, **more)

    model.model.forward = deaf
    assert not padding_agrees(model, 0, 128)
    rows = rows_of()
    expected = [tokens for row in rows for tokens in answers(generator_of(model), [row])]
    assert answers(generator_of(model), rows) == expected


def test_what_a_model_remembers_of_a_row_is_taken_back():
    model = model_of("dynamic")
    rotary = model.model.rotary_emb
    before = rotary.inv_freq.clone()
    with unchanged(model), torch.inference_mode():
        model(torch.tensor([rows_of([100])[0]]))
        assert rotary.max_seq_len_cached == 100
        assert not torch.equal(rotary.inv_freq, before)
    assert rotary.max_seq_len_cached == SWITCH
    assert torch.equal(rotary.inv_freq, before)


@pytest.mark.parametrize("name", ["longrope", "dynamic", "yarn"])
def test_a_judge_has_the_same_reach(name):
    judge = model_of(name, AutoModelForSequenceClassification, num_labels=1, pad_token_id=0)
    assert reach(judge) == RULES[name][2]
