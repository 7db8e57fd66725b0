from __future__ import annotations

import gzip
import json

import pytest

from alignment.config.profile import Profile
from alignment.errors import PromptError
from alignment.prompts.answered import recorded_axes, recorded_prompts, rows_of
from alignment.prompts.recordings import RecordedRow, read_recorded
from alignment.prompts.transcripts import content_id

ID = "0123456789ab"


def answer(prompt="Human: q", response="r", **rest):
    return {"prompt": prompt, "response": response, **rest}


@pytest.fixture
def write(tmp_path):
    def file(rows, name="rows.jsonl"):
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))
        return tmp_path

    return file


def profile(variants, *axes):
    axis = {
        "threshold": 0.0,
        "comparison": ">=",
        "prompts": {"origin": {"source": "recorded"}},
    }
    return Profile.model_validate(
        {
            "name": "test",
            "axes": {name: {"rate": f"R-{name}", **axis} for name in axes or ("a",)},
            "variants": {name: {"recorded": spec} for name, spec in variants.items()},
            "judge": {"recorded": True},
        }
    )


def test_rows_are_read_as_they_are(write):
    data = write(
        [
            answer(rating=-3.5, other=[1]),
            {"prompt_id": ID, "score": 2, "axis": "a"},
            answer("Human: p", score=None, rating=1, prompt_id=content_id("Human: p")),
        ]
    )
    assert read_recorded("rows.jsonl", data=data) == [
        RecordedRow(None, "Human: q", content_id("Human: q"), "r", -3.5, 1, "rows.jsonl"),
        RecordedRow("a", None, ID, None, 2.0, 2, "rows.jsonl"),
        RecordedRow(None, "Human: p", content_id("Human: p"), "r", 1.0, 3, "rows.jsonl"),
    ]


def test_one_file_per_axis(write):
    write([answer()], "a.jsonl")
    data = write([answer(axis="b")], "b.jsonl")
    rows = read_recorded({"a": "a.jsonl", "b": "b.jsonl"}, data=data)
    assert [(row.axis, row.source) for row in rows] == [("a", "a.jsonl"), ("b", "b.jsonl")]
    with pytest.raises(PromptError, match=r"b\.jsonl, line 1: `axis` is 'b', in the file of axis"):
        read_recorded({"a": "b.jsonl"}, data=data)


def test_gzipped_lists_and_equal_repeats(tmp_path):
    text = json.dumps([answer(), answer(), answer("Human: p")])
    (tmp_path / "rows.json.gz").write_bytes(gzip.compress(text.encode()))
    rows = read_recorded("rows.json.gz", data=tmp_path)
    assert [row.line for row in rows] == [1, 3]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"response": "r"}, "`prompt` or `prompt_id` is required"),
        ({"prompt": "q"}, "`response` or `score` is required"),
        (answer(prompt=" "), "`prompt` is empty"),
        (answer(prompt=["q"]), "`prompt` must be a string, not a list"),
        (answer(response=1), "`response` must be a string, not a int"),
        (answer(response="\ud800"), "half of a surrogate pair"),
        (answer(score="1"), "`score` must be a number, not a str"),
        (answer(rating=True), "`rating` must be a number, not a bool"),
        (answer(score=float("nan")), "`score` is nan, not a finite number"),
        (answer(rating=float("-inf")), "`rating` is -inf, not a finite number"),
        (answer(score=10**400), "`score` is inf, not a finite number"),
        ({"prompt_id": "a b\x1b", "response": "r"}, r"`prompt_id` is 'a b\x1b'"),
        (answer(prompt_id=ID), f"content has the id {content_id('Human: q')}"),
        (answer(response="other"), "was answered otherwise in"),
        (answer(score=1.0), "was answered otherwise in"),
    ],
)
def test_faults_are_named_by_file_and_line(write, row, message):
    data = write([answer(), row])
    with pytest.raises(PromptError) as caught:
        read_recorded("rows.jsonl", data=data)
    assert str(caught.value).startswith(f"{data / 'rows.jsonl'}, line 2: ")
    assert message in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PromptError, match=r"nowhere\.json: there is no such file"):
        read_recorded("nowhere.json", data=tmp_path)


def test_the_prompts_are_those_that_were_answered(write):
    write([answer("Human: q"), answer("plain")], "one.jsonl")
    data = write([answer("plain"), answer("Human: q")], "two.jsonl")
    found = recorded_prompts(profile({"one": "one.jsonl", "two": "two.jsonl"}), data=data)
    prompts = found["a"]
    assert [prompt.text for prompt in prompts] == ["Human: q", "plain"]
    assert [prompt.id for prompt in prompts] == [content_id("Human: q"), content_id("plain")]
    assert {prompt.axis for prompt in prompts} == {"a"}


def test_a_prompt_may_be_known_by_its_id_alone(write):
    known = content_id("Human: q")
    write([{"prompt_id": known, "score": 1}, {"prompt_id": ID, "score": 1}], "one.jsonl")
    data = write([answer(), {"prompt_id": ID, "score": 1}], "two.jsonl")
    found = recorded_prompts(profile({"one": "one.jsonl", "two": "two.jsonl"}), data=data)
    assert [(prompt.id, prompt.text) for prompt in found["a"]] == [(known, "Human: q"), (ID, "")]
    assert found["a"][1].cluster == ID


@pytest.mark.parametrize("shorter", ["one", "two"])
def test_variants_must_answer_the_same_prompts(write, shorter):
    for name in ("one", "two"):
        rows = [answer(f"Human: {n}") for n in range(2 if name == shorter else 4)]
        data = write(rows, f"{name}.jsonl")
    with pytest.raises(PromptError) as caught:
        recorded_prompts(profile({"one": "one.jsonl", "two": "two.jsonl"}), data=data)
    missing = content_id("Human: 2")
    start = f"axis 'a': variant '{shorter}' has no recorded row for prompt {missing} ('Human: 2')"
    assert str(caught.value).startswith(start)


def test_rows_need_an_axis_where_there_are_several(write):
    data = write([answer(axis="a"), answer("Human: p", axis="b"), answer("Human: o", axis="c")])
    settings = profile({"one": "rows.jsonl"}, "a", "b")
    assert recorded_axes(settings) == ["a", "b"]
    found = recorded_prompts(settings, data=data)
    assert {axis: len(prompts) for axis, prompts in found.items()} == {"a": 1, "b": 1}
    rows = read_recorded("rows.jsonl", data=data)
    assert rows_of(rows, "b", settings) == [rows[1]]
    data = write([answer()])
    with pytest.raises(PromptError, match=r"rows\.jsonl, row 1: `axis` is required, one of a, b"):
        recorded_prompts(settings, data=data)


def test_an_axis_that_nobody_answered_is_refused(write):
    data = write([answer(axis="b")])
    with pytest.raises(PromptError, match="variant 'one' has no recorded rows for axis 'a'"):
        recorded_prompts(profile({"one": "rows.jsonl"}, "a", "b"), data=data)
    with pytest.raises(PromptError, match="no variant has `recorded`"):
        recorded_prompts(profile({}), data=data)
