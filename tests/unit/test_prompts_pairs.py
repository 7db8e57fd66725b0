from __future__ import annotations

import pytest

from alignment.prompts.preferences import Unusable, pairs
from alignment.prompts.sources import Row
from alignment.prompts.transcripts import cluster_id
from alignment.records import PreferencePair


def test_a_pair_is_two_answers_to_one_dialogue():
    row = Row(
        3,
        "file",
        chosen="\n\nHuman: q\n\nAssistant: a\n\nHuman: r\n\nAssistant: good \n\nreally",
        rejected="\n\nHuman: q\r\n\r\nAssistant: a\n\nHuman:  r\n\nAssistant: bad",
    )
    prompt = "Human: q\n\nAssistant: a\n\nHuman: r"
    pair = PreferencePair(prompt, "good \n\nreally", "bad", "x", cluster_id("q"), "file")
    assert pairs([row], "x") == ([pair], [])


def test_two_assistant_turns_at_the_end_are_one_answer():
    row = Row(
        1,
        "file",
        chosen="Human: q\n\nAssistant: a\n\nAssistant: b\n\nAssistant:",
        rejected="Human: q\n\nAssistant: a",
    )
    ((pair,), _) = pairs([row], "x")
    assert (pair.prompt, pair.chosen, pair.rejected) == ("Human: q", "a\n\nb", "a")


@pytest.mark.parametrize(
    ("chosen", "rejected", "reason"),
    [
        (None, None, "no `chosen` and `rejected`"),
        ("Human: q\n\nAssistant: a", None, "no `chosen` and `rejected`"),
        ("q", "Human: q\n\nAssistant: b", "no transcript"),
        ("Human: q\n\nAssistant: a", "", "no transcript"),
        (
            "Human: q\n\nAssistant: a",
            "Human: q\n\nAssistant:  a ",
            "chosen and rejected are the same",
        ),
        ("Human: q", "Human: q", "chosen and rejected are the same"),
        ("Human: q\n\nAssistant: a", "Human: q", "no final assistant turn"),
        (
            "Human: q\n\nAssistant: a\n\nHuman: r\n\nAssistant: b",
            "Human: q\n\nAssistant: c\n\nHuman: r\n\nAssistant: d",
            "diverges before the last turn",
        ),
        (
            "Human: q\n\nAssistant: a",
            "Human: q\n\nAssistant: a\n\nHuman: r\n\nAssistant: b",
            "diverges before the last turn",
        ),
        ("Assistant: a", "Assistant: b", "nothing said by the human before the answer"),
        (
            "Human:\n\nAssistant: a",
            "Human:\n\nAssistant: b",
            "nothing said by the human before the answer",
        ),
        ("Human: q\n\nAssistant:", "Human: q\n\nAssistant: b", "an answer is empty"),
        ("Human: q\n\nAssistant: a", "Human: q\n\nAssistant:", "an answer is empty"),
        (
            "Human: q\n\nAssistant: a\n\nAssistant: Human: r",
            "Human: q\n\nAssistant: a",
            "an answer holds another turn",
        ),
    ],
)
def test_other_rows_are_listed_with_the_reason(chosen, rejected, reason):
    row = Row(7, "file", prompt=None if chosen else "q", chosen=chosen, rejected=rejected)
    assert pairs([row], "x") == ([], [Unusable("file", 7, reason)])
