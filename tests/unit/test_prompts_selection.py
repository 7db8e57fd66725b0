from __future__ import annotations

import json
import random

import pytest

from alignment.config.profile import Profile
from alignment.errors import PromptError
from alignment.prompts.draws import generator
from alignment.prompts.keyword_filter import Filter
from alignment.prompts.selection import select
from alignment.prompts.transcripts import content_id


def row(*texts):
    """A dialogue of these turns, the human first; the last one is the chosen answer."""
    speakers = ("Human", "Assistant")
    turns = [f"{speakers[n % 2]}: {text}" for n, text in enumerate(texts)]
    return {"chosen": "\n\n" + "\n\n".join(turns), "rejected": "\n\nHuman: x\n\nAssistant: y"}


def profile(*axes, seed=100, **prompts):
    def axis(name):
        origin = {"source": "file", "path": f"{name}.jsonl"}
        return {
            "rate": f"R-{name}",
            "threshold": 0.0,
            "comparison": ">=",
            "prompts": {"origin": origin, **prompts},
        }

    return Profile.model_validate(
        {
            "name": "test",
            "sampling_seed": seed,
            "axes": {name: axis(name) for name in axes},
            "judge": {"recorded": True},
        }
    )


@pytest.fixture
def chosen(tmp_path):
    """Select from these rows; gives the texts of the prompts."""

    def texts(rows, **prompts):
        (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
        return [prompt.text for prompt in select(profile("a", **prompts), data=tmp_path)["a"]]

    return texts


def test_a_prompt_knows_what_it_is(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({**row("Ciao", "x"), "language": "it"}))
    (prompt,) = select(profile("a"), data=tmp_path)["a"]
    assert prompt.text == "Human: Ciao"
    assert prompt.id == content_id(prompt.text)
    assert (prompt.axis, prompt.source, prompt.language) == ("a", "a.jsonl", "it")


def test_strict_prompts_end_with_the_human_and_hold_no_answer(chosen):
    rows = [
        row("q1", "answer"),
        row("q2", "one paragraph\n\nand another: answer"),
        row("q3", "kept", "more?", "answer"),
        {"chosen": "Human: q4\n\nAssistant: answer\n\nAssistant: answer again"},
        {"chosen": "Human: q5, not answered"},
        {"chosen": "Human: q6\n\nAssistant:"},
        {"prompt": "q7 plain"},
        {"prompt": "Human: q8\n\nAssistant:"},
    ]
    texts = chosen(rows)
    assert not any("answer" in text.replace("not answered", "") for text in texts)
    assert [text.rsplit("\n\n", 1)[-1] for text in texts] == [
        "Human: q1",
        "Human: q2",
        "Human: more?",
        "Human: q4",
        "Human: q5, not answered",
        "Human: q6",
        "Human: q7 plain",
        "Human: q8",
    ]


def test_strict_drops_what_asks_nothing(chosen):
    asks = row("q", "a")
    nothing = [
        {"chosen": "Assistant: only"},
        {"chosen": "Human:\n\nAssistant: a"},
        {"chosen": "no transcript"},
        {"prompt": "Human: q\n\nAssistant: answered"},
        {"prompt": " "},
    ]
    assert chosen([*nothing, asks]) == ["Human: q"]
    with pytest.raises(PromptError) as caught:
        chosen(nothing)
    assert str(caught.value) == (
        "axis 'a': 0 prompts left of 5 rows in a.jsonl (4 not ending with the human's words, "
        "1 no transcripts), at least 1 required; widen `keywords`, or give a source with more rows"
    )


def test_strict_keeps_one_of_equal_prompts(chosen):
    assert chosen([row("q", "a"), row("q ", "b"), row("q", "c", "r", "d")]) == [
        "Human: q",
        "Human: q\n\nAssistant: c\n\nHuman: r",
    ]


KEYWORD_ROWS = [
    row("How to kill a process?", "a"),
    row("Kill time", "a"),
    row("skill and overkill", "a"),
    row("kill", "a", "And then?", "a"),
    row("q", "kill", "r", "a"),
    row("last", "I kill"),
]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, [0, 1]),
        ({"ignore_case": False}, [0]),
        ({"match": "substring"}, [0, 1, 2]),
        ({"look_in": "prompt"}, [0, 1, 3, 4]),
        ({"look_in": "transcript"}, [0, 1, 3, 4, 5]),
        ({"protocol": "paper"}, [0, 2, 3, 4, 5]),
        ({"protocol": "paper", "ignore_case": True}, [0, 1, 2, 3, 4, 5]),
        ({"protocol": "paper", "match": "word"}, [0, 3, 4, 5]),
        ({"protocol": "paper", "look_in": "prompt"}, [0, 2, 3, 4]),
        ({"protocol": "paper", "look_in": "last_turn"}, [0, 2]),
    ],
)
def test_keywords(chosen, options, kept):
    everything = chosen(KEYWORD_ROWS)
    found = chosen(KEYWORD_ROWS, keywords=["kill", "unheard of"], **options)
    assert found == [everything[n] for n in kept]


def test_a_keyword_is_no_pattern_and_may_be_any_text(chosen):
    rows = [row("c++ or c+", "a"), row("ca+", "a"), row("cafe\u0301 time", "a"), row("杀人吗", "a")]
    assert chosen(rows, keywords=["c++"]) == ["Human: c++ or c+"]
    assert chosen(rows, keywords=["caf\u00e9"]) == ["Human: cafe\u0301 time"]
    assert chosen(rows, keywords=["杀"], match="substring") == ["Human: 杀人吗"]


def test_the_defaults_of_the_protocols():
    strict = profile("a", protocol="strict").axes["a"].prompts
    paper = profile("a", protocol="paper").axes["a"].prompts
    assert Filter.of(strict) == Filter((), "word", "last_turn", ignore_case=True)
    assert Filter.of(paper) == Filter((), "substring", "transcript", ignore_case=False)


def test_the_text_rule_of_the_paper(chosen):
    rows = [
        row("q", "a"),
        row("q", "several\n\nparagraphs"),
        {"chosen": "Human: open "},
        {"chosen": "Human: one\n\ntwo \n\nAssistant: a"},
        {"prompt": "Human: p\n\nAssistant:"},
    ]
    assert chosen(rows, protocol="paper") == [
        "Human: q",
        "Human: q\n\nAssistant: several\n\nparagraphs",
        "Human: open",
        "Human: one\n\ntwo ",
        "Human: p",
    ]


def write(folder, *names, count=40):
    for name in names:
        rows = [row(f"{name} {n}", "a") for n in range(count)]
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))


def test_strict_axes_are_drawn_apart(tmp_path):
    write(tmp_path, "a", "b")
    both = select(profile("a", "b", sample=9), data=tmp_path)
    assert both["b"] == select(profile("b", sample=9), data=tmp_path)["b"]
    assert both["b"] == select(profile("b", "a", sample=9), data=tmp_path)["b"]
    assert both["b"] != select(profile("b", sample=9, seed=101), data=tmp_path)["b"]


def test_paper_axes_share_one_generator_in_their_order(tmp_path):
    write(tmp_path, "a", "b")
    rng = random.Random(7)
    expected = [rng.sample(range(40), 9), rng.sample(range(40), 9)]
    found = select(profile("a", "b", sample=9, seed=7, protocol="paper"), data=tmp_path)
    for name, numbers in zip("ab", expected, strict=True):
        assert [prompt.text for prompt in found[name]] == [f"Human: {name} {n}" for n in numbers]


def test_drawing_leaves_the_generator_of_the_process_alone(tmp_path):
    write(tmp_path, "a")
    state = random.getstate()
    select(profile("a", sample=9), data=tmp_path)
    select(profile("a", sample=9, protocol="paper"), data=tmp_path)
    assert random.getstate() == state


def test_draws_are_the_same_everywhere():
    assert generator(100, "prompts", "a").sample(range(100), 5) == [88, 33, 89, 98, 67]
    assert generator(1, "ab").random() != generator(1, "a", "b").random()


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_too_few_prompts_are_refused_with_counts(chosen, protocol):
    rows = [row(f"kill {n}", "a") for n in range(3)] + [row("q", "a")]
    with pytest.raises(PromptError) as caught:
        chosen(rows, protocol=protocol, keywords=["kill"], sample=4)
    assert str(caught.value) == (
        "axis 'a': 3 prompts left of 4 rows in a.jsonl (1 without a keyword), at least 4 "
        "required; lower `sample` to 3 or less, widen `keywords`, or give a source with more rows"
    )


def test_recorded_axes_are_somebody_elses(tmp_path):
    write(tmp_path, "b")
    values = profile("a", "b").model_dump()
    values["axes"]["a"]["prompts"]["origin"] = {"source": "recorded"}
    assert list(select(Profile.model_validate(values), data=tmp_path)) == ["b"]
