"""What is whole is loaded as transformers loads it, and whatever else lies beside it."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest
import torch
import transformers
from transformers import AutoConfig, AutoModelForSequenceClassification

from alignment.checkpoints.loading import check_whole
from alignment.errors import AlignmentError
from support.architectures import ENCODER, GPT2, LLAMA, MODELS, OPT, VISION
from support.whole_models import (
    added,
    damaged,
    look,
    opened,
    refusal,
    renamed,
    same,
    saved,
    seeded,
    without,
)

TEXT = LLAMA | {"head_dim": 8}
WHOLE = dict(MODELS) | {
    "falcon": ("falcon", {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}),
    "mixtral": ("mixtral", LLAMA | {"num_local_experts": 2}),
    "qwen3_moe": (
        "qwen3_moe",
        LLAMA | {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
    ),
    "phi3": ("phi3", LLAMA | {"pad_token_id": 0}),
    "llama, tied": ("llama", LLAMA | {"tie_word_embeddings": True}),
    "opt, untied": ("opt", OPT | {"tie_word_embeddings": False}),
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
    fields = {"opt": OPT, "gpt2": GPT2}.get(kind, ENCODER)
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
