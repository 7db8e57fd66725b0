"""The Hugging Face policy against transformers called plainly, one prompt at a time."""

import json
from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from alignment.checkpoints import over
from alignment.config.schema import Generation
from alignment.errors import ModelError
from alignment.policies.huggingface import HuggingFacePolicy, PolicySettings
from alignment.policies.packed import Packed
from alignment.prompts.templates import opened
from alignment.store import content

NEW = 12


def settings_with(**generation):
    given = {"max_new_tokens": NEW, **generation}
    return PolicySettings(Generation(**given), device="cpu", threads=1)


def once(texts):
    """Each prompt asked once."""
    return [(text, 0) for text in texts]


def answers(policy, texts, needed=None):
    """Index -> response, for what was computed."""
    found = {}
    for batch in policy.respond(once(texts), range(len(texts)) if needed is None else needed):
        found.update(batch)
    return found


def greedy(model, tokenizer, text, ends):
    """The tokens of a greedy answer, without padding or cache, an end token not among them."""
    ids, start = tokenizer(text)["input_ids"], len(tokenizer(text)["input_ids"])
    while len(ids) < start + NEW:
        with torch.inference_mode():
            token = int(model(torch.tensor([ids])).logits[0, -1].argmax())
        if token in ends:
            break
        ids.append(token)
    return ids[start:]


def plainly(model, tokenizer, text, ends):
    """(answer, stop, tokens)"""
    row = greedy(model, tokenizer, text, ends)
    answer = tokenizer.decode(row, skip_special_tokens=True).strip()
    return answer, "eos" if len(row) < NEW else "length", len(row)


def as_tuples(responses):
    return [(r.text, r.stop, r.tokens) for _, r in sorted(responses.items())]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("policy")


@pytest.fixture(scope="module")
def model(micro, tokenizer, folder):
    return micro.policy(tokenizer, folder)


@pytest.fixture(scope="module")
def ending(micro, tokenizer, model, prompts, tmp_path_factory):
    """A checkpoint for which a token that some answers hold ends them: (folder, its ends)."""
    rows = [greedy(model, tokenizer, opened(text), set()) for text in prompts]
    half = len(rows) / 2
    token = min(range(len(tokenizer)), key=lambda t: abs(sum(t in row for row in rows) - half))
    place = tmp_path_factory.mktemp("ending")

    def end(model):
        model.generation_config.eos_token_id = [token, tokenizer.eos_token_id]

    micro.policy(tokenizer, place, change=end)
    return place, {token, tokenizer.eos_token_id}


@pytest.mark.parametrize("style", ["hh", "verbatim"])
def test_it_answers_as_plain_transformers_does(micro, tokenizer, model, folder, prompts, style):
    policy = HuggingFacePolicy(micro.checkpoint(folder), settings_with(format=style))
    expected = [
        plainly(model, tokenizer, opened(text, style), {tokenizer.eos_token_id}) for text in prompts
    ]
    assert as_tuples(answers(policy, prompts)) == expected
    assert len({text for text, _, _ in expected}) > len(prompts) // 2


def test_answers_end_at_any_of_the_models_ends_and_say_so(micro, tokenizer, model, ending, prompts):
    place, ends = ending
    policy = HuggingFacePolicy(micro.checkpoint(place), settings_with())
    expected = [plainly(model, tokenizer, opened(text), ends) for text in prompts]
    assert as_tuples(answers(policy, prompts)) == expected
    assert {stop for _, stop, _ in expected} == {"eos", "length"}


@pytest.mark.parametrize("budget", [1, 100, 10_000])
def test_answers_do_not_depend_on_how_many_are_under_way(micro, ending, prompts, budget):
    checkpoint = micro.checkpoint(ending[0])
    one = HuggingFacePolicy(checkpoint, settings_with())
    other = HuggingFacePolicy(checkpoint, settings_with(batch_tokens=budget))
    assert answers(one, prompts) == answers(other, prompts)
    assert one.identity == other.identity


@pytest.mark.parametrize("needed", [[0], [7, 3], [10]])
def test_what_is_needed_never_changes_an_answer(micro, ending, prompts, needed):
    policy = HuggingFacePolicy(micro.checkpoint(ending[0]), settings_with())
    everything = list(policy.respond(once(prompts), range(len(prompts))))
    assert list(policy.respond(once(prompts), needed)) == everything
    assert list(policy.respond(once(prompts), [])) == []


def test_sampling_and_penalties_that_a_chat_checkpoint_ships_are_ignored(
    micro, tokenizer, model, folder, prompts, tmp_path
):
    micro.policy(tokenizer, tmp_path)
    settings = json.loads((tmp_path / "generation_config.json").read_text())
    settings |= {
        "do_sample": True,
        "temperature": 1.7,
        "top_k": 5,
        "top_p": 0.5,
        "repetition_penalty": 3.0,
        "no_repeat_ngram_size": 1,
        "min_new_tokens": 12,
        "suppress_tokens": list(range(60, 90)),
        "num_beams": 3,
    }
    (tmp_path / "generation_config.json").write_text(json.dumps(settings))
    chat = HuggingFacePolicy(micro.checkpoint(tmp_path), settings_with())
    plain = HuggingFacePolicy(micro.checkpoint(folder), settings_with())
    assert answers(chat, prompts) == answers(plain, prompts)


def adapter(model, folder, seed):
    """Put a LoRA adapter with weights of some size into `folder`; gives the adapted model."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        settings = {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj", "v_proj"]}
        adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **settings))
        for name, weight in adapted.named_parameters():
            if "lora" in name:
                torch.nn.init.normal_(weight, std=0.7)
    adapted.save_pretrained(folder)
    return adapted.eval()


def test_adapters_count_one_over_the_other(micro, tokenizer, folder, prompts, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    bare = AutoModelForCausalLM.from_pretrained(folder)
    one = adapter(bare, first, 1).merge_and_unload()
    below = micro.checkpoint(first)
    assert (below.folder, below.adapters) == (folder, (first,))
    policy = HuggingFacePolicy(below, settings_with())
    ends = {tokenizer.eos_token_id}
    expected = [plainly(one, tokenizer, opened(text), ends) for text in prompts]
    assert as_tuples(answers(policy, prompts)) == expected

    both = adapter(one, second, 2)
    policy = HuggingFacePolicy(over(below, second, content), settings_with())
    again = [plainly(both, tokenizer, opened(text), ends) for text in prompts]
    assert as_tuples(answers(policy, prompts)) == again
    assert again != expected


def test_an_identity_is_of_content_not_of_place(micro, tokenizer, folder, ending, tmp_path):
    micro.policy(tokenizer, tmp_path / "copy")
    identity = micro.checkpoint(folder).identity
    assert micro.checkpoint(tmp_path / "copy").identity == identity
    micro.policy(tokenizer, tmp_path / "other", seed=1)
    assert micro.checkpoint(tmp_path / "other").identity != identity
    assert micro.checkpoint(ending[0]).identity != identity  # another end


def test_a_prompt_that_is_too_long_is_one_line(micro, folder):
    policy = HuggingFacePolicy(micro.checkpoint(folder), settings_with())
    texts = ["Human: short?", "Human: " + "rain " * 800]
    with pytest.raises(ModelError) as caught:
        list(policy.respond(once(texts), [0]))
    assert "the model has positions for 512" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_without_padding_token_pads_with_its_end(
    micro, tokenizer, model, prompts, tmp_path
):
    micro.policy(tokenizer, tmp_path)
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        path = tmp_path / name
        if path.is_file():
            settings = json.loads(path.read_text())
            settings.pop("pad_token", None)
            path.write_text(json.dumps(settings))
    policy = HuggingFacePolicy(micro.checkpoint(tmp_path), settings_with())
    assert policy._tokenizer.pad_token == policy._tokenizer.eos_token
    expected = [
        plainly(model, tokenizer, opened(text), {tokenizer.eos_token_id}) for text in prompts
    ]
    assert as_tuples(answers(policy, prompts)) == expected


def test_a_damaged_adapter_is_one_line(micro, folder, tmp_path):
    adapter(AutoModelForCausalLM.from_pretrained(folder), tmp_path, 1)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError) as caught:
        HuggingFacePolicy(micro.checkpoint(tmp_path), settings_with())
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def nan_in_a_norm(model):
    with torch.no_grad():
        model.model.decoder.final_layer_norm.weight[3] = float("nan")


def infinity_in_a_feature(model):
    with torch.no_grad():
        model.model.decoder.layers[0].fc1.weight[0, 0] = float("inf")


def too_large(factor):
    """Weights that are finite in any dtype, and whose sums are not."""

    def change(model):
        with torch.no_grad():
            model.model.decoder.final_layer_norm.weight.fill_(factor)
            model.model.decoder.embed_tokens.weight.mul_(factor**0.5)

    return change


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("way", ["packed", "padded"])
@pytest.mark.parametrize(
    ("change", "tensor"),
    [
        (nan_in_a_norm, "model.decoder.final_layer_norm.weight"),
        (infinity_in_a_feature, "model.decoder.layers.0.fc1.weight"),
    ],
)
def test_logits_that_are_not_finite_are_an_error_that_names_model_and_dtype(
    micro, tokenizer, prompts, tmp_path, change, tensor, way, temperature
):
    micro.policy(tokenizer, tmp_path, change=change)
    settings = settings_with(temperature=temperature)
    policy = HuggingFacePolicy(micro.checkpoint(tmp_path), settings)
    if way == "packed":  # the trial of the packed way holds NaN against NaN, and sends it away
        policy.generator._worker = Packed(policy._model)
    with pytest.raises(ModelError) as caught:
        answers(policy, prompts)
    told = str(caught.value)
    assert told.startswith(f"model {tmp_path}: its logits are not finite (")
    assert f"in float32: NaN or infinity stands in its weights ({tensor})" in told
    assert "\n" not in told
    with pytest.raises(ModelError, match="its logits are not finite"):
        policy.alone(policy.rows(prompts)[0])


@pytest.mark.parametrize(
    ("dtype", "factor", "advice"),
    [
        ("float16", 6e4, "set dtype = 'bfloat16' or 'float32'"),
        ("bfloat16", 1e38, "set dtype = 'float32'"),
        ("float32", 1e38, "take a checkpoint from before its training diverged"),
    ],
)
def test_sums_that_overflow_are_told_from_damaged_weights(
    micro, tokenizer, prompts, tmp_path, dtype, factor, advice
):
    micro.policy(tokenizer, tmp_path, change=too_large(factor))
    settings = replace(settings_with(), dtype=dtype)
    policy = HuggingFacePolicy(micro.checkpoint(tmp_path), settings)
    with pytest.raises(ModelError) as caught:
        answers(policy, prompts)
    told = str(caught.value)
    assert f"in {dtype}: its weights are finite" in told
    assert advice in told


def test_one_prompt_whose_token_is_spoilt_is_enough(micro, tokenizer, prompts, tmp_path):
    def spoil(model):
        with torch.no_grad():
            model.get_input_embeddings().weight[tokenizer("§")["input_ids"][0]] = float("nan")
            model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.nan_to_num())

    micro.policy(tokenizer, tmp_path, change=spoil, tie_word_embeddings=False)
    policy = HuggingFacePolicy(micro.checkpoint(tmp_path), settings_with())
    assert len(answers(policy, prompts)) == len(prompts)
    with pytest.raises(ModelError, match="its logits are not finite"):
        answers(policy, [*prompts, "Human: what is § for?"])


@pytest.mark.parametrize("temperature", [1e-45, 1e-12, 1e-3])
def test_next_to_no_temperature_draws_the_likeliest_token(
    micro, model, folder, prompts, temperature
):
    greedy_one = HuggingFacePolicy(micro.checkpoint(folder), settings_with())
    cold = HuggingFacePolicy(micro.checkpoint(folder), settings_with(temperature=temperature))
    assert as_tuples(answers(cold, prompts)) == as_tuples(answers(greedy_one, prompts))


def test_close_frees_the_weights(micro, folder):
    policy = HuggingFacePolicy(micro.checkpoint(folder), settings_with())
    policy.close()
    assert not hasattr(policy, "_model")
