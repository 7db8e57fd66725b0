"""Cases as tables: columns and types, formulas that cannot fire, what UTF-8 cannot hold."""

import csv as tables
import io
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet as files

from alignment.records import Interval, Score
from alignment.records.decisions import Change, Decision, Findings, Flip, GateResult
from alignment.reporting.cases import columns, csv, parquet
from alignment.reporting.document import document
from support.reporting_sample import results

COLUMNS = [
    *("variant", "axis", "prompt", "cluster", "source", "language", "sample", "text", "response"),
    *("score", "dimension_reward", "passed", "stop", "tokens", "degenerate", "truth", "flip"),
    "score_before",
]


def report(text="An answer.", **changes):
    """A report of one variant's two first cases; `text` is the first one's response."""
    sample = results()
    first, _, second = sample.cases[:3]
    first = replace(first, response=replace(first.response, text=text), **changes)
    return document(replace(sample, cases=(first, second)))


def read(found):
    """The rows of a CSV, after its BOM."""
    text = "".join(csv(found))
    assert text[0] == "\ufeff"
    return list(tables.DictReader(io.StringIO(text[1:], newline="")))


def cell(text):
    return read(report(text))[0]["response"]


def table(found):
    return files.read_table(io.BytesIO(parquet(found)))


def test_both_have_the_documented_columns_and_a_row_per_case():
    found = document(results())
    rows = read(found)
    assert list(rows[0]) == list(columns(found)) == table(found).column_names == COLUMNS
    assert len(rows) == table(found).num_rows == len(found["cases"]) == 80
    assert rows[0] == {
        "variant": "base",
        "axis": "harmlessness",
        "prompt": "harm00",
        "cluster": "c0",
        "source": "sample",
        "language": "en",
        "sample": "1",
        "text": "Human: question 0 on harmlessness?",
        "response": "A plain answer.",
        "score": "-2.7",
        "dimension_reward": "-2.7",
        "passed": "true",
        "stop": "length",
        "tokens": "50",
        "degenerate": "runaway",
        "truth": "answers",
        "flip": "",
        "score_before": "",
    }


def test_lines_end_as_the_rfc_says():
    assert "".join(csv(report())).count("\r\n") == 3


def test_every_dimension_has_a_column():
    found = report(score=Score({"reward": 1.0, "harm": -0.25}))
    rows = read(found)
    assert (rows[0]["dimension_harm"], rows[1]["dimension_harm"]) == ("-0.25", "")
    assert table(found)["dimension_harm"].to_pylist() == [-0.25, None]


def test_types_do_not_depend_on_what_is_in_the_columns():
    bare = results()
    bare = replace(bare, cases=tuple(replace(each, response=None) for each in bare.cases[:3]))
    empty = replace(bare, cases=())
    schema = table(document(results())).schema
    assert table(document(bare)).schema == schema
    assert schema.field("tokens").type == pa.int32()
    assert schema.field("score").type == schema.field("score_before").type == pa.float64()
    assert schema.field("passed").type == pa.bool_()
    assert schema.field("response").type == schema.field("flip").type == pa.string()
    assert table(document(empty)).num_rows == 0


def test_flips_are_those_of_the_gate_against_its_other_side():
    change = Change("HmR", 10, 50.0, 40.0, 1, 1, 0.0, Interval(-1.0, 1.0), 0.5, 1.0)
    flips = tuple(
        Flip(f"harm0{i}", before=i == 0, after=i != 0, score_before=-1.5 + i, score_after=0.0)
        for i in range(2)
    )
    decision = Decision("sft", "harmlessness", "HmR", "baseline", "pass", 10.0, change, 0.5)
    anchor = replace(decision, against="anchor", flips=(replace(flips[0], prompt="harm09"),))
    told = Findings(gate=GateResult("baseline", (replace(decision, flips=flips, anchor=anchor),)))
    found = document(results(), told)
    rows = {(r["variant"], r["prompt"]): (r["flip"], r["score_before"]) for r in read(found)}
    assert {key: row for key, row in rows.items() if row != ("", "")} == {
        ("sft", "harm00"): ("lost", "-1.5"),
        ("sft", "harm01"): ("gained", "-0.5"),
    }
    before = table(found)["score_before"].to_pylist()
    assert [each for each in before if each is not None] == [-1.5, -0.5]


def test_samples_of_a_prompt_are_counted_from_one():
    sample = results()
    first = sample.cases[0]
    again = replace(first, prompt=replace(first.prompt, id="harm00.2", sample=1))
    other = replace(first, prompt=replace(first.prompt, id="harm00.7", text="Human: another?"))
    found = document(replace(sample, cases=(first, again, other)))
    assert [row["sample"] for row in read(found)] == ["1", "2", "1"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d", "\uff20", "\ufe63", "\u2212"])
@pytest.mark.parametrize(
    "before", ["", " ", '"', "'", "\u3000", "\ufeff", "\xa0", "\u200b", "\x00"]
)
def test_what_may_be_a_formula_begins_with_an_apostrophe(start, before):
    assert cell(f"{before}{start}1+1").startswith("'")


@pytest.mark.parametrize("text", ["\tx", "\rx", "\nx"])
def test_so_does_what_begins_with_a_tab_or_a_new_line(text):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["a=1", "1-2", "me@x.org", "Sure.", "", " a", "'a'", "\u00e9"])
def test_other_texts_are_as_they_were(text):
    assert cell(text) == text


def test_negative_numbers_stay_numbers():
    assert read(report(value=-2.5))[0]["score"] == "-2.5"


def test_what_no_cell_holds_is_shown():
    assert cell("a\x00\x1b[31m\ud800b\x9b") == r"a\x00\x1b[31m\ud800b\x9b"
    assert cell("a\tb\r\nc\nd") == "a\tb\r\nc\nd"


def test_a_cell_holds_what_a_spreadsheet_can():
    assert len(cell("x" * 40_000)) == 32_000
    assert cell("x" * 40_000).endswith("x…")
    assert len(cell("\x00" * 40_000)) <= 32_767


def test_names_are_as_harmless_as_texts():
    found = report(score=Score({'=1+1,"': 1.0, "reward": 1.0}), variant="=1+1", truth="+2")
    (row,) = (row for row in read(found) if row["variant"] != "base")
    assert (row["variant"], row["truth"]) == ("'=1+1", "'+2")
    assert row['dimension_=1+1,"'] == "1.0"


@given(st.text(st.characters()) | st.text("=+-@\"' ,;\t\r\n\x00\ud800\uff1d"))
def test_any_text_makes_one_cell_and_survives_in_parquet(text):
    found = report(text)
    rows = read(found)
    assert len(rows) == 2
    assert rows[1]["response"] == "A plain answer."
    assert rows[0]["response"][:1] not in set("=+-@\t\r\n")
    kept = table(found)["response"][0].as_py()
    shown = "".join(f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in text)
    assert kept == shown
