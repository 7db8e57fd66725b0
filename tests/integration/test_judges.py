"""The reward model as a judge, against transformers called plainly, one pair at a time."""

import gzip
import json
import math
from pathlib import Path

import pytest
import torch
from transformers import BertTokenizer

from alignment.checkpoints import Checkpoint, examine
from alignment.config.judges import JudgeConfig
from alignment.errors import JudgeError, ModelError
from alignment.judges.reward_model import DIGITS, JudgeSettings, RewardModelJudge
from alignment.prompts.templates import dialogue, normalize_for_judge
from alignment.store import content

ONLINE = Path(__file__).parents[3] / "shared/data/hh-rlhf-test/helpful-online_test.jsonl.gz"
ROUNDED = 0.5 * 10**-DIGITS + 1e-5


def settings_with(**judge):
    given = JudgeConfig.model_validate({"model": "./judge", "max_length": 128, **judge})
    return JudgeSettings(given, device="cpu", threads=1)


def scores(judge, pairs, needed=None):
    """Index -> value of the one dimension, for what was computed."""
    found = {}
    for batch in judge.score(pairs, range(len(pairs)) if needed is None else needed):
        found.update({i: score.values for i, score in batch.items()})
    return found


def plainly(model, ids):
    with torch.inference_mode():
        return float(model(torch.tensor([ids])).logits[0, 0])


def as_dialogue(tokenizer, pair, limit=128):
    text = dialogue(pair[0], normalize_for_judge(pair[1]))
    return [*tokenizer(text)["input_ids"], tokenizer.eos_token_id][-limit:]


def as_pair(tokenizer, pair, limit=128):
    return [token for text in pair for token in tokenizer(text)["input_ids"]][-limit:]


@pytest.fixture(scope="module")
def pairs(prompts):
    answers = ["Rain.", "", "Snow and ice.\n\nHuman: why?", "?", "é\u2028 wind " * 5]
    return [(text, answers[n % len(answers)]) for n, text in enumerate(prompts)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("judge")


@pytest.fixture(scope="module")
def model(micro, tokenizer, folder):
    return micro.judge(tokenizer, folder)


@pytest.mark.parametrize("limit", [128, 12])
@pytest.mark.parametrize(("kind", "encoded"), [("dialogue", as_dialogue), ("pair", as_pair)])
def test_it_scores_as_plain_transformers_does(
    micro, tokenizer, model, folder, pairs, kind, encoded, limit
):
    settings = settings_with(input=kind, max_length=limit, batch_tokens=200)
    judge = RewardModelJudge(micro.checkpoint(folder, judge=True), settings)
    found = scores(judge, pairs)
    expected = [plainly(model, encoded(tokenizer, pair, limit)) for pair in pairs]
    assert sorted(found) == list(range(len(pairs)))
    for i, value in enumerate(expected):
        assert found[i]["reward"] == pytest.approx(value, abs=ROUNDED)
    assert len({round(value, 2) for value in expected}) > 3


def test_a_long_dialogue_is_cut_at_its_start(micro, model, folder, pairs):
    settings = settings_with(max_length=12)
    judge = RewardModelJudge(micro.checkpoint(folder, judge=True), settings)
    far = [(f"Human: {'hail ' * n}and {'wind ' * 9}?", "The same answer.") for n in (1, 30)]
    one, other = scores(judge, far).values()
    assert one == other


@pytest.fixture(scope="module")
def bert():
    """A tokenizer that adds special tokens and token types, of a few words."""
    words = [*(f"w{n}" for n in range(60)), *(f"a{n}" for n in range(60)), "human", ":", "?"]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    return BertTokenizer(vocab={word: number for number, word in enumerate(vocabulary)})


def words(letter, count):
    return " ".join(f"{letter}{n}" for n in range(count))


def joined(bert, micro, folder, pair, limit):
    """What a judge makes of a pair with this tokenizer."""
    settings = settings_with(input="pair", max_length=limit)
    judge = RewardModelJudge(micro.checkpoint(folder, judge=True), settings)
    judge._tokenizer = bert
    return judge._encode(*pair)


@pytest.mark.parametrize(
    ("asked", "said", "begin", "end"),
    [
        (50, 5, "w38", "w49"),  # the prompt loses its beginning
        (50, 16, "w49", "w49"),
        (4, 50, None, None),  # an answer that fills the room loses its own
        (4, 5, "w0", "w3"),
    ],
)
def test_a_pair_loses_the_beginning_of_its_prompt(
    bert, micro, model, folder, asked, said, begin, end
):
    limit = 20
    found = joined(bert, micro, folder, (words("w", asked), words("a", said)), limit)
    tokens = bert.convert_ids_to_tokens(found["input_ids"])
    assert len(tokens) == min(limit, asked + said + 3)
    parted = tokens.index("[SEP]")
    prompt, answer = tokens[1:parted], tokens[parted + 1 : -1]
    assert (tokens[0], tokens[-1]) == ("[CLS]", "[SEP]")
    assert (prompt[0] if prompt else None, prompt[-1] if prompt else None) == (begin, end)
    assert answer[-1] == f"a{said - 1}"
    assert len(answer) == min(said, limit - 3)
    kinds = [0] * (parted + 1) + [1] * (len(tokens) - parted - 1)
    assert found["token_type_ids"] == kinds
    assert bert.truncation_side == "right"


def test_a_pair_within_the_length_is_what_transformers_makes_of_it(bert, micro, model, folder):
    """As in the published study, which cut nothing."""
    for pair in ((words("w", 30), words("a", 7)), ("w1", ""), ("", "a1")):
        assert joined(bert, micro, folder, pair, 4096) == dict(bert(*pair))


@pytest.mark.skipif(not ONLINE.is_file(), reason=f"needs {ONLINE}")
def test_no_question_of_real_dialogues_is_lost(micro, tokenizer, model, folder):
    """With the micro models' tokenizer, of some two letters a token, most are too long."""
    settings = settings_with(input="pair", max_length=512)
    judge = RewardModelJudge(micro.checkpoint(folder, judge=True), settings)
    with gzip.open(ONLINE, "rt", encoding="utf-8") as file:
        rows = [json.loads(line)["chosen"].rpartition("\n\nAssistant:") for line in file]
    cut = 0
    for prompt, _, answer in rows[:300]:
        asked, said = (tokenizer(text)["input_ids"] for text in (prompt, answer))
        if len(said) < 500 and len(asked) + len(said) > 512:
            cut += 1
            ids = judge._encode(prompt, answer)["input_ids"]
            assert ids == [*asked, *said][-512:]
            assert ids[: 512 - len(said)][-10:] == asked[-10:]
    assert cut > 100


def test_no_pair_fits_into_its_special_tokens(bert, micro, model, folder):
    with pytest.raises(JudgeError, match="max_length = 3: a pair takes 3 special tokens alone"):
        joined(bert, micro, folder, ("w1", "a1"), 3)


@pytest.mark.parametrize("budget", [1, 150, 100_000])
def test_scores_do_not_depend_on_the_batches(micro, model, folder, pairs, budget):
    checkpoint = micro.checkpoint(folder, judge=True)
    one = RewardModelJudge(checkpoint, settings_with(batch_tokens=300))
    other = RewardModelJudge(checkpoint, settings_with(batch_tokens=budget))
    found, again = scores(one, pairs), scores(other, pairs)
    for i in range(len(pairs)):
        assert found[i]["reward"] == pytest.approx(again[i]["reward"], abs=10**-DIGITS)
    assert one.identity == other.identity


def test_what_is_the_same_is_read_once_and_scored_everywhere(micro, model, folder, pairs):
    judge = RewardModelJudge(micro.checkpoint(folder, judge=True), settings_with())
    read = []

    def count(_, __, settings):
        read.append(len(settings["input_ids"]))

    judge._model.register_forward_pre_hook(count, with_kwargs=True)
    once = scores(judge, pairs)
    different = sum(read)
    again = scores(judge, [*pairs, *pairs])
    assert sum(read) == 2 * different
    for i in range(len(pairs)):
        assert once[i] == again[i] == again[i + len(pairs)]


@pytest.mark.parametrize("needed", [[0], [7, 3], []])
def test_what_is_needed_decides_which_batches_are_computed_and_nothing_else(
    micro, model, folder, pairs, needed
):
    settings = settings_with(batch_tokens=200)
    judge = RewardModelJudge(micro.checkpoint(folder, judge=True), settings)
    batches = list(judge.score(pairs, range(len(pairs))))
    some = list(judge.score(pairs, needed))
    assert some == [batch for batch in batches if not batch.keys().isdisjoint(needed)]
    assert len(some) < len(batches)


def test_the_dimension_has_the_profiles_name(micro, model, folder, pairs):
    settings = settings_with(dimension="kindness")
    judge = RewardModelJudge(micro.checkpoint(folder, judge=True), settings)
    assert {tuple(values) for values in scores(judge, pairs).values()} == {("kindness",)}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_score_that_is_not_finite_is_an_error_that_names_the_prompt(
    micro, tokenizer, pairs, tmp_path, value
):
    def spoil(model):
        with torch.no_grad():
            for token in tokenizer("§")["input_ids"]:
                model.get_input_embeddings().weight[token] = value

    micro.judge(tokenizer, tmp_path, change=spoil)
    judge = RewardModelJudge(micro.checkpoint(tmp_path, judge=True), settings_with())
    assert len(scores(judge, pairs)) == len(pairs)
    with pytest.raises(JudgeError) as caught:
        scores(judge, [*pairs, ("Human: what is § for?", "Laws.")])
    told = str(caught.value)
    assert told.startswith(f"judge {tmp_path}: its outputs are not finite (")
    assert "in float32 for the prompt that begins 'Human: what is § for?'" in told
    assert "model.decoder.embed_tokens.weight" in told
    assert "\n" not in told
    assert len(told) <= 500


def test_a_model_of_nothing_but_nan_scores_nothing(micro, tokenizer, pairs, tmp_path):
    def spoil(model):
        with torch.no_grad():
            model.score.weight.fill_(math.nan)

    micro.judge(tokenizer, tmp_path, change=spoil)
    judge = RewardModelJudge(micro.checkpoint(tmp_path, judge=True), settings_with())
    with pytest.raises(JudgeError, match=r"not finite \(nan\) in float32 .* \(score.weight\)"):
        scores(judge, pairs)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_no_activation_makes_a_probability_of_infinity(
    micro, tokenizer, pairs, tmp_path, activation
):
    def spoil(model):
        with torch.no_grad():
            model.score.weight[1] = 3e38  # finite, and its sums are not

    micro.judge(tokenizer, tmp_path, change=spoil, num_labels=2)
    outputs = {"good": {"index": 0}}
    checkpoint = examine(tmp_path, judge=True, network=False, hasher=content, outputs=1)
    judge = RewardModelJudge(checkpoint, settings_with(outputs=outputs, activation=activation))
    with pytest.raises(JudgeError, match="its weights are finite but too large"):
        scores(judge, pairs)


def test_several_outputs_are_refused(micro, tokenizer, tmp_path):
    micro.judge(tokenizer, tmp_path, num_labels=3)
    with pytest.raises(ModelError, match="has 3 outputs; a reward model with one is required"):
        micro.checkpoint(tmp_path, judge=True)
    with pytest.raises(ModelError, match="has 3 outputs; a reward model with one is required"):
        RewardModelJudge(Checkpoint(tmp_path, "not looked at"), settings_with())


def test_named_outputs_are_dimensions_and_costs_are_negated(micro, tokenizer, pairs, tmp_path):
    model = micro.judge(tokenizer, tmp_path, num_labels=3)
    outputs = {"help": {"index": 2}, "cost": {"index": 0, "sign": -1}}
    checkpoint = examine(tmp_path, judge=True, network=False, hasher=content, outputs=3)
    judge = RewardModelJudge(checkpoint, settings_with(outputs=outputs))
    for i, found in scores(judge, pairs).items():
        with torch.inference_mode():
            ids = torch.tensor([as_dialogue(tokenizer, pairs[i])])
            row = model(ids).logits[0].tolist()
        assert found["help"] == pytest.approx(row[2], abs=ROUNDED)
        assert found["cost"] == pytest.approx(-row[0], abs=ROUNDED)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_classifier_gives_probabilities(micro, tokenizer, pairs, tmp_path, activation):
    model = micro.judge(tokenizer, tmp_path, num_labels=3)
    outputs = {"help": {"index": 1}, "toxic": {"index": 2, "sign": -1}}
    checkpoint = examine(tmp_path, judge=True, network=False, hasher=content, outputs=3)
    plain = RewardModelJudge(checkpoint, settings_with(outputs=outputs))
    judge = RewardModelJudge(checkpoint, settings_with(outputs=outputs, activation=activation))
    assert judge.identity != plain.identity
    for i, found in scores(judge, pairs).items():
        with torch.inference_mode():
            logits = model(torch.tensor([as_dialogue(tokenizer, pairs[i])])).logits[0]
        expected = getattr(logits, activation)(*([0] if activation == "softmax" else []))
        assert found["help"] == pytest.approx(float(expected[1]), abs=ROUNDED)
        assert found["toxic"] == pytest.approx(-float(expected[2]), abs=ROUNDED)


def test_outputs_that_are_not_there_are_refused(micro, tokenizer, tmp_path):
    micro.judge(tokenizer, tmp_path, num_labels=2)
    with pytest.raises(ModelError, match=r"has 2 outputs; judge\.outputs names number 4"):
        examine(tmp_path, judge=True, network=False, hasher=content, outputs=5)


def test_a_softmax_over_one_output_is_refused(micro, tokenizer, tmp_path):
    micro.judge(tokenizer, tmp_path, num_labels=1)
    settings = settings_with(outputs={"good": {"index": 0}}, activation="softmax")
    for look in (
        lambda: examine(
            tmp_path,
            judge=True,
            network=False,
            hasher=content,
            outputs=settings.judge.named,
        ),
        lambda: RewardModelJudge(Checkpoint(tmp_path, "not looked at"), settings),
    ):
        with pytest.raises(ModelError, match=r"has one output, .* activation = 'sigmoid' is meant"):
            look()


def test_a_language_model_is_no_judge(micro, tokenizer, tmp_path):
    micro.policy(tokenizer, tmp_path)
    with pytest.raises(ModelError, match="is a OPTForCausalLM; a sequence classifier is required"):
        micro.checkpoint(tmp_path, judge=True)


@pytest.mark.parametrize("kind", ["dialogue", "pair"])
def test_more_tokens_than_the_judge_has_positions_for_is_one_line(micro, model, folder, kind):
    settings = settings_with(input=kind, max_length=1024)
    judge = RewardModelJudge(micro.checkpoint(folder, judge=True), settings)
    with pytest.raises(JudgeError) as caught:
        scores(judge, [("Human: " + "rain " * 1500, "Yes.")])
    assert "the judge has positions for 512; lower judge.max_length" in str(caught.value)


def test_close_frees_the_weights(micro, model, folder):
    judge = RewardModelJudge(micro.checkpoint(folder, judge=True), settings_with())
    judge.close()
    assert not hasattr(judge, "_model")
