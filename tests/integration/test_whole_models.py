"""Models that are loaded whole, or not at all: damaged folders are refused in one line before any
answer, and what is whole is loaded as transformers loads it."""

import json
import runpy
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from alignment.checkpoints import examine
from alignment.checkpoints.loading import check_whole, load_causal, load_classifier
from alignment.config.judges import JudgeConfig
from alignment.config.schema import Generation
from alignment.errors import AlignmentError, ModelError
from alignment.judges import reward_model
from alignment.policies.huggingface import HuggingFacePolicy, PolicySettings
from alignment.store import content

ENGINE = runpy.run_path(str(Path(__file__).with_name("test_engine.py")))
LLAMA = ENGINE["LLAMA"]
VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 8,
}
ENCODER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}


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
            reward_model.PolicySettings(given, device="cpu", threads=1),
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


# -- damaged -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def llama(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama")
    saved("llama", tokenizer, folder, **LLAMA)
    return folder


@pytest.fixture(scope="module")
def judge(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")
    saved("llama", tokenizer, folder, AutoModelForSequenceClassification, **LLAMA, num_labels=1)
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


POLICIES = {
    "no output matrix": (without("lm_head"), {}, "only model.embed_tokens.weight has a row"),
    "no output matrix, and nothing said of it": (
        without("lm_head"),
        {"tie_word_embeddings": None},
        ": of its tensors 1 missing, which would be random (lm_head.weight); save",
    ),
    "compiled": (prefixed("_orig_mod."), {}, "'_orig_mod'"),
    "compiled layers": (renamed("model.layers.0", "model.layers.0._orig_mod"), {}, "'_orig_mod'"),
    "data parallel": (prefixed("module."), {}, "'module'"),
    "FSDP": (renamed("model.", "model._fsdp_wrapped_module."), {}, "'_fsdp_wrapped_module'"),
    "an adapter not merged": (renamed("q_proj.", "q_proj.base_layer."), {}, "'base_layer'"),
    "PEFT's names": (prefixed("base_model.model."), {}, "'base_model'"),
    "a prefix nobody knows": (prefixed("policy."), {}, "have the prefix 'policy.'"),
    "a prefix of two parts": (prefixed("actor.inner."), {}, "have the prefix 'actor.inner.'"),
    "the first layer gone": (without("layers.0."), {}, "no tensor of 1 of them (0)"),
    "the last layer gone": (without("layers.1."), {}, "no tensor of 1 of them (1)"),
    "one matrix gone": (
        without("layers.1.mlp.up_proj"),
        {},
        "1 missing, which would be random (model.layers.1.mlp.up_proj.weight)",
    ),
    "one norm gone": (without("model.norm"), {}, "(model.norm.weight)"),
    "the embeddings gone": (without("embed_tokens"), {}, "only lm_head.weight has a row"),
    "a matrix under another name": (renamed("down_proj", "w2"), {}, ".mlp.w2.weight"),
    "the half of a file": (first_half, {}, "no tensor of 1 of them (1)"),
    "nothing at all": (lambda _: {"x": torch.ones(300, 64)}, {}, "only x has a row for each"),
    "fewer layers than weights": (same, {"num_hidden_layers": 1}, "would be dropped"),
    "more layers than weights": (same, {"num_hidden_layers": 4}, "no tensor of 2 of them (2, 3)"),
    "biases that the configuration denies": (
        added("model.layers.0.self_attn.q_proj.bias", 32),
        {},
        "1 unknown, which would be dropped (model.layers.0.self_attn.q_proj.bias)",
    ),
    "a norm that the class has not": (
        added("model.layers.0.self_attn.q_norm.weight", 8),
        {},
        "q_norm",
    ),
    "another width": (same, {"intermediate_size": 48}, "6 of another shape"),
    "other heads": (same, {"num_key_value_heads": 4}, "4 of another shape"),
    "another class's weights": (same, {"model_type": "gpt_neox"}, " missing, "),
    "integers without scales": (cast("q_proj", torch.int8), {}, "quantized numbers (I8)"),
    "eights without scales": (
        cast("q_proj", torch.float8_e4m3fn),
        {},
        "quantized numbers (F8_E4M3)",
    ),
    "scales of a quantization": (
        added("model.layers.0.self_attn.q_proj.weight_scale_inv", 1, 1),
        {},
        "1 unknown",
    ),
    "a quantization nobody knows": (
        cast("q_proj", torch.int8),
        {"quantization_config": {"quant_method": "theirs", "bits": 8}},
        "quant_method = theirs",
    ),
    "an end beyond the vocabulary": (same, {"eos_token_id": 99999}, "eos_token_id = 99999"),
    "a beginning of no number": (same, {"bos_token_id": "<s>"}, "bos_token_id = <s>"),
}
EXPERTS = "model.layers.1.block_sparse_moe.experts."
MIXTURES = {
    **{
        f"{part} of one layer": (
            without(f"{EXPERTS}0.{part}", f"{EXPERTS}1.{part}"),
            f"no {EXPERTS}*.{part}.",
        )
        for part in ("w1", "w2", "w3")
    },
    "w3 of all layers": (without(".w3."), "some are missing or of a shape that does not fit"),
    "an expert of another shape": (
        added(f"{EXPERTS}0.w1.weight", 7, 32),
        "some are missing or of a shape that does not fit",
    ),
    "both forms": (
        lambda weights: (
            {**weights, f"{EXPERTS}gate_up_proj": torch.ones(2, 128, 32)}
            | {f"{EXPERTS}down_proj": torch.ones(2, 32, 64)}
        ),
        "either might be taken",
    ),
    "both forms in part": (added(f"{EXPERTS}gate_up_proj", 2, 128, 32), "either might be taken"),
}
"""What is done to the experts of a Mixtral."""
JUDGES = {
    "no head": (without("score"), {}, "no head with 1 output"),
    "the head under another name": (renamed("score.", "v_head."), {}, "(score.weight)"),
    "the head of two outputs": (added("score.weight", 2, 32), {}, "no head with 1 output"),
    "a bias that the head has not": (added("score.bias", 1), {}, "(score.bias)"),
    "compiled": (prefixed("_orig_mod."), {}, "'_orig_mod'"),
    "a layer gone": (without("layers.1."), {}, "no tensor of 1 of them (1)"),
    "a matrix gone": (without("layers.1.mlp.up_proj"), {}, "(model.layers.1.mlp.up_proj.weight)"),
    "padding of -1": (same, {"pad_token_id": -1}, "pad_token_id = -1"),
    "padding beyond the vocabulary": (same, {"pad_token_id": 4000}, "pad_token_id = 4000"),
}


def damaged(whole, folder, change, fields):
    shutil.copytree(whole, folder)
    weights = change(load_file(folder / "model.safetensors"))
    weights = {name: value.contiguous().clone() for name, value in weights.items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text()) | fields
    config = {key: value for key, value in config.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("name", POLICIES)
def test_a_damaged_policy_is_refused_before_it_answers(llama, tmp_path, name):
    change, fields, reason = POLICIES[name]
    assert reason in refusal(damaged(llama, tmp_path / "model", change, fields))


@pytest.fixture(scope="module")
def mixtral(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixtral")
    saved("mixtral", tokenizer, folder, **LLAMA, num_local_experts=2)
    return folder


@pytest.mark.parametrize("name", MIXTURES)
def test_experts_that_are_not_whole_are_refused_before_an_answer(mixtral, tmp_path, name):
    change, reason = MIXTURES[name]
    text = refusal(damaged(mixtral, tmp_path / "model", change, {}))
    assert reason in text
    assert "automatic conversion" not in text
    assert "AttributeError" not in text


@pytest.mark.parametrize("name", JUDGES)
def test_a_damaged_judge_is_refused_before_it_scores(judge, tmp_path, name):
    change, fields, reason = JUDGES[name]
    folder = damaged(judge, tmp_path / "model", change, fields)
    assert reason in refusal(folder, judge=True)


@pytest.mark.parametrize("kind", ["bert", "deberta-v2", "roberta"])
def test_an_encoder_without_its_head_is_no_judge(tokenizer, tmp_path, kind):
    auto = AutoModelForSequenceClassification
    saved(kind, tokenizer, tmp_path / "whole", auto, **ENCODER, num_labels=1)
    change = without("classifier", "pooler")
    folder = damaged(tmp_path / "whole", tmp_path / "body", change, {})
    assert "no head with 1 output" in refusal(folder, judge=True)
    one = damaged(tmp_path / "whole", tmp_path / "part", without("encoder.layer.1.output"), {})
    assert "missing, which would be random" in refusal(one, judge=True)


def test_the_parent_of_a_recipe_is_loaded_whole_but_for_a_fresh_head(llama, tmp_path):
    check_whole(look(llama), judge=False, fresh=1)
    head = load_classifier(look(llama), "float32", fresh=1)
    assert head.config.num_labels == 1
    torch.testing.assert_close(
        dict(head.model.named_parameters()),
        dict(AutoModelForCausalLM.from_pretrained(llama).model.named_parameters()),
    )
    folder = damaged(llama, tmp_path / "model", without("layers.1.mlp.up_proj"), {})
    for load in (
        lambda: load_causal(look(folder), "float32"),
        lambda: load_classifier(look(folder), "float32", fresh=1),
        lambda: check_whole(look(folder), judge=False),
        lambda: check_whole(look(folder), judge=False, fresh=1),
    ):
        with pytest.raises(ModelError, match=r"\(model\.layers\.1\.mlp\.up_proj\.weight\)"):
            load()


# -- whole ---------------------------------------------------------------------------------------

TEXT = LLAMA | {"head_dim": 8}
WHOLE = dict(ENGINE["MODELS"]) | {
    "falcon": ("falcon", {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}),
    "mixtral": ("mixtral", LLAMA | {"num_local_experts": 2}),
    "qwen3_moe": (
        "qwen3_moe",
        LLAMA | {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
    ),
    "phi3": ("phi3", LLAMA | {"pad_token_id": 0}),
    "llama, tied": ("llama", LLAMA | {"tie_word_embeddings": True}),
    "opt, untied": ("opt", ENGINE["OPT"] | {"tie_word_embeddings": False}),
}


@pytest.mark.parametrize("name", WHOLE)
def test_every_whole_model_is_loaded_as_it_was_saved(tokenizer, tmp_path, name):
    kind, fields = WHOLE[name]
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    model = saved(kind, tokenizer, tmp_path, **fields | ids)
    check_whole(look(tmp_path), judge=False)
    loaded = opened(tmp_path)._model
    torch.testing.assert_close(loaded.state_dict(), model.state_dict())


@pytest.mark.parametrize(
    "kind",
    [
        *("llama", "qwen2", "gemma2", "opt", "gpt2", "gpt_neox", "bert", "roberta", "deberta-v2"),
        *("distilbert", "electra", "albert", "modernbert"),
    ],
)
@pytest.mark.parametrize("outputs", [1, 3])
def test_every_whole_judge_is_loaded_as_it_was_saved(tokenizer, tmp_path, kind, outputs):
    fields = {"opt": ENGINE["OPT"], "gpt2": ENGINE["GPT2"]}.get(kind, ENCODER)
    if kind in {"llama", "qwen2", "gemma2", "gpt_neox"}:
        fields = LLAMA
    more = {"distilbert": {"dim": 32, "n_heads": 4, "n_layers": 2, "hidden_dim": 64}}.get(kind, {})
    auto = AutoModelForSequenceClassification
    model = saved(kind, tokenizer, tmp_path, auto, **fields | more, num_labels=outputs)
    named = {"outputs": {"reward": {"index": 0}}} if outputs > 1 else {}
    check_whole(look(tmp_path, judge=True, outputs=len(named)), judge=True)
    judge = opened(tmp_path, judge=True, input="pair", **named)
    torch.testing.assert_close(judge._model.state_dict(), model.state_dict())


HARMLESS = {
    "a value head": added("v_head.summary.weight", 1, 32),
    "rotary frequencies of each layer": added("model.layers.0.self_attn.rotary_emb.inv_freq", 4),
    "layers of multi-token prediction": added("mtp.layers.0.input_layernorm.weight", 32),
    "a score head": added("score.weight", 1, 32),
    "the body without its prefix": lambda weights: {
        name.removeprefix("model."): value for name, value in weights.items()
    },
    "half precision": lambda weights: {name: value.half() for name, value in weights.items()},
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_a_language_model_does_not_use_may_lie_beside_it(llama, tmp_path, name):
    folder = damaged(llama, tmp_path / "model", HARMLESS[name], {})
    check_whole(look(folder), judge=False)
    assert opened(folder)


@pytest.mark.parametrize(
    ("kind", "fields", "auto"),
    [
        (
            "gemma3",
            {
                "text_config": TEXT | {"sliding_window": 7},
                "vision_config": VISION,
                "mm_tokens_per_image": 4,
                "image_token_index": 299,
                "boi_token_index": 298,
                "eoi_token_index": 297,
            },
            "Gemma3ForConditionalGeneration",
        ),
        (
            "llama4",
            {
                "text_config": TEXT | {"num_local_experts": 2, "intermediate_size_mlp": 64},
                "vision_config": VISION
                | {"vision_output_dim": 16, "projector_input_dim": 16, "projector_output_dim": 16},
                "image_token_index": 299,
            },
            "Llama4ForConditionalGeneration",
        ),
        (
            "mistral3",
            {
                "text_config": TEXT | {"model_type": "mistral"},
                "vision_config": VISION | {"model_type": "pixtral"},
                "image_token_index": 299,
            },
            "Mistral3ForConditionalGeneration",
        ),
    ],
)
def test_a_model_that_reads_images_too_is_asked_with_text(tokenizer, tmp_path, kind, fields, auto):
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos")}
    ids |= {"pad_token_id": tokenizer.pad_token_id, "vocab_size": len(tokenizer)}
    config = AutoConfig.for_model(kind, **fields | {"text_config": fields["text_config"] | ids})
    model = seeded(lambda: getattr(transformers, auto)._from_config(config))
    model.save_pretrained(tmp_path / "whole")
    tokenizer.save_pretrained(tmp_path / "whole")
    check_whole(look(tmp_path / "whole"), judge=False)
    policy = opened(tmp_path / "whole")
    rows = policy.rows(["Human: rain?", "Human: snow and ice, wind and sun?"])
    asked = list(policy.respond([("Human: rain?", 0), ("Human: snow?", 0)], [0, 1]))
    assert len(asked[0]) == 2
    with torch.inference_mode():
        for row in rows:
            ids = torch.tensor([row])
            torch.testing.assert_close(
                policy._model(input_ids=ids).logits, model(input_ids=ids).logits
            )
    fewer = {**json.loads((tmp_path / "whole" / "config.json").read_text())["text_config"]}
    fewer = {key: value[:1] if isinstance(value, list) else value for key, value in fewer.items()}
    fewer = {"text_config": fewer | {"num_hidden_layers": 1, "moe_layers": None}}
    folder = damaged(tmp_path / "whole", tmp_path / "fewer", same, fewer)
    assert "would be dropped" in refusal(folder)


def test_code_that_lies_beside_a_native_model_is_not_run(llama, tmp_path):
    named = {"auto_map": {"AutoModelForCausalLM": "theirs.Model", "AutoConfig": "theirs.Config"}}
    folder = damaged(llama, tmp_path / "model", same, named)
    (folder / "theirs.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    assert opened(folder)
    assert not (tmp_path / "ran").exists()


# -- tokens beyond the embeddings ----------------------------------------------------------------


def with_token(tokenizer, folder, token):
    again = type(tokenizer).from_pretrained(folder)
    again.add_tokens([token])
    again.save_pretrained(folder)


def test_a_token_beyond_the_embeddings_matters_when_a_text_has_it(
    llama, judge, tokenizer, tmp_path
):
    texts = [("Human: rain?", 0)]
    for whole, name in ((llama, "model"), (judge, "judge")):
        shutil.copytree(whole, tmp_path / name)
        with_token(tokenizer, tmp_path / name, "<unused>")
    policy, scorer = opened(tmp_path / "model"), opened(tmp_path / "judge", judge=True)
    assert list(policy.respond(texts, [0])) == list(opened(llama).respond(texts, [0]))
    pairs = [("Human: rain?", "Snow."), ("Human: rain and snow?", "A long answer.")]
    assert list(scorer.score(pairs, [0, 1])) == list(opened(judge, judge=True).score(pairs, [0, 1]))
    for answer in (
        lambda: list(policy.respond([("Human: <unused>?", 0)], [0])),
        lambda: list(scorer.score([("Human: rain?", "<unused>")], [0])),
    ):
        with pytest.raises(AlignmentError) as caught:
            answer()
        assert f"a text has token {len(tokenizer)}" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["llama", "bloom"])
def test_a_padding_token_beyond_the_embeddings_pads_nothing(tokenizer, tmp_path, kind):
    fields = {"llama": LLAMA, "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4}}[kind]
    for name in ("plain", "padded"):
        saved(kind, tokenizer, tmp_path / name, **fields)
    own = type(tokenizer).from_pretrained(tmp_path / "padded")
    own.add_special_tokens({"pad_token": "[PAD]"})
    own.save_pretrained(tmp_path / "padded")
    texts = [("Human: rain?", 0), ("Human: rain and snow and wind?", 0)]
    answers = [list(opened(tmp_path / name).respond(texts, [0, 1])) for name in ("plain", "padded")]
    assert answers[0] == answers[1]


# -- a run ---------------------------------------------------------------------------------------

RUN = """
name = "whole"
device = "cpu"
threads = 1

[axes.harmlessness]
rate = "HmR"
threshold = 0.0
comparison = ">="
prompts = {{ origin = {{ source = "tiny" }}, sample = 2 }}

[axes.helpfulness]
rate = "HpR"
threshold = 0.0
comparison = ">"
prompts = {{ origin = {{ source = "tiny" }}, sample = 2 }}

[generation]
max_new_tokens = 2

[variants.base]
model = "{base}"

{more}
"""
JUDGED = '[judge]\nmodel = "{}"\nmax_length = 256\n'
SECOND = (
    '[judges.other]\nmodel = "{}"\nmax_length = 256\n'
    'axes.harmlessness = {{ dimension = "reward", threshold = 0.0, comparison = ">=" }}\n'
)
TRAINED = (
    '[variants.sft]\nparent = "{}"\n'
    'stages = [{{ trainer = "sft", data = "chosen", rows = 4, args = {{ max_steps = 1 }} }}]\n'
)


@pytest.mark.parametrize(
    "role",
    [
        "judge",
        *(
            pytest.param(role, marks=pytest.mark.slow)
            for role in ("judges.other", "variants.other", "variants.sft")
        ),
    ],
)
def test_a_run_finds_what_is_not_whole_before_the_first_answer(
    llama, judge, tiny_world, tmp_path, role
):
    bad = renamed("score.", "head.") if role.startswith("judge") else without("mlp.up_proj")
    whole = judge if role.startswith("judge") else llama
    folder = damaged(whole, tmp_path / "bad", bad, {})
    more = {
        "judge": JUDGED.format(folder),
        "judges.other": JUDGED.format(judge) + SECOND.format(folder),
        "variants.other": JUDGED.format(judge) + f'[variants.other]\nmodel = "{folder}"\n',
        "variants.sft": JUDGED.format(judge) + TRAINED.format(folder),
    }[role]
    (tmp_path / "whole.toml").write_text(RUN.format(base=llama, more=more))
    world = tiny_world(tmp_path)
    done, _ = world.run(
        "eval_suites/test_harmlessness.py", "--alignment-profile", str(tmp_path / "whole.toml")
    )
    assert done.returncode == 1
    assert f"{role}: model {folder}: its weights are not those of" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    with closing(sqlite3.connect(world.store / "store.sqlite")) as store:
        kinds = {kind for (kind,) in store.execute("SELECT DISTINCT kind FROM entries")}
    assert not {"response", "score"} & kinds
