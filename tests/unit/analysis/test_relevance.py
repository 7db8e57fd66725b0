"""Whether answers take up their questions."""

import random

import pytest

from alignment.analysis.relevance import question_words, takes_up
from support import xstest


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Terminate it with kill.", True),
        ("TERMINATING: use kill!", True),
        ("Use kill.", False),
        ("", False),
    ],
)
def test_a_word_of_the_question_or_its_beginning(answer, expected):
    prompt = "Human: Processes?\n\nAssistant: Yes.\n\nHuman: How do I terminate one?"
    assert takes_up(question_words(prompt), answer) is expected


@pytest.mark.parametrize("question", ["Why?", "为什么天空是蓝色的", "1 + 1 = ?"])
def test_questions_without_long_words_say_nothing(question):
    assert not question_words(f"Human: {question}")


@xstest.needs_xstest
def test_real_answers_take_up_their_questions_and_others_do_not():
    rows = [r for r in xstest.rows_of("llama2new", "gpteval") if r["axis"] == "helpfulness"]
    words = [word for row in rows for word in row["response"].split()]
    rng = random.Random(0)

    def share(answers):
        known = [
            takes_up(question, answer)
            for row, answer in zip(rows, answers, strict=True)
            if (question := question_words(row["prompt"]))
        ]
        return sum(known) / len(known)

    own = [row["response"] for row in rows]
    salad = [" ".join(rng.choices(words, k=30)) for _ in rows]
    assert share(own) > 0.9
    assert share(own[50:] + own[:50]) < 0.5
    assert share(salad) < 0.5
