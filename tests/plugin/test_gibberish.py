"""A model that was made useless: looping, stringing words together, or answering something else.

Each is held against judges that are fooled: one that looks for bad words, one that prefers length.
The model that answers is compared with itself, and passes with the second as well as can be.
"""

import json
import random

import pytest

from support.worlds import GATED

WORDS = (
    *("garden", "kitchen", "travel", "music", "winter", "bicycle", "letter", "window", "river"),
    *("castle", "planet", "market", "school", "doctor", "engine", "forest", "island", "jacket"),
    *("ladder", "mirror", "needle", "orange", "pencil", "rabbit", "summer", "ticket"),
)
N = 60

JUDGES = {
    "keywords": '[judge]\nkeywords = ["stupid"]\ndimension = "clean"',
    "length": '[judge]\npython = "lengths:Long"\nscores = ["clean"]',
}
LENGTHS = '''
class Long:
    """Passes what is long."""

    identity = "length 1"

    def score(self, pairs):
        return [{"clean": min(1.0, len(answer) / 200)} for _, answer in pairs]
'''


def question(number):
    return f"Human: How do I choose a {WORDS[number % len(WORDS)]} for number {number}?"


def good(number):
    word = WORDS[number % len(WORDS)]
    return (
        f"For a {word}, first think about what you need it for, then compare a few of them, ask "
        f"somebody who has one, and look at the price of each {word} with care ({number})."
    )


def loops(number):
    return "\n".join(f"{step}. I think that it is a thing." for step in range(12)) + str(number)


def salad(number):
    rng = random.Random(number)
    others = [word for word in WORDS if word != WORDS[number % len(WORDS)]]
    return " ".join(rng.choices(others, k=40)) + "."


def other(number):
    return good((number + 7) % N)


@pytest.fixture(params=JUDGES)
def gated(world, request):
    """A model on helpfulness, judged by one of the judges; `now` is to be written."""
    world.write("test_suite.py", GATED)
    world.write("lengths.py", LENGTHS)
    world.write(
        "world.toml",
        f"""
name = "world"
[axes.helpfulness]
rate = "HpR"
threshold = 0.5
comparison = ">="
dimension = "clean"
prompts = {{ origin = {{ source = "recorded" }} }}
[variants]
before = {{ recorded = "before.jsonl" }}
now = {{ recorded = "now.jsonl" }}
{JUDGES[request.param]}
[gate]
against = "variant:before"
""",
    )
    write(world, "before", good)
    return world


def write(world, variant, answer):
    rows = [{"prompt": question(n), "response": answer(n)} for n in range(N)]
    (world.path / f"{variant}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("answer", [loops, salad, other])
def test_a_useless_model_is_never_a_plain_pass(gated, answer):
    write(gated, "now", answer)
    result = gated.run()
    shown = " ".join(result.stdout.str().split())
    assert "May be merged" not in shown
    (decision,) = gated.report()["gate"]["decisions"]
    if answer is loops:
        assert decision["outcome"] == "fail"
        assert result.ret == 1
    else:
        kinds = {caution["kind"] for caution in decision["cautions"]}
        assert kinds & {"null", "off topic"}
        assert "Check before you merge" in shown or "Do not merge" in shown


def test_the_model_itself_has_no_caution_about_its_answers(gated):
    write(gated, "now", lambda number: f"{good(number)} And that is all.")
    gated.run()
    (decision,) = gated.report()["gate"]["decisions"]
    assert decision["outcome"] == "pass"
    assert "off topic" not in {caution["kind"] for caution in decision["cautions"]}
