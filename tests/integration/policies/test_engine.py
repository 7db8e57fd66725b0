"""The engine against `generate` of transformers, one prompt at a time, on tiny random models."""

import random
import weakref

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from alignment.errors import ModelError
from alignment.policies.decoding import Decoding
from alignment.policies.engine import Generator
from alignment.policies.packed import cut
from support.architectures import MODELS, PACKED

VOCABULARY, NEW = 301, 12


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Models this small are slower with two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def model_of(name):
    kind, fields = MODELS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = AutoConfig.for_model(kind, **{"vocab_size": VOCABULARY} | fields)
        return AutoModelForCausalLM.from_config(config).eval()


def rows_of(count, longest=60, seed=1):
    rng = random.Random(seed)
    return [
        [rng.randrange(3, VOCABULARY) for _ in range(rng.randint(1, longest))] for _ in range(count)
    ]


def alone(model, rows, ends=(), new=NEW):
    """(tokens, ended) of every row from `generate`, one at a time."""
    found = []
    for row in rows:
        with torch.inference_mode():
            output = model.generate(
                torch.tensor([row]),
                attention_mask=torch.ones(1, len(row), dtype=torch.long),
                max_new_tokens=new,
                do_sample=False,
                eos_token_id=sorted(ends) or None,
                pad_token_id=0,
            )
        tokens = output[0, len(row) :].tolist()
        end = next((i for i, token in enumerate(tokens) if token in ends), None)
        found.append((tuple(tokens[:end]), end is not None))
    return found


def answers(generator, rows, **settings):
    return [(each.tokens, each.ended) for each in generator.generate(rows, **settings)]


def some_ends(found, share=0.5):
    """Tokens that end about this share of these answers."""
    ends = set()
    for tokens, _ in found[: int(len(found) * share)]:
        ends.add(tokens[len(tokens) // 2])
    return frozenset(ends)


def generator_of(model, budget=400, note=lambda _: None, **decoding):
    decoding = Decoding(**{"max_new_tokens": NEW, "ends": frozenset()} | decoding)
    return Generator(model, pad=0, decoding=decoding, batch_tokens=budget, note=note)


@pytest.mark.parametrize("name", MODELS)
def test_it_answers_as_generate_does_one_prompt_at_a_time(name):
    model, rows = model_of(name), rows_of(11)
    expected = alone(model, rows)
    generator = generator_of(model)
    assert generator.way == ("packed" if name in PACKED else "padded")
    assert answers(generator, rows) == expected
    ends = some_ends(expected)
    expected = alone(model, rows, ends)
    assert answers(generator_of(model, ends=ends), rows) == expected
    assert any(ended for _, ended in expected)
    assert alone(model, rows[:2], ends) == expected[:2]  # the model is left as it was


@pytest.mark.parametrize("name", ["llama", "bloom"])
@pytest.mark.parametrize("budget", [1, 90, 100_000])
def test_answers_do_not_depend_on_the_budget(name, budget):
    model, rows = model_of(name), rows_of(9)
    assert answers(generator_of(model, budget), rows) == answers(generator_of(model), rows)


def test_the_room_for_keys_and_values_is_bounded_whatever_the_number_of_prompts():
    model, rows = model_of("llama"), rows_of(120, longest=40)
    ends = some_ends(alone(model, rows[:20]), share=1.0)
    generator = generator_of(model, 300, ends=ends)
    taken, under_way = [], []

    def watch(who, _):
        taken.append(generator._worker.room)
        under_way.append(len(who))

    generator.watch = watch
    assert answers(generator, rows) == alone(model, rows, ends)
    assert max(taken) <= 300
    assert max(under_way) >= 5


def test_groups_are_of_like_length_and_within_their_bounds():
    lengths = [random.Random(1).randint(1, 700) for _ in range(200)]
    groups = list(cut(lengths, new=50, read=2048, budget=4000))
    assert sorted(i for group in groups for i in group.members) == list(range(200))
    for group in groups:
        own = [lengths[i] for i in group.members]
        assert group.starts == [max(own) - length for length in own]
        assert sum(own) <= 2048
        assert group.room <= 4000
        assert max(own) - min(own) <= max(32, max(own) // 4)


# -- memory --------------------------------------------------------------------------------------


def small_memory(model, tokens, error):
    """Have the device run out of memory where more than `tokens` are in one forward pass."""

    def refuse(_, args, kwargs):
        if kwargs["input_ids"].numel() > tokens:
            raise error("CPU: DefaultCPUAllocator: can't allocate memory: you tried to allocate 9")

    model.register_forward_pre_hook(refuse, with_kwargs=True)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
@pytest.mark.parametrize("name", ["opt-125m", "bloom"])
def test_out_of_memory_is_answered_with_less_at_once_and_said_once(name, error):
    model, rows = model_of(name), rows_of(15)
    expected = alone(model, rows)
    notes = []
    generator = generator_of(model, 5000, notes.append)
    small_memory(model, 130, error)
    assert answers(generator, rows) == expected
    assert len(notes) == 1
    assert "out of memory" in notes[0]
    found = generator.batch_tokens
    assert found < 5000
    assert answers(generator, rows) == expected
    assert generator.batch_tokens == found
    assert len(notes) == 1


def test_a_prompt_that_never_fits_is_one_line():
    model = model_of("opt-125m")
    generator = generator_of(model, 5000)
    small_memory(model, 20, torch.OutOfMemoryError)
    with pytest.raises(ModelError, match="out of memory for a single prompt") as caught:
        generator.generate(rows_of(15))
    assert "\n" not in str(caught.value)


def test_another_error_is_not_taken_for_a_lack_of_memory():
    model = model_of("opt-125m")
    generator = generator_of(model)

    def refuse(*_):
        raise RuntimeError("something else")

    model.register_forward_pre_hook(refuse)
    with pytest.raises(RuntimeError, match="something else"):
        generator.generate(rows_of(3))


def test_an_empty_row_is_refused():
    with pytest.raises(ModelError, match="no tokens"):
        generator_of(model_of("llama")).generate([[5], []])


# -- sampling and stopping -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["llama", "bloom"])
def test_a_sampled_answer_depends_on_its_seed_and_not_on_its_neighbours(name):
    model, rows = model_of(name), rows_of(8)
    generator = generator_of(model, 300, temperature=1.0)
    seeds = list(range(8))
    together = answers(generator, rows, seeds=seeds)
    apart = [
        answers(generator, [row], seeds=[seed])[0] for row, seed in zip(rows, seeds, strict=True)
    ]
    assert together == apart
    assert answers(generator, rows, seeds=[seed + 100 for seed in seeds]) != together
    same = generator.generate([rows[0]] * 6, seeds=[1, 2, 3, 4, 5, 1])
    assert same[0] == same[5]
    assert len({each.tokens for each in same}) == 5


def test_both_ways_draw_the_same():
    model, rows = model_of("llama"), rows_of(6)
    packed = generator_of(model, temperature=0.8, top_p=0.9)
    model._supports_attention_backend = False
    padded = generator_of(model, temperature=0.8, top_p=0.9)
    assert (packed.way, padded.way) == ("packed", "padded")
    seeds = list(range(6))
    assert answers(packed, rows, seeds=seeds) == answers(padded, rows, seeds=seeds)


def test_tokens_are_drawn_with_their_chances_within_the_nucleus():
    model, row = model_of("llama"), rows_of(1)[0]
    with torch.inference_mode():
        chances = (model(torch.tensor([row])).logits[0, -1] / 2.0).softmax(-1)
    ordered, order = chances.sort(descending=True)
    kept = order[: int((ordered.cumsum(0) < 0.6).sum()) + 1].tolist()
    generator = generator_of(model, 100_000, max_new_tokens=1, temperature=2.0, top_p=0.6)
    draws = 1500
    drawn = [each.tokens[0] for each in generator.generate([row] * draws, seeds=range(draws))]
    assert set(drawn) <= set(kept)
    share = float(chances[kept[0]] / chances[kept].sum())
    error = 4 * (share * (1 - share) / draws) ** 0.5
    assert drawn.count(kept[0]) / draws == pytest.approx(share, abs=error)


def test_a_temperature_needs_seeds():
    with pytest.raises(ValueError, match="seeds"):
        generator_of(model_of("llama"), temperature=1.0).generate([[5]])


@pytest.mark.parametrize("name", ["llama", "bloom"])
def test_stop_ends_an_answer_after_the_token_it_was_asked_about(name):
    model, rows = model_of(name), rows_of(8)
    expected = [(tokens[:4], True) for tokens, _ in alone(model, rows)]
    asked = []

    def stop(tokens):
        asked.append(tuple(tokens))
        return len(tokens) == 4

    assert answers(generator_of(model), rows, stop=stop) == expected
    assert sorted(set(asked)) == sorted({tokens[:n] for tokens, _ in expected for n in range(1, 5)})


# -- what cannot be packed -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"attention_chunk_size": 16},
        {"layer_types": ["full_attention", "chunked_attention"]},
        {"sliding_window": 7},  # which Llama's attention is never told of
    ],
)
def test_what_short_prompts_cannot_show_is_read_from_the_configuration(fields):
    model = model_of("llama")
    for key, value in fields.items():
        setattr(model.config, key, value)
    assert generator_of(model).way == "padded"


def test_a_model_that_attends_differently_is_found_out():
    model = model_of("llama")
    own = model.model.layers[1].self_attn

    def nudge(module, args, output):
        packed = model.config._attn_implementation == "alignment_packed"
        return (output[0] * (1.01 if packed else 1.0), output[1])

    own.register_forward_hook(nudge)
    assert generator_of(model).way == "padded"


def test_nothing_is_left_in_memory_when_it_is_done():
    model = model_of("llama")
    generator = generator_of(model)
    logits = []
    generator.watch = lambda _, found: logits.append(weakref.ref(found))
    generator.generate(rows_of(4))
    assert logits
    assert all(reference() is None for reference in logits)
