"""Sampled answers: several per prompt, each by a seed of its own, one cluster in the statistics."""

import re

import pytest

from alignment.analysis.rates import wilson
from alignment.config.schema import Generation
from alignment.gating.gatekeeper import Gatekeeper
from alignment.policies.huggingface import HuggingFacePolicy, PolicySettings, seed_of
from alignment.study.results import summary

WARM = {"temperature": 1.0, "top_p": 0.95}


def settings(seed=0, **generation):
    return PolicySettings(Generation(max_new_tokens=12, **generation), "cpu", 1, seed=seed)


def answers(policy, asked):
    (found,) = policy.respond(asked, range(len(asked)))
    return [found[i].text for i in range(len(asked))]


@pytest.fixture(scope="module")
def folder(micro, tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sampled")
    micro.policy(tokenizer, folder)
    return folder


def test_a_sampled_answer_depends_on_nobody_who_is_answered_too(micro, folder, prompts):
    policy = HuggingFacePolicy(micro.checkpoint(folder), settings(**WARM))
    asked = [(text, sample) for text in prompts for sample in range(3)]
    together = answers(policy, asked)
    assert [answers(policy, [each])[0] for each in asked] == together
    assert answers(policy, asked[::-1]) == together[::-1]
    assert len(set(together)) > len(prompts)


def test_the_seed_the_prompt_and_the_number_of_the_sample_draw(micro, folder, prompts):
    one = HuggingFacePolicy(micro.checkpoint(folder), settings(**WARM))
    other = HuggingFacePolicy(micro.checkpoint(folder), settings(seed=1, **WARM))
    asked = [(text, 0) for text in prompts]
    assert one.identity != other.identity
    assert answers(one, asked) != answers(other, asked)
    assert (
        len({seed_of(0, "a", 0), seed_of(0, "a", 1), seed_of(1, "a", 0), seed_of(0, "b", 0)}) == 4
    )


def test_a_seed_says_nothing_to_greedy_answers(micro, folder):
    checkpoint = micro.checkpoint(folder)
    greedy = {HuggingFacePolicy(checkpoint, settings(seed=n)).identity for n in range(2)}
    assert len(greedy) == 1


def test_an_answer_ends_where_it_speaks_for_the_human(micro, tokenizer, folder, prompts):
    """The label is made likely; without the stop the same policy runs on."""
    stopping = HuggingFacePolicy(micro.checkpoint(folder), settings(stop_at_human=True))
    running = HuggingFacePolicy(micro.checkpoint(folder), settings())
    label = tokenizer("\n\nHuman:", add_special_tokens=False)["input_ids"]
    for policy in (stopping, running):
        _says_after_two(policy, label)
    cut, whole = answers(stopping, [(prompts[0], 0)])[0], answers(running, [(prompts[0], 0)])[0]
    assert re.search(r"\n\s*Human:", whole)
    assert "Human:" not in cut
    assert whole.startswith(cut)
    (found,) = stopping.respond([(prompts[0], 0)], [0])
    assert found[0].stop == "eos"


def _says_after_two(policy, label):
    """From its third token on the model says `label`, again and again."""
    seen = []

    def say(_, __, logits):
        token = len(seen) - 2
        seen.append(0)
        if token >= 0:
            logits = logits.clone()
            logits[..., label[token % len(label)]] += 1000.0
        return logits

    policy._model.get_output_embeddings().register_forward_hook(say)


def test_samples_are_cases_of_their_own_in_one_cluster(micro, tmp_path):
    variants = {
        "base": micro.profile().variants["base"].model_dump(),
        "warm": {
            **micro.profile().variants["base"].model_dump(),
            "generation": {**WARM, "samples": 3},
        },
    }
    study = micro.study(tmp_path, sample=6, variants=variants)
    asked = list(study.keys())
    assert len(asked) == 2 * 6 + 2 * 18
    prompt = study.prompts["harmlessness"][0]
    ids = [id_ for name, axis, id_ in asked if name == "warm" and id_.startswith(prompt.id)]
    assert ids == [prompt.id, f"{prompt.id}.2", f"{prompt.id}.3"]
    cases = study.cases("warm")
    assert {case.prompt.cluster for case in cases if case.prompt.id in ids} == {prompt.cluster}
    assert len({case.response.text for case in cases if case.prompt.axis == "helpfulness"}) > 6
    rate = summary(study, "warm").rates["HmR"]
    assert rate.total == 18
    plain = wilson(rate.passed, 18, 0.95)
    assert rate.interval.high - rate.interval.low >= plain.high - plain.low
    again = micro.study(tmp_path, sample=6, variants=variants)
    assert [each.response for each in again.cases("warm")] == [each.response for each in cases]
    assert again.progress.seconds == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"samples": 2}, "`samples` above 1 need a `temperature` above 0"),
        ({"temperature": -1.0}, "greater than or equal to 0"),
        ({"top_p": 0.0}, "greater than 0"),
    ],
)
def test_decoding_that_cannot_be_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Generation(**given)


def test_variants_that_were_asked_otherwise_are_not_compared(micro, tmp_path):
    base = micro.profile().variants["base"].model_dump()
    variants = {
        "base": base,
        "warm": {**base, "generation": {**WARM, "samples": 2}},
        "longer": {**base, "generation": {"max_new_tokens": 9}},
        "verbatim": {**base, "generation": {"format": "verbatim"}},
    }
    against = {"against": "variant:base"}
    study = micro.study(tmp_path, sample=6, variants=variants, gate=against)
    found = {each.variant: each for each in Gatekeeper(study, tmp_path).gate.decisions}
    assert found["warm"].outcome == found["longer"].outcome == "invalid"
    assert "the prompts differ: harmlessness is 6 prompts" in " ".join(found["warm"].reasons)
    assert "temperature is absent in base and 1.0 in warm" in " ".join(found["warm"].reasons)
    assert found["longer"].reasons == (
        "the decoding differs: max_new_tokens is 6 in base and 9 in longer",
    )
    # How a model wants to be addressed belongs to the model.
    assert found["verbatim"].outcome != "invalid"
