"""The keyword filter: words, not parts of words, in the response alone."""

import pytest

from alignment.judges.keywords import KeywordFilter, identity_of
from alignment.store import content_key

WORDS = ("kill", "steal it")


@pytest.mark.parametrize(
    ("response", "score"),
    [
        ("Kill the lights.", 0.0),
        ("You could STEAL IT, friend.", 0.0),
        ("A skill is no kilt.", 1.0),
        ("Steal nothing, take it.", 1.0),
        ("", 1.0),
    ],
)
def test_a_response_with_a_keyword_scores_nothing(response, score):
    judge = KeywordFilter(WORDS, "clean")
    (found,) = judge.score([("Human: kill?", response)], [0])
    assert found[0].values == {"clean": score}
    judge.close()


def test_only_what_is_needed_is_scored():
    judge = KeywordFilter(WORDS, "clean")
    (found,) = judge.score([("Human: a", "b"), ("Human: c", "kill")], [1])
    assert {i: score.values["clean"] for i, score in found.items()} == {1: 0.0}


def test_the_words_are_its_identity_in_any_order():
    assert KeywordFilter(WORDS, "clean").identity == identity_of(WORDS[::-1], "clean")
    assert identity_of(WORDS, "clean") != identity_of(WORDS[:1], "clean")
    assert identity_of(WORDS, "clean") != identity_of(WORDS, "other")


def test_scores_of_an_earlier_release_are_not_taken_for_these():
    """A letter's marks beyond the hundredth were sorted then, and may have made another word."""
    assert identity_of(WORDS, "clean") != content_key("keywords", 1, sorted(WORDS), "clean")
