"""Chat templates, quantization, and the ids that training and evaluation begin with."""

import json
import runpy
import shutil
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import transformers
from datasets import Dataset
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedTokenizerFast,
)

from alignment.checkpoints import examine
from alignment.checkpoints.tokens import begins_with, chat_ids, prompt_ids
from alignment.config.judges import JudgeConfig
from alignment.config.recipes import Stage
from alignment.config.schema import Generation
from alignment.errors import ModelError
from alignment.judges import reward_model
from alignment.policies import huggingface
from alignment.prompts.templates import opened
from alignment.records.thinking import NoAnswer, answer_of
from alignment.store import content
from alignment.training.data import _columns
from alignment.training.trainers import STATED, _trainer

STANDINS = runpy.run_path(str(Path(__file__).with_name("standins.py")))
PROMPTS = ["Human: How do I mend a job?", "Human: Why?\n\nAssistant: Because.\n\nHuman: Of what?"]
TURNS = [
    [{"role": "user", "content": "How do I mend a job?"}],
    [
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "Because."},
        {"role": "user", "content": "Of what?"},
    ],
]
THINKER = "{{ messages[-1].content }}{% if add_generation_prompt %}<think>\n{% endif %}"
STRICT = "{% if messages[0]['role'] != 'user' %}{{ raise_exception('user first') }}{% endif %}x"


def look(folder, *, judge=False, outputs=0):
    return examine(folder, judge=judge, network=False, hasher=content, outputs=outputs)


def policy_of(folder, quantization=None, **generation):
    settings = huggingface.PolicySettings(
        Generation(max_new_tokens=8, **generation),
        device="cpu",
        threads=1,
        quantization=quantization,
    )
    return huggingface.HuggingFacePolicy(look(folder), settings)


def collected(batches):
    return {number: value for batch in batches for number, value in batch.items()}


@pytest.fixture(scope="module")
def chatty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chatty")
    STANDINS["llama"](folder)
    return folder


@pytest.fixture(scope="module")
def opt(tmp_path_factory):
    folder = tmp_path_factory.mktemp("opt")
    STANDINS["opt"](folder, pickled=False)
    return folder


def test_a_policy_is_given_the_messages_by_its_template(chatty):
    policy = policy_of(chatty, format="chat")
    assert policy.begins_with == "<s>"
    found = collected(policy.respond([(text, 0) for text in PROMPTS], range(2)))
    tokenizer = AutoTokenizer.from_pretrained(chatty)
    model = AutoModelForCausalLM.from_pretrained(chatty).eval()
    for number, turns in enumerate(TURNS):
        inputs = tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        ids = inputs["input_ids"][0].tolist()
        assert prompt_ids(tokenizer, PROMPTS[number], "chat") == ids
        assert ids.count(tokenizer.bos_token_id) == 1  # the template's, and no second one
        with torch.no_grad():
            output = model.generate(**inputs, max_new_tokens=8, do_sample=False)[0]
        answer = tokenizer.decode(output[len(ids) :], skip_special_tokens=True).strip()
        assert found[number].text == answer


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_judge_is_given_the_messages_and_the_answer_by_its_template(tmp_path, outputs):
    tokenizer = STANDINS["llama"](tmp_path, outputs=outputs)
    named = {name: {"index": i} for i, name in enumerate("abc")} if outputs > 1 else {}
    given = JudgeConfig.model_validate({"model": "x", "input": "chat", "outputs": named})
    settings = reward_model.JudgeSettings(given, device="cpu", threads=1)
    checkpoint = look(tmp_path, judge=True, outputs=given.named)
    judge = reward_model.RewardModelJudge(checkpoint, settings)
    answers = ["Mend it.\n\nThen rest.", ""]
    pairs = list(zip(PROMPTS, answers, strict=True))
    found = collected(judge.score(pairs, range(2)))
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    for number, turns in enumerate(TURNS):
        ids = tokenizer.apply_chat_template(
            [*turns, {"role": "assistant", "content": answers[number]}], return_tensors="pt"
        )["input_ids"]
        with torch.no_grad():
            expected = model(ids).logits[0].tolist()
        values = list(found[number].values.values())
        assert values == pytest.approx(expected, abs=1e-4)
        assert ids[0].tolist().count(tokenizer.bos_token_id) == 1


def test_a_template_that_refuses_a_dialogue_is_one_line(tmp_path):
    STANDINS["llama"](tmp_path, template=STRICT)
    policy = policy_of(tmp_path, format="chat")
    with pytest.raises(ModelError) as raised:
        list(policy.respond([("Assistant: Hello.\n\nHuman: Who?", 0)], [0]))
    assert str(raised.value) == (
        f"model {tmp_path}: its chat template refuses a dialogue of assistant, user: user first"
    )


def trained(folder, trainer, rows, scratch):
    """A training row as TRL makes it, of our rows and with our arguments."""
    data = {"sft": "chosen", "dpo": "pairs", "reward": "pairs"}[trainer]
    stage = Stage(trainer=trainer, data=data)
    settings = {**STATED, "output_dir": str(scratch), "use_cpu": True, "max_length": 128}
    tokenizer = huggingface.load_tokenizer(look(folder))
    if trainer == "reward":
        auto = AutoModelForSequenceClassification
        model = auto.from_pretrained(folder, num_labels=1, dtype=torch.float32)
    else:
        model = huggingface.load_model(look(folder), "float32")
    made = _trainer(stage, settings, model, tokenizer, Dataset.from_list(rows))
    return tokenizer, made.train_dataset[0]


@pytest.mark.parametrize(("kind", "first"), [("opt", "</s>"), ("chatty", "<s>")])
def test_training_begins_with_the_ids_that_evaluation_begins_with(request, tmp_path, kind, first):
    folder, prompt = request.getfixturevalue(kind), PROMPTS[1]
    columns = _columns(prompt, "You mend it.", "No.")
    told = {"text": columns["prompt"] + columns["chosen"]}
    tokenizer, sft = trained(folder, "sft", [told], tmp_path)
    asked = prompt_ids(tokenizer, prompt, "hh")
    assert tokenizer.convert_ids_to_tokens(asked[0]) == first == begins_with(tokenizer, "hh")
    assert sft["input_ids"][: len(asked)] == asked
    assert sft["input_ids"][-1] == tokenizer.eos_token_id
    assert sft["input_ids"].count(asked[0]) == (2 if kind == "opt" else 1)
    _, dpo = trained(folder, "dpo", [columns], tmp_path)
    assert dpo["prompt_ids"] == asked
    _, reward = trained(folder, "reward", [columns], tmp_path)
    assert reward["chosen_ids"][: len(asked)] == asked
    judged = tokenizer(opened(prompt) + columns["chosen"])["input_ids"]
    assert reward["chosen_ids"] == [*judged, tokenizer.eos_token_id]


def test_a_dialogue_that_is_cut_still_begins_as_in_training(tmp_path):
    tokenizer = STANDINS["llama"](tmp_path, outputs=1)
    given = JudgeConfig.model_validate({"model": "x", "input": "dialogue", "max_length": 16})
    settings = reward_model.JudgeSettings(given, device="cpu", threads=1)
    judge = reward_model.RewardModelJudge(look(tmp_path, judge=True), settings)
    ids = judge._encode(PROMPTS[1], "You mend it.")["input_ids"]
    whole = tokenizer(f"{opened(PROMPTS[1])} You mend it.")["input_ids"] + [tokenizer.eos_token_id]
    assert len(whole) > len(ids) == 16
    assert ids == [tokenizer.bos_token_id, *whole[-15:]]


def test_a_quantized_policy_answers_as_in_plain_transformers(opt):
    pytest.importorskip("bitsandbytes", reason="the extra `quantization` is not installed")
    policy = policy_of(
        opt, {"quant_method": "bitsandbytes", "load_in_8bit": True}, format="verbatim"
    )
    found = collected(policy.respond([(PROMPTS[0], 0)], [0]))
    config = transformers.BitsAndBytesConfig(load_in_8bit=True)
    model = AutoModelForCausalLM.from_pretrained(
        opt, quantization_config=config, device_map={"": "cpu"}, dtype=torch.float32
    ).eval()
    tokenizer = AutoTokenizer.from_pretrained(opt)
    inputs = tokenizer(PROMPTS[0], return_tensors="pt")
    output = model.generate(**inputs, max_new_tokens=8, do_sample=False)[0]
    answer = tokenizer.decode(output[inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert found[0].text == answer.strip()
    plain = policy_of(opt, format="verbatim")
    assert policy.identity != plain.identity


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"quant_method": "magic"}, "quantization: there is no quant_method 'magic'; known: aqlm,"),
        ({"quant_method": "bitsandbytes"}, "bitsandbytes needs load_in_8bit = true or load_in_4"),
        ({"quant_method": "quanto", "wheights": "int8"}, "QuantoConfig has no argument 'wheights'"),
        ({"quant_method": "quanto", "weights": "int9"}, "quanto: "),
    ],
)
def test_a_quantization_that_cannot_be_is_one_line(opt, settings, reason):
    with pytest.raises(ModelError) as raised:
        policy_of(opt, settings)
    assert str(raised.value).startswith(f"model {opt}: ")
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.skipif(find_spec("optimum") is not None, reason="the library is there")
def test_a_quantization_whose_library_is_missing_is_one_line(opt):
    with pytest.raises(
        ModelError, match=r"requires optimum-quanto library \(`pip install opt"
    ) as told:
        policy_of(opt, {"quant_method": "quanto", "weights": "int8"})
    assert "\n" not in str(told.value)


def test_thinking_that_a_chat_template_begins_is_noticed(chatty, tmp_path):
    """Else a text that was cut within it would have no mark at all."""
    shutil.copytree(chatty, tmp_path / "thinker")
    plain = policy_of(tmp_path / "thinker", format="chat")
    (tmp_path / "thinker" / "chat_template.jinja").write_text(THINKER)
    thinker = policy_of(tmp_path / "thinker", format="chat")
    other = policy_of(tmp_path / "thinker", format="hh")
    found = {}
    for name, policy in {"plain": plain, "thinker": thinker, "other": other}.items():
        asked = policy.respond([(PROMPTS[0], 0)], [0])
        found[name] = collected(asked)[0].text
        policy.close()
    assert found["thinker"].startswith("<think>")
    assert not found["plain"].startswith("<think>")
    assert not found["other"].startswith("<think>")
    with pytest.raises(NoAnswer):
        answer_of(found["thinker"], "apart", "generation.thinking")


LOOP = "{% for a in range(99999) %}"
RUNAWAY = {
    "loops": (f"{LOOP}{LOOP}{{% endfor %}}{{% endfor %}}", "takes more than 1 s"),
    "filters": (f"{LOOP}{{{{ range(99999) | join }}}}{{% endfor %}}", "takes more than 1 s"),
    "recursion": ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "maximum recursion depth"),
    "division": (
        (
            "{% set n = namespace(x=3, y=7) %}{% for a in range(22) %}{% set n.x = n.x * n.x %}"
            "{% if a == 20 %}{% set n.y = n.x + 1 %}{% endif %}{% endfor %}{{ n.x % n.y }}"
        ),
        "takes more than 3 s",
    ),
    "text": ("{{ 'a' * 10 ** 10 }}", "takes more than 512 MB"),
    "format": ("{{ '{:>9999999999}'.format(1) }}", "takes more than 512 MB"),
    "doubling": (
        (
            "{% set n = namespace(x='ab') %}{% for a in range(60) %}{% set n.x = n.x ~ n.x %}"
            "{% endfor %}{{ n.x }}"
        ),
        "takes more than 512 MB",
    ),
    "answer": ("{{ 'a' * 2000000 }}", "makes 2000000 characters of a dialogue of 20"),
    "type": ("{{ 1 + 'a' }}", "unsupported operand"),
    "zero": ("{{ 1 / 0 }}", "division by zero"),
    "range": ("{% for a in range(10 ** 9) %}{% endfor %}", "Range too big"),
    "include": ("{% include 'a' %}", "no loader"),
}


@pytest.mark.parametrize("name", RUNAWAY)
def test_a_template_that_runs_on_is_one_line(chatty, monkeypatch, name):
    template, reason = RUNAWAY[name]
    if name in {"loops", "filters"}:  # the others end by something else, however slowly
        monkeypatch.setattr("alignment.checkpoints.tokens.RENDERING", 1.0)
    if name == "division":  # of half a minute, by numbers that are made in less than a second
        monkeypatch.setattr("alignment.checkpoints.tokens.RENDERING", 3.0)
    tokenizer = AutoTokenizer.from_pretrained(chatty)
    tokenizer.chat_template = template
    start = time.monotonic()
    with pytest.raises(ModelError) as raised:
        chat_ids(tokenizer, TURNS[0], answer=True)
    assert str(raised.value).startswith(f"model {chatty}: its chat template ")
    assert reason in str(raised.value)
    assert len(str(raised.value)) < 500
    assert "\n" not in str(raised.value)
    assert time.monotonic() - start < 20
    tokenizer.chat_template = "{{ messages[0].content }}"  # nothing of it stays
    assert chat_ids(tokenizer, TURNS[0], answer=True)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {
                "pre_tokenizer": {
                    "type": "Split",
                    "pattern": {"Regex": "(a+)+b"},
                    "behavior": "Isolated",
                    "invert": False,
                }
            },
            "retry-limit",
        ),
        ({"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "b"}}, "Missing [UNK]"),
    ],
    ids=["pattern", "unknown"],
)
def test_a_tokenizer_that_fails_on_a_text_is_one_line(tmp_path, change, reason):
    model = {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}
    (tmp_path / "tokenizer.json").write_text(
        json.dumps({"version": "1.0", "added_tokens": [], "model": model} | change)
    )
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    with pytest.raises(ModelError) as raised:
        prompt_ids(tokenizer, "a" * 40, "verbatim")
    assert str(raised.value).startswith(f"model {tmp_path}: its tokenizer fails on a text: ")
    assert reason in str(raised.value)
