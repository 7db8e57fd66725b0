"""Columns of prompts' rows: which are kept, and which are refused."""

import json
from pathlib import Path

import pytest

from alignment.config.layers import resolve
from alignment.errors import PromptError
from alignment.prompts.answered import recorded_prompts
from alignment.prompts.selection import select
from alignment.prompts.slicing import columns_of, require_columns, slice_value
from alignment.records import Prompt


def prompt(id_, **settings):
    return Prompt(id_, "harmlessness", "Human: hi", id_, **settings)


@pytest.mark.parametrize(
    ("value", "kept"),
    [("a", "a"), (" a\n", "a"), (3, "3"), (0.5, "0.5"), (True, "true"), ("x" * 300, "x" * 200)],
)
def test_values_are_texts(value, kept):
    assert columns_of({"kind": value, "other": 1}, ["kind"], "here") == {"kind": kept}


@pytest.mark.parametrize("value", [None, "", "  "])
def test_blank_values_are_none(value):
    assert columns_of({"kind": value}, ["kind"], "here") == {}


@pytest.mark.parametrize("value", [["a"], {"a": 1}, "\ud800"])
def test_other_values_are_refused(value):
    with pytest.raises(PromptError, match=r"^here: `kind`"):
        columns_of({"kind": value}, ["kind"], "here")


def test_a_column_of_the_row_goes_before_the_prompts_own():
    own = prompt("a", language="th", source="file")
    assert [slice_value(own, name) for name in ("language", "source", "kind")] == ["th", "file", ""]
    row = prompt("a", language="en", columns={"language": "sw"})
    assert slice_value(row, "language") == "sw"


def test_a_column_that_no_prompt_has_is_refused():
    with pytest.raises(PromptError, match="no prompt has a column 'knd'"):
        require_columns({"harmlessness": [prompt("a", columns={"kind": "x"})]}, ["kind", "knd"])


def test_too_many_slices_are_refused():
    prompts = [prompt(str(i)) for i in range(1001)]
    with pytest.raises(PromptError, match="'cluster' has 1,001 values on harmlessness"):
        require_columns({"harmlessness": prompts}, ["cluster"])


def test_columns_change_neither_ids_nor_equality_by_hash():
    with_columns, without = prompt("a", columns={"kind": "x"}), prompt("a")
    assert hash(with_columns) == hash(without)
    assert with_columns != without


# -- from the files of a profile -------------------------------------------------------------------

PROFILE = """
name = "sliced"
judge = {{ recorded = true }}
{slices}
[axes.harmlessness]
rate = "HmR"
threshold = 0.0
comparison = ">="
prompts = {{ origin = {origin} }}
[variants]
a = {{ recorded = "a.jsonl" }}
b = {{ recorded = "b.jsonl" }}
"""
BY = '[slices]\nby = ["kind", "language"]'
FILE = '{ source = "file", path = "prompts.jsonl" }'
RECORDED = '{ source = "recorded" }'


def profile_of(folder: Path, origin, slices=BY):
    path = folder / "sliced.toml"
    path.write_text(PROFILE.format(origin=origin, slices=slices))
    return resolve(folder, selected=str(path))


def write(path: Path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_prompts_of_a_file_keep_their_columns(tmp_path):
    write(
        tmp_path / "prompts.jsonl",
        {"prompt": "Human: one?", "kind": "x", "language": "th", "more": "y"},
        {"prompt": "Human: two?"},
    )
    one, two = select(profile_of(tmp_path, FILE), data=tmp_path)["harmlessness"]
    assert (one.columns, two.columns) == ({"kind": "x", "language": "th"}, {})
    (plain, _) = select(profile_of(tmp_path, FILE, ""), data=tmp_path)["harmlessness"]
    assert plain.columns == {}
    assert plain.id == one.id


def test_prompts_of_recorded_answers_keep_their_columns(tmp_path):
    row = {"prompt": "Human: one?", "score": 1}
    write(tmp_path / "a.jsonl", row | {"language": "th"})
    write(tmp_path / "b.jsonl", row | {"kind": "x"})
    (one,) = recorded_prompts(profile_of(tmp_path, RECORDED), data=tmp_path)["harmlessness"]
    assert one.columns == {"language": "th", "kind": "x"}
    write(tmp_path / "a.jsonl", row | {"kind": "z"})
    with pytest.raises(PromptError, match=r"'kind' of prompt .* is 'x', and 'z' in the file"):
        recorded_prompts(profile_of(tmp_path, RECORDED), data=tmp_path)


def test_columns_of_the_harness_are_those_of_its_documents(tmp_path):
    row = {
        "doc": {"kind": "x"},
        "arguments": {"gen_args_0": {"arg_0": "Human: one?\n\nAssistant:"}},
        "resps": [["Yes."]],
    }
    for name in ("a", "b"):
        write(tmp_path / f"{name}.jsonl", row)
    (one,) = recorded_prompts(profile_of(tmp_path, RECORDED), data=tmp_path)["harmlessness"]
    assert one.columns == {"kind": "x"}
