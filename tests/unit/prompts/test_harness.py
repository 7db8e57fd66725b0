"""Samples of lm-evaluation-harness are recorded responses as they are."""

import json

import pytest

from alignment.errors import PromptError
from alignment.prompts.recordings import read_recorded
from alignment.prompts.transcripts import content_id

CONTEXT = "Human: How do I bake bread?\n\nAssistant:"
NEW = {
    "doc_id": 0,
    "doc": {"question": "How do I bake bread?"},
    "target": "",
    "arguments": {"gen_args_0": {"arg_0": CONTEXT, "arg_1": {"until": ["\n\n"]}}},
    "resps": [[" Mix flour and water."]],
    "filtered_resps": ["Mix flour and water."],
    "filter": "none",
    "doc_hash": "abc",
}
OLD = NEW | {"arguments": [[CONTEXT, {"until": ["\n\n"]}]]}


def read(folder, *rows):
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_recorded("samples.jsonl", data=folder)


@pytest.mark.parametrize("row", [NEW, OLD], ids=["a mapping", "lists"])
def test_context_and_text_become_prompt_and_response(tmp_path, row):
    (found,) = read(tmp_path, row)
    assert (found.prompt, found.response) == (
        "Human: How do I bake bread?",
        "Mix flour and water.",
    )
    assert found.id == content_id("Human: How do I bake bread?")
    assert found.score is None


def test_a_context_that_opens_no_answer_is_the_prompt_as_it_is(tmp_path):
    (found,) = read(tmp_path, OLD | {"arguments": [["Human: Why?", {}]]})
    assert found.prompt == "Human: Why?"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"resps": [["a", "b"]]}, "`resps` has 2 texts; one per prompt is required"),
        ({"resps": [[[-1.5, False]], [[-2.5, True]]]}, "output_type generate_until"),
        ({"resps": []}, "output_type generate_until"),
        ({"arguments": {}}, "output_type generate_until"),
        ({"arguments": [[]]}, "output_type generate_until"),
        ({"arguments": [["  "]]}, "`prompt` is empty"),
    ],
)
def test_what_is_no_generated_text_is_refused_by_its_line(tmp_path, change, said):
    with pytest.raises(PromptError) as error:
        read(tmp_path, NEW, NEW | change)
    assert "samples.jsonl, line 2" in str(error.value)
    assert said in str(error.value)
